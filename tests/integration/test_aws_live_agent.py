# SPDX-License-Identifier: Apache-2.0
"""Live collection all the way: AWS's API, kim-provider-host, kim-agent, kim-controller, the command kim."""
import json
import re

import pytest

from tiny_aws import TinyAws, users

GAAD = "iam:GetAccountAuthorizationDetails"
ACCOUNT = "111122223333"
PATIENCE_TRIES = 240


@pytest.fixture
def aws():
    tiny = TinyAws()
    yield tiny
    tiny.stop()


@pytest.fixture
def house(aws, installed, start, run, kim, short_tmp):
    """A controller, and an agent that reads the small AWS every second."""
    socket = short_tmp / "s"
    controller = start([installed.kim_controller, "--set", f"state_dir={short_tmp}/c", "--set", "listen=tcp://127.0.0.1:0",
                        "--set", "listen_enrol=tcp://127.0.0.1:0", "--socket", socket])
    ports = re.findall(r"tcp://127\.0\.0\.1:\d+", controller.ready_line)
    key = (short_tmp / "c/controller.pub").read_text().strip()
    for name, value in (("id", "AKIAOURS"), ("secret", "verysecretkeyofours")):
        (short_tmp / name).write_text(value)
        (short_tmp / name).chmod(0o600)
    config = short_tmp / "agent.conf"
    config.write_text(f"""
controller = "{ports[0]}";
controller_enrol = "{ports[1]}";
controller_key = "{key}";
state_dir = "{short_tmp}/a";
providers = ( {{ name = "aws"; plugin = "{installed.plugins}/aws.so"; interval = "1s"; usage = false;
  options = {{ endpoint_url = "{aws.url}"; regions = ["eu-west-1"]; access_key_id = {{ file = "{short_tmp}/id"; }};
              secret_access_key = {{ file = "{short_tmp}/secret"; }}; }}; }} );
""")
    token = short_tmp / "token"
    kim("--socket", socket, "agent", "add", "aws-1", "--scope", f"aws:{ACCOUNT}", "--token-file", token)
    run([installed.kim_agent, "enrol", "--config", config, "--token-file", token])
    agent = start([installed.kim_agent, "--config", config])

    class House:
        def names(self):
            asked = kim("--socket", socket, "identities", "-o", "json", status=None)
            if asked.returncode != 0:  # there is no estate yet
                return None
            listed = json.loads(asked.stdout)["identities"]
            return sorted(i["name"] for i in listed if "/user" in i["id"] or ":user/" in i["id"])

        def wait_for(self, names):
            import time
            for _ in range(PATIENCE_TRIES):
                if self.names() == names:
                    return
                time.sleep(0.25)
            pytest.fail(f"never {names}, but {self.names()}\n{agent.output()}\n{controller.output()}")

    House.agent = agent
    return House()


def test_what_aws_says_reaches_the_controller_and_a_failure_deletes_nothing(aws, house):
    def page(call):
        if "Marker" in call.form:
            return call.query(users("bob", "cyd"))
        call.query("<IsTruncated>true</IsTruncated><Marker>2</Marker>" + users("ann"))

    aws.on(GAAD, page)
    house.wait_for(["ann", "bob", "cyd"])

    # The second page is denied by a broken gateway for a while: half a list must not pass for all.
    aws.on(GAAD, lambda call: call.refuse("ExpiredToken", 403, "expired") if "Marker" in call.form else page(call))
    asked = len(aws.asked(GAAD))
    house.agent.wait_for(lambda line: "ExpiredToken" in line)
    assert len(aws.asked(GAAD)) > asked
    assert house.names() == ["ann", "bob", "cyd"]

    # And what AWS really no longer has, goes.
    aws.on(GAAD, lambda call: call.query(users("ann", "cyd")))
    house.wait_for(["ann", "cyd"])
    assert "verysecretkeyofours" not in house.agent.output()
