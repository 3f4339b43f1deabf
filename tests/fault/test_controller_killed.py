# SPDX-License-Identifier: Apache-2.0
"""The controller is ended as a power cut would, at each of its named points; what it holds in the end
is what an undisturbed one holds, record for record and count for count."""

import http.client
import json
import re
import socket
import subprocess

import pytest

ACCOUNT = "111122223333"
USERS = 300
EVENTS = 400
KILLED = 137


def account_details():
    """Users enough for several batches; each with a policy of its own."""
    users = []
    for i in range(USERS):
        statement = {"Effect": "Allow", "Action": f"s3:Get{'*' * (i % 2)}", "Resource": f"arn:aws:s3:::bucket-{i}/*"}
        users.append(
            {
                "Path": "/",
                "UserName": f"user-{i}",
                "UserId": f"AIDA{i:016d}",
                "Arn": f"arn:aws:iam::{ACCOUNT}:user/user-{i}",
                "CreateDate": "2026-01-02T03:04:05+00:00",
                "UserPolicyList": [
                    {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
                ],
                "GroupList": [],
                "AttachedManagedPolicies": [],
            }
        )
    return {"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": [], "Policies": []}


def trail():
    """Every event is a row of its own, so that the number of rows says when all has come."""
    events = []
    for i in range(EVENTS):
        arn = f"arn:aws:iam::{ACCOUNT}:user/user-{i % USERS}"
        events.append(
            {
                "eventVersion": "1.08",
                "userIdentity": {
                    "type": "IAMUser",
                    "principalId": f"AIDA{i % USERS:016d}",
                    "arn": arn,
                    "accountId": ACCOUNT,
                    "userName": f"user-{i % USERS}",
                },
                "eventTime": f"2026-02-{1 + i // USERS:02d}T10:00:00Z",
                "eventSource": "iam.amazonaws.com",
                "eventName": "GetUser",
                "awsRegion": "us-east-1",
                "sourceIPAddress": "192.0.2.1",
                "userAgent": "test",
                "requestParameters": {"userName": f"user-{i % USERS}"},
                "responseElements": None,
                "requestID": str(i),
                "eventID": f"00000000-0000-0000-0000-{i:012d}",
                "readOnly": True,
                "eventType": "AwsApiCall",
                "managementEvent": True,
                "recipientAccountId": ACCOUNT,
                "eventCategory": "Management",
            }
        )
    return {"Records": events}


class Site:
    """A controller and an agent in a folder of their own."""

    def __init__(self, folder, installed, start, run, ports):
        self.folder, self.installed, self.start, self.run = folder, installed, start, run
        self.data, self.enrol = (f"tcp://127.0.0.1:{port}" for port in ports)
        (folder / "export").mkdir()
        (folder / "trail").mkdir()
        (folder / "export" / "details.json").write_text(json.dumps(account_details()))
        (folder / "trail" / "events.json").write_text(json.dumps(trail()))

    def controller_arguments(self):
        return [
            self.installed.kim_controller,
            "--set", f"state_dir={self.folder}/controller",
            "--set", f"listen={self.data}",
            "--set", f"listen_enrol={self.enrol}",
            "--socket", self.folder / "api.sock",
        ]  # fmt: skip

    def start_controller(self, fault=None):
        return self.start(self.controller_arguments(), env={"KIM_FAULT": fault} if fault else None)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("kim")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.folder / "api.sock"))
        connection.request(method, path, body)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def enrol_agent(self):
        token = self.ask("POST", "/v1/agents", json.dumps({"name": "web", "scopes": ["aws:*"]}))["token"]
        key = (self.folder / "controller" / "controller.pub").read_text().strip()
        self.config = self.folder / "agent.conf"
        self.config.write_text(
            f'controller = "{self.data}"; controller_enrol = "{self.enrol}"; controller_key = "{key}";\n'
            f'state_dir = "{self.folder}/agent";\n'
            'providers = ( { name = "aws"; plugin = "aws"; interval = "300ms"; usage_interval = "300ms";\n'
            f'  options = {{ files = [ "{self.folder}/export" ]; logs = [ "{self.folder}/trail" ];'
            f' account = "{ACCOUNT}"; }}; }} );\n'
        )
        self.run([self.installed.kim_agent, "enrol", "--config", self.config, "--token-file", "-"], input=token)

    def start_agent(self):
        return self.start([self.installed.kim_agent, "--config", self.config])

    def wait_until_all_is_there(self, agent):
        """All usage is there; then, that the agent collects twice more and finds nothing new to say."""
        while self.ask("GET", "/v1/status")["records"]["usage"] < EVENTS:
            agent.wait_for(lambda line: "event=collected" in line)  # at the pace of the agent, not in a circle
        for _ in range(2):
            agent.wait_for(lambda line: "nothing changed" in line)

    def digest(self):
        done = subprocess.run(
            [str(a) for a in self.controller_arguments()] + ["--digest"], capture_output=True, text=True, check=True
        )
        return done.stdout


def deliver(folder, installed, start, run, ports, fault):
    site = Site(folder, installed, start, run, ports)
    controller = site.start_controller()
    site.enrol_agent()
    assert controller.stop() == 0
    controller = site.start_controller(fault)
    agent = site.start_agent()
    if fault:
        assert controller.wait() == KILLED
        controller = site.start_controller()
    site.wait_until_all_is_there(agent)
    assert agent.stop() == 0
    assert controller.stop() == 0
    return site.digest()


@pytest.fixture
def undisturbed(short_tmp, installed, start, run, free_port):
    folder = short_tmp / "calm"
    folder.mkdir(mode=0o700)
    digest = deliver(folder, installed, start, run, (free_port(), free_port()), None)
    assert re.search(rf" usage={EVENTS}$", digest.strip())
    return digest


POINTS = [
    "intake_hello:1",
    "intake_begin:1",
    "intake_data:2",
    "intake_commit:1",
    "group_written:1",
    "group_written:3",
    "group_committed:1",
    "group_committed:3",
    "group_answered:2",
    "estate_built:1",
]


def test_a_controller_killed_at_any_point_ends_with_what_an_undisturbed_one_holds(
    undisturbed, short_tmp, installed, start, run, free_port
):
    different = {}
    for point in POINTS:
        folder = short_tmp / point.replace(":", "-")
        folder.mkdir(mode=0o700)
        digest = deliver(folder, installed, start, run, (free_port(), free_port()), point)
        if digest != undisturbed:
            different[point] = digest
    assert not different, undisturbed
