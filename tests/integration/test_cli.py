# SPDX-License-Identifier: Apache-2.0
"""The program kim as installed: cases, files and queries through real hosts and a real controller."""

import csv
import fcntl
import http.server
import io
import json
import os
import pty
import re
import signal
import socketserver
import struct
import subprocess
import termios
import threading
from pathlib import Path

import pytest

ACCOUNT = "111122223333"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
CASE_MAX_BYTES = 768 * 1024  # KIM_CASE_MAX_BYTES


def case(number, action="s3:GetObject", **more):
    """A case that is allowed for s3:Get* and denied for anything else."""
    return {
        "id": str(number),
        "provider": "aws",
        "request": {
            "principal": ANN,
            "action": action,
            "resource": f"arn:aws:s3:::b/k{number}",
            "resource_account": ACCOUNT,
        },
        "policies": {
            "identity": [
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Sid": "Get", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}],
                }
            ]
        },
        **more,
    }


def neutral_case(number):
    return {
        "id": str(number),
        "provider": "neutral",
        "profile": {"combining": "deny-overrides", "default": "deny", "wildcard": "glob", "case": "sensitive"},
        "request": {"identity": "a", "action": "x", "resource": "r"},
        "statements": [{"id": "s1", "effect": "allow", "actions": ["x"]}],
    }


def lines_of(*cases):
    return "".join(json.dumps(c) + "\n" for c in cases)


def answers_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def tmp_kim(kim, tmp_path):
    """kim with a TMPDIR of its own: what it leaves behind can be seen."""
    folder = Path("/tmp") / f"kt{os.getpid()}"
    folder.mkdir()

    def run(*arguments, **how):
        result = kim(*arguments, env={"TMPDIR": str(folder)}, **how)
        assert list(folder.iterdir()) == [], "kim left something in TMPDIR"
        return result

    run.folder = folder
    yield run
    for left in folder.iterdir():
        subprocess.run(["rm", "-r", str(left)], check=True)
    folder.rmdir()


def children_of(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- evaluate ----


def test_each_case_is_answered_in_order_whatever_its_provider(tmp_kim):
    cases = [neutral_case(i) if i % 3 == 0 else case(i, "s3:PutObject" if i % 3 == 1 else "s3:GetObject") for i in range(1000)]
    answers = answers_of(tmp_kim("evaluate", "-", input=lines_of(*cases)).stdout)
    assert [a["id"] for a in answers] == [str(i) for i in range(1000)]
    assert [a["decision"] for a in answers] == [["allowed", "denied", "allowed"][i % 3] for i in range(1000)]


def test_an_answer_names_the_statement_that_decided(tmp_kim):
    (answer,) = answers_of(tmp_kim("evaluate", input=lines_of(case(1))).stdout)
    assert answer["reason"] == "explicit_allow"
    assert [b["statement"] for b in answer["because"]] == ["Get"]


def test_nothing_in_nothing_out(tmp_kim):
    assert tmp_kim("evaluate", "-", input="").stdout == ""
    assert tmp_kim("evaluate", "-", input="\n \n\t\r\n").stdout == ""


@pytest.mark.parametrize(
    "line, says",
    [
        ('{"id":"x", nope', "no JSON"),
        ("[1]", "not array"),
        ('{"id":"x"}', "'provider' is missing"),
        ('{"id":"x","provider":"azzure"}', "the provider 'azzure' is unknown; known are aws, "),
        ('{"id":"x","provider":"../aws"}', "unknown"),
        ('{"id":"x","provider":{"a":1}}', "unknown"),
        ('{"id":"x","provider":"aws","frob":1}', "unknown key 'frob'"),
        ('{"id":"x","provider":"aws"}', ""),
        ('{"id":"x","provider":"aws","request":{"principal":1}}', ""),
        ('\x00\x01', ""),
    ],
)
def test_a_case_that_cannot_be_read_gets_its_line_and_the_others_are_answered(tmp_kim, line, says):
    text = lines_of(case(1)) + "\n" + line + "\n" + lines_of(case(2))
    result = tmp_kim("evaluate", "-", input=text, status=1)
    before, bad, after = answers_of(result.stdout)
    assert before["decision"] == after["decision"] == "allowed"
    assert bad["id"] in ("x", None)
    assert says in bad["error"]
    assert result.stderr == ""


def test_bytes_that_are_no_utf8_are_an_error_of_their_line_alone(tmp_kim):
    text = lines_of(case(1)).encode() + b'{"id":"\xff","provider":"aws"}\n' + lines_of(case(2)).encode()
    result = tmp_kim("evaluate", "-", input=text, status=1)
    answers = [json.loads(line) for line in result.stdout.decode().splitlines()]
    assert [("error" in a) for a in answers] == [False, True, False]


def test_an_id_of_any_type_comes_back_as_it_was(tmp_kim):
    cases = [case(0, id=value) for value in (7, 1.5, None, True, ["a"], {"b": 1}, "ü\n")]
    answers = answers_of(tmp_kim("evaluate", "-", input=lines_of(*cases)).stdout)
    assert [a["id"] for a in answers] == [c["id"] for c in cases]


def test_a_line_at_the_limit_is_read_and_one_past_it_is_named(tmp_kim):
    def padded(number, size):
        text = json.dumps(case(number))
        return text[:-1] + " " * (size - len(text)) + "}\n"

    text = padded(1, CASE_MAX_BYTES) + padded(2, CASE_MAX_BYTES + 1) + padded(3, 5 * CASE_MAX_BYTES) + lines_of(case(4))
    answers = answers_of(tmp_kim("evaluate", "-", input=text, status=1).stdout)
    assert [a["id"] for a in answers] == ["1", "2", "3", "4"]
    assert [a.get("decision") for a in answers] == ["allowed", None, None, "allowed"]
    assert "longer than 786432 bytes" in answers[1]["error"]


def test_nesting_without_end_is_an_error_of_its_line_alone(tmp_kim):
    deep = '{"id":"d","provider":"aws","request":' + "[" * 10000 + "]" * 10000 + "}\n"
    answers = answers_of(tmp_kim("evaluate", "-", input=deep + lines_of(case(1)), status=1).stdout)
    assert "error" in answers[0]
    assert answers[1]["decision"] == "allowed"


def test_a_hundred_thousand_cases_need_no_more_memory_than_a_few(installed, tmp_path):
    def peak_kib(count):
        with open(tmp_path / "in.jsonl", "w") as out:
            for i in range(count):
                out.write(json.dumps(case(i)) + "\n")
        with open(tmp_path / "in.jsonl") as given, open(tmp_path / "out.jsonl", "w") as out:
            process = subprocess.Popen([installed.kim, "evaluate", "-"], stdin=given, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        with open(tmp_path / "out.jsonl") as answers:
            for i, line in enumerate(answers):
                answer = json.loads(line)
                assert answer["id"] == str(i) and answer["decision"] == "allowed"
        assert i + 1 == count
        return usage.ru_maxrss

    few, many = peak_kib(3000), peak_kib(100_000)
    assert many < few + 8 * 1024, f"{few} KiB for 3,000 cases, {many} KiB for 100,000"


def test_a_program_that_asks_and_waits_is_answered_at_once(installed):
    process = subprocess.Popen([installed.kim, "evaluate", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    for i in range(5):
        process.stdin.write(lines_of(case(i)))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == str(i)
    process.stdin.close()
    assert process.wait() == 0
    watchdog.cancel()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_its_children_end_too(installed, tmp_kim, number):
    process = subprocess.Popen(
        [installed.kim, "evaluate", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_kim.folder)},
    )
    process.stdin.write(lines_of(case(1)))
    process.stdin.flush()
    process.stdout.readline()
    children = children_of(process.pid)
    assert len(children) == 2  # the controller, and aws's host
    process.send_signal(number)
    assert process.wait(60) == -number
    process.stdin.close()
    process.stdout.close()
    for child in children:
        patience = threading.Event()
        for _ in range(600):
            if not is_alive(child):
                break
            patience.wait(0.1)
        assert not is_alive(child)
    if number != signal.SIGKILL:
        assert list(tmp_kim.folder.iterdir()) == []


def test_a_reader_that_has_enough_is_no_failure(installed, tmp_path):
    (tmp_path / "in.jsonl").write_text(lines_of(*(case(i) for i in range(20000))))
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{installed.kim}' evaluate in.jsonl | head -1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )
    assert json.loads(result.stdout)["id"] == "0"
    assert result.stderr == ""
    assert result.returncode == 0


def test_a_full_disk_is_said(installed, run):
    result = run(["bash", "-c", f"'{installed.kim}' evaluate - > /dev/full"], input=lines_of(case(1)), status=5)
    assert "standard output takes no more" in result.stderr


def test_a_file_that_is_not_there_is_named(kim):
    assert "/nonexistent/x: cannot be opened: No such file or directory" in kim("evaluate", "/nonexistent/x", status=4).stderr


def test_without_its_controller_it_says_what_to_do(kim):
    result = kim("evaluate", "-", input=lines_of(case(1)), env={"KIM_CONTROLLER": "/nonexistent/kim-controller"}, status=4)
    assert "set KIM_CONTROLLER" in result.stderr


def test_a_controller_that_ends_gives_its_last_words(kim, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho out of luck >&2\nexit 9\n")
    broken.chmod(0o755)
    result = kim("evaluate", "-", input=lines_of(case(1)), env={"KIM_CONTROLLER": str(broken)}, status=5)
    assert "ended by itself with status 9: out of luck" in result.stderr


def test_a_provider_that_ends_costs_its_case_and_no_other(kim, installed, tmp_path):
    """The host is ended from outside while it works: kim starts another."""
    process = subprocess.Popen([installed.kim, "evaluate", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    process.stdin.write(lines_of(case(1)))
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["decision"] == "allowed"
    hosts = [c for c in children_of(process.pid) if "provider-host" in Path(f"/proc/{c}/cmdline").read_text()]
    assert len(hosts) == 1
    os.kill(hosts[0], signal.SIGKILL)
    process.stdin.write(lines_of(*(case(i) for i in range(2, 100))))
    process.stdin.close()
    answers = answers_of(process.stdout.read())
    watchdog.cancel()
    assert [a["id"] for a in answers] == [str(i) for i in range(2, 100)]
    assert sum("error" in a for a in answers) <= 1
    assert process.wait() == (1 if any("error" in a for a in answers) else 0)


# ---- the command line ----


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["satus"], "did you mean 'status'?"),
        (["who-can", "a"], "something is missing: kim who-can ACTION RESOURCE"),
        (["can", "a", "b", "c", "--mdoe", "strict"], "did you mean '--mode'?"),
        (["status", "-o", "yaml"], "it is one of: table json csv"),
        ([], "which command?"),
        (["scan", "x", "--", "frob"], "there is no command 'frob'"),
        (["scan", "x", "--", "agents"], "'agents' is no query on an estate"),
        (["scan", "x", "--provider", "frob"], "there is no provider 'frob'; known are aws, "),
        (["diff", "x", "y", "--provider", "frob"], "there is no provider 'frob'; known are aws, "),
        (["identities", "--limit", "x"], "--limit is 'x'; write a whole number from 1"),
        (["agent", "add", "x"], "an agent needs at least one scope"),
        (["help", "nosuch"], "there is no command 'nosuch'"),
        (["completion", "zsh"], "there is no completion for 'zsh'"),
        (["evaluate", "--mode", "strict"], "--mode goes with --estate"),
        (["propose", "ann", "-o", "csv"], "a policy has no rows"),
    ],
)
def test_a_wrong_command_line_says_what_is_near(kim, arguments, says):
    result = kim(*arguments, status=2)
    assert says in result.stderr
    assert result.stdout == ""


def test_help_and_version_need_nothing(kim):
    assert kim("--version").stdout.startswith("kim ")
    assert kim("--version").stdout == kim("version").stdout == kim("-q", "--version").stdout
    assert "kim --version" in kim("help", "version").stdout
    assert "Examples:" in kim("who-can", "--help").stdout
    assert kim("help", "who-can").stdout == kim("who-can", "-h").stdout
    assert json.loads(kim("version", "-o", "json").stdout)["version"]


def test_no_controller_is_an_exit_status_of_its_own(kim):
    result = kim("--socket", "/nonexistent/s", "status", status=3)
    assert "no controller answers on /nonexistent/s" in result.stderr


def test_the_completion_is_bash(installed, run, kim):
    script = kim("completion", "bash").stdout
    assert run(["bash", "-n"], input=script).stderr == ""
    ask = script + '\nCOMP_WORDS=(kim who-can --mo); COMP_CWORD=2; _kim; echo "${COMPREPLY[@]}"'
    ask += '\nCOMP_WORDS=(kim who-can --mode ""); COMP_CWORD=3; _kim; echo "${COMPREPLY[@]}"'
    ask += '\nCOMP_WORDS=(kim agent a); COMP_CWORD=2; _kim; echo "${COMPREPLY[@]}"'
    assert run(["bash"], input=ask).stdout.splitlines() == ["--mode", "discover strict", "add approve"]
    assert (installed.prefix / "share/bash-completion/completions/kim").read_text() == script


# ---- scan ----


@pytest.fixture(scope="session")
def example(shared_data, tmp_path_factory):
    """A real account's export: 44 users, 78 roles."""
    folder = tmp_path_factory.mktemp("example")
    packed = shared_data / "aws/authorization-details/cloudsplaining-example.json.xz"
    target = folder / "account.json"
    with open(target, "wb") as out:
        subprocess.run(["xz", "-dc", str(packed)], stdout=out, check=True)
    return target


@pytest.fixture(scope="session")
def trail(shared_data, tmp_path_factory):
    target = tmp_path_factory.mktemp("trail") / "events.jsonl"
    with open(target, "wb") as out:
        subprocess.run(["xz", "-dc", str(shared_data / "aws/cloudtrail/invictus-stratus-2023.jsonl.xz")], stdout=out, check=True)
    return target


def test_the_report_counts_what_the_export_holds(tmp_kim, example):
    details = json.loads(example.read_text())
    report = json.loads(tmp_kim("scan", str(example), "-o", "json").stdout)
    counts = report["status"]["identities"]
    assert counts["human"] == len(details["UserDetailList"])
    assert counts["role"] == len(details["RoleDetailList"])
    assert counts["group"] == len(details["GroupDetailList"])
    assert report["not_read"] == [] and report["not_read_total"] == 0
    assert {f["kind"] for f in report["findings"]} >= {"administrator", "wildcard_grant"}
    assert report["gaps"][0]["granted"] > 20000


def test_the_report_for_people_has_its_parts(tmp_kim, example):
    text = tmp_kim("scan", str(example)).stdout
    for part in ("Identities", "Findings", "Largest gaps", "Next\n  kim scan"):
        assert part in text
    assert "\033[" not in text  # no terminal, no colours


def test_the_commands_to_try_next_can_be_pasted(tmp_kim, run, installed, example, tmp_path):
    odd = tmp_path / "ann's $(touch pwned) export.json"
    odd.write_bytes(example.read_bytes())
    lines = tmp_kim("scan", odd.name, cwd=tmp_path).stdout.split("\nNext\n")[1].splitlines()
    assert len(lines) >= 2
    for line in lines:
        run(["bash", "-ec", line], cwd=tmp_path, env={"PATH": f"{installed.prefix}/bin:{os.environ['PATH']}"})
    assert [path.name for path in tmp_path.iterdir()] == [odd.name]


def test_identities_come_all_and_in_every_form(tmp_kim, example):
    details = json.loads(example.read_text())
    roles = sorted(r["Arn"] for r in details["RoleDetailList"])
    query = ["scan", str(example), "--", "identities", "--kind", "role"]
    assert [i["id"] for i in json.loads(tmp_kim(*query, "-o", "json").stdout)["identities"]] == roles
    rows = list(csv.DictReader(io.StringIO(tmp_kim(*query, "-o", "csv").stdout)))
    assert [r["id"] for r in rows] == roles
    table = tmp_kim(*query).stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == roles
    assert len(tmp_kim(*query, "--limit", "5").stdout.splitlines()) == 6


def test_who_can_and_what_can_have_the_shape_that_is_promised(tmp_kim, example):
    arn = "arn:aws:s3:::some-bucket/key"
    answer = json.loads(tmp_kim("scan", str(example), "--", "who-can", "s3:GetObject", arn, "-o", "json").stdout)
    assert answer["resource"] == arn and answer["action"] == "s3:GetObject"
    identities = [a["identity"] for a in answer["answers"]]
    assert identities == sorted(identities) and len(identities) > 0
    assert {a["decision"] for a in answer["answers"]} <= {"allowed", "conditional", "unknown"}
    who = next(a["identity"] for a in answer["answers"] if "obama" in a["identity"])
    answer = json.loads(tmp_kim("scan", str(example), "--", "what-can", who, "-o", "json").stdout)
    assert answer["identity"] == who
    assert {"action", "resource", "decision", "because"} <= set(answer["answers"][0])
    assert len(answer["answers"]) > 20000


FIXTURES = Path(__file__).parents[2] / "plugins/aws/fixtures"


def test_who_can_asks_those_who_sign_requests_and_passes_over_people_and_devices(tmp_kim):
    """The fixtures hold people of Identity Center, an IoT thing and its certificate beside users and roles."""
    query = ["scan", str(FIXTURES), "--", "who-can", "s3:GetObject", "arn:aws:s3:::reports/x", "-o", "json"]
    answers = {a["identity"]: a for a in json.loads(tmp_kim(*query).stdout)["answers"]}
    assert set(answers) == {
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/staff/ann",
        "arn:aws:iam::444455556666:user/eve",
    }
    assert {b["layer"] for b in answers["arn:aws:iam::444455556666:user/eve"]["because"]} == {"identity", "resource", "scp"}


def test_can_tells_a_script_by_its_exit_status(tmp_kim, example):
    details = json.loads(example.read_text())
    boss = next(u["Arn"] for u in details["UserDetailList"] if u["UserName"] == "obama")
    query = ["scan", str(example), "--", "can"]
    arguments = ["iam:CreateUser", f"{boss}x", "--exit-code"]
    assert tmp_kim(*query, boss, *arguments).stdout.startswith("decision       allowed\n")
    nobody = next(g["Arn"] for g in details["UserDetailList"] if not g.get("UserPolicyList") and not g["AttachedManagedPolicies"]
                  and not g["GroupList"])
    assert tmp_kim(*query, nobody, *arguments, status=10).stdout.startswith("decision       denied\n")
    assert tmp_kim(*query, nobody, "iam:CreateUser", "*").returncode == 0


def test_requests_without_documents_are_answered_from_the_estate(tmp_kim, example, tmp_path):
    details = json.loads(example.read_text())
    boss = next(u["Arn"] for u in details["UserDetailList"] if u["UserName"] == "obama")
    requests = tmp_path / "requests.jsonl"
    requests.write_text(
        lines_of(*({"id": i, "request": {"principal": boss, "action": "iam:CreateUser", "resource": f"{boss}{i}"}} for i in range(3000)))
    )
    answers = answers_of(tmp_kim("scan", str(example), "--", "evaluate", str(requests)).stdout)
    assert [a["id"] for a in answers] == list(range(3000))
    assert {a["decision"] for a in answers} == {"allowed"}
    requests.write_text('{"id":1,"frob":2}\n{"id":2}\n')
    answers = answers_of(tmp_kim("scan", str(example), "--", "evaluate", str(requests), status=1).stdout)
    assert "unknown key 'frob'" in answers[0]["error"] and "error" in answers[1]


def test_a_folder_with_an_export_and_a_log_is_read_whole(tmp_kim, example, trail, tmp_path):
    folder = tmp_path / "all"
    (folder / "logs/2023").mkdir(parents=True)
    (folder / "account.json").write_bytes(example.read_bytes())
    (folder / "logs/2023/events.jsonl").write_bytes(trail.read_bytes())
    (folder / "README.txt").write_text("not ours\n")
    report = json.loads(tmp_kim("scan", str(folder), "-o", "json").stdout)
    (source,) = report["sources"]
    assert source["files"] == [str(folder / "account.json")]
    assert source["logs"] == [str(folder / "logs")]  # one kind: the folder stands for it
    assert report["passed_over"] == 1
    assert report["status"]["records"]["usage"] > 100


def test_a_file_that_nobody_knows_is_named_and_the_others_are_read(tmp_kim, example, tmp_path):
    odd = tmp_path / "odd.txt"
    odd.write_text("hello\n")
    result = tmp_kim("scan", str(example), str(odd), "-o", "json", status=1)
    assert json.loads(result.stdout)["not_read"] == [str(odd)]
    result = tmp_kim("scan", str(example), str(odd), "--", "status", status=1)
    assert str(odd) in result.stderr


def test_what_cannot_be_read_in_a_folder_is_named_and_the_rest_is_read(tmp_kim, example, tmp_path):
    """A link to a process's memory opens and fails to read, for root too; a link to nothing is passed over."""
    folder = tmp_path / "exports"
    deep = folder.joinpath(*["d"] * 70)
    deep.mkdir(parents=True)
    (folder / "account.json").write_bytes(example.read_bytes())
    (folder / "memory.json").symlink_to("/proc/self/mem")
    (folder / "gone.json").symlink_to("nowhere")
    (folder / "round.json").symlink_to("round.json")
    report = json.loads(tmp_kim("scan", str(folder), "-o", "json", status=1).stdout)
    assert report["sources"][0]["files"] == [str(folder / "account.json")]
    assert report["status"]["identities"]["role"] == 78
    assert sorted(report["not_read"]) == [f"{folder}{'/d' * 64}: cannot be read: folders lie too deep in each other",
                                          f"{folder}/memory.json: cannot be read: Input/output error"]
    assert report["passed_over"] == 0
    assert "memory.json: cannot be read" in tmp_kim("scan", str(folder), "--", "identities", status=1).stderr


def test_a_folder_of_which_nothing_can_be_read_says_why(tmp_kim, tmp_path):
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/memory.json").symlink_to("/proc/self/mem")
    assert "memory.json: cannot be read: Input/output error" in tmp_kim("scan", str(tmp_path / "exports"), status=4).stderr
    assert "cannot be read: Input/output error" in tmp_kim("scan", "/proc/self/mem", status=5).stderr


@pytest.mark.parametrize("text", ['{"UserDetailList": [{"Arn"', '{"UserDetailList": 7}', '{"UserDetailList":' + "[" * 10000])
def test_a_damaged_export_is_named_and_leaves_nothing_behind(tmp_kim, tmp_path, text):
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    result = tmp_kim("scan", str(bad), status=None)
    assert result.returncode != 0
    assert str(bad) in result.stdout + result.stderr


def test_a_query_that_is_wrong_is_a_wrong_command_line_after_files_too(tmp_kim, example):
    assert "--limit is '0'" in tmp_kim("scan", str(example), "--", "identities", "--limit", "0", status=2).stderr


def test_what_nobody_knows_at_all_is_refused(tmp_kim):
    result = tmp_kim("scan", "/etc/passwd", status=4)
    assert "no provider knows what this is (installed: aws, " in result.stderr


def test_a_proposal_is_a_policy_and_nothing_else(tmp_kim, example, trail):
    details = json.loads(example.read_text())
    boss = next(u["Arn"] for u in details["UserDetailList"] if u["UserName"] == "obama")
    result = tmp_kim("scan", str(example), str(trail), "--", "propose", boss, status=None)
    if result.returncode == 0:
        assert json.loads(result.stdout)["Version"] == "2012-10-17"
        assert "replay" in result.stderr
    else:
        assert result.stdout == "" and "no log of" in result.stderr


# ---- a terminal ----


def on_a_terminal(argv, columns, env):
    """What a program shows on a terminal of that width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen([str(a) for a in argv], stdout=its, stderr=subprocess.PIPE,
                               env={**environment, "TERM": "xterm", "LC_ALL": "C.UTF-8", **env})
    os.close(its)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    process.stderr.read()
    assert process.wait(60) == 0
    return shown.decode().replace("\r\n", "\n")


def test_a_table_fits_its_terminal_and_has_colours_there_alone(installed, example):
    argv = [installed.kim, "scan", example, "--", "identities", "--kind", "role"]
    shown = on_a_terminal(argv, 120, {})
    assert "\033[" in shown
    lines = re.sub(r"\033\[[0-9;]*m", "", shown).splitlines()
    assert len(lines) == 79 and max(len(line) for line in lines) <= 120
    assert any("…" in line for line in lines)
    assert "\033[" not in on_a_terminal(argv, 120, {"NO_COLOR": "1"})


# ---- manual pages ----


@pytest.mark.parametrize("page", ["kim.1", "kim-evaluate.7", "kim-controller.8", "kim-agent.8"])
def test_manual_pages_are_installed_and_without_a_fault(installed, run, page):
    path = installed.prefix / "share/man" / f"man{page[-1]}" / page
    assert run(["groff", "-man", "-Tutf8", "-ww", "-z", path]).stderr == ""


def test_every_option_of_the_controller_is_in_its_page_with_its_default(installed, run):
    page = (installed.prefix / "share/man/man8/kim-controller.8").read_text().replace("\\-", "-")
    sample = run([installed.kim_controller, "--print-sample"]).stdout
    options = [line[1:].rstrip(";").split(" = ", 1) for line in sample.splitlines() if line.startswith("#") and " = " in line]
    assert len(options) >= 10
    for name, default in options:
        assert f"\n.B {name}\n" in page, name
        if name != "catalogues":
            part = page.split(f"\n.B {name}\n")[1].split("\n.TP")[0].split("\n.SH")[0]
            assert f"Default: {default.strip(chr(34))}." in part, name
    for option in ("--config", "--set", "--socket", "--check", "--print-sample", "--private", "--help", "--version"):
        assert option in page


def test_every_option_of_the_agent_is_in_its_page_with_its_default(installed, source_dir):
    page = (installed.prefix / "share/man/man8/kim-agent.8").read_text().replace("\\-", "-")
    sample = (source_dir / "etc/kim-agent.conf").read_text()
    top = re.findall(r'^(#?)(\w+) = ("[^"]*"|\()', sample, re.M)
    of_provider = re.findall(r"^#   (\w+) +\S.*?(?:\((\w+)\))?$", sample, re.M)
    assert {name for _, name, _ in top} >= {"controller", "controller_key", "state_dir", "providers"}
    assert {name for name, _ in of_provider} >= {"name", "plugin", "interval", "options", "http"}
    for name, default in [(n, d.strip('"') if c and d != "(" else "") for c, n, d in top] + of_provider:
        assert f"\n.B {name}\n" in page, name
        part = page.split(f"\n.B {name}\n")[1].split("\n.TP")[0]
        if default and name != "controller_enrol":
            assert f"Default: {default}." in part, name


# ---- a controller that runs ----


@pytest.fixture
def socket_of(start, installed, short_tmp):
    path = short_tmp / "s"
    start([installed.kim_controller, "--set", f"state_dir={short_tmp}/state", "--set", "listen=tcp://127.0.0.1:0",
           "--set", "listen_enrol=tcp://127.0.0.1:0", "--socket", path])
    return path


def test_an_agent_is_invited_listed_and_revoked(kim, socket_of, tmp_path):
    token_file = tmp_path / "token"
    at = ["--socket", str(socket_of)]
    assert kim(*at, "agents").stderr.startswith("there are no agents yet")
    added = kim(*at, "agent", "add", "web-17", "--scope", "aws:111122223333", "--token-file", str(token_file))
    token = token_file.read_text().strip()
    assert len(token) > 20 and token not in added.stdout + added.stderr
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"\S{20,}\n", kim(*at, "agent", "add", "piped", "--scope", "aws:1").stdout)
    kim(*at, "agent", "revoke", "piped")
    agent = next(a for a in json.loads(kim(*at, "agents", "-o", "json").stdout)["agents"] if a["name"] == "web-17")
    assert (agent["name"], agent["state"], agent["scopes"]) == ("web-17", "invited", ["aws:111122223333"])
    assert "web-17" in kim(*at, "agent", "show", "web-17").stdout
    assert kim(*at, "agent", "approve", "web-17", status=4).stderr != ""
    kim(*at, "agent", "revoke", "web-17")
    assert {a["state"] for a in json.loads(kim(*at, "agent", "list", "-o", "json").stdout)["agents"]} == {"revoked"}
    assert "there is no agent 'nobody'" in kim(*at, "agent", "show", "nobody", status=4).stderr


def test_a_token_file_that_is_there_is_not_written_over(kim, socket_of, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("precious")
    result = kim("--socket", str(socket_of), "agent", "add", "a", "--scope", "aws:1", "--token-file", str(kept), status=5)
    assert "name a file that is not there yet" in result.stderr
    assert kept.read_text() == "precious"
    assert json.loads(kim("--socket", str(socket_of), "agents", "-o", "json").stdout)["agents"] == []


def test_a_controller_without_an_estate_says_so(kim, socket_of):
    status = json.loads(kim("--socket", str(socket_of), "status", "-o", "json").stdout)
    assert status["records"]["identity"] == 0
    kim("--socket", str(socket_of), "status")


def test_records_cannot_be_put_into_a_controller_from_its_socket(socket_of, run):
    result = run(["curl", "-s", "--unix-socket", str(socket_of), "http://kim/v1/records", "-d", "x"])
    assert json.loads(result.stdout)["error"]["code"] == "unsupported"


# ---- a controller that breaks off ----


@pytest.fixture
def answering(kim, short_tmp):
    """answering({...}) is a kim whose controller gives that answer, whatever it is asked."""
    servers = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.answer)))
            self.end_headers()
            self.wfile.write(self.server.answer)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    def start(answer):
        path = short_tmp / f"s{len(servers)}"
        server = Server(str(path), Handler)
        server.answer = json.dumps(answer, separators=(",", ":")).encode()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return lambda *arguments, **how: kim("--socket", str(path), *arguments, **how)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


BROKEN = {"code": "io", "message": "disk gone"}
LISTS = [
    (["agents"], "agents", {"name": "web-17"}),
    (["agent", "show", "web-17"], "agents", {"name": "web-17"}),
    (["identities"], "identities", {"id": "ann"}),
    (["who-can", "a", "r"], "answers", {"identity": "ann"}),
    (["what-can", "ann"], "answers", {"action": "a"}),
    (["effective", "ann"], "grants", {"identity": "ann"}),
    (["gaps"], "gaps", {"identity": "ann"}),
    (["findings"], "findings", {"identity": "ann"}),
    (["propose", "ann"], "proposals", {"identity": "ann"}),
]


FORMS = [(*of, form) for of in LISTS for form in ("table", "json", "csv") if (of[0][0], form) != ("propose", "csv")]


@pytest.mark.parametrize("command, name, item, form", FORMS, ids=[f"{' '.join(command)} {form}" for command, *_, form in FORMS])
def test_a_list_that_broke_off_is_a_failure_in_every_form(answering, command, name, item, form):
    ask = answering({"a": [{"error": 1}], name: [item], "error": BROKEN})
    assert ask(*command, "-o", form, status=5).stderr == "kim: the list broke off: disk gone\n"


def test_an_error_within_an_item_breaks_nothing_off(answering):
    whole = {"a": {"error": BROKEN}, "answers": [{"identity": "ann", "error": BROKEN}], "b": 1}
    ask = answering(whole)
    assert json.loads(ask("who-can", "a", "r", "-o", "json").stdout) == whole
    assert "ann" in ask("who-can", "a", "r").stdout


def test_identities_that_end_in_a_failure_are_no_whole_document(answering, kim):
    """A program that reads on must not take the first pages for all of them, nor a refusal for an empty list."""
    assert kim("--socket", "/nonexistent/s", "identities", "-o", "json", status=3).stdout == ""
    ask = answering({"identities": [{"id": "ann"}], "error": BROKEN})
    with pytest.raises(json.JSONDecodeError):
        json.loads(ask("identities", "-o", "json", status=5).stdout)
    assert json.loads(answering({"identities": []})("identities", "-o", "json").stdout) == {"identities": []}
    two = {"identities": [{"id": "ann"}, {"id": "bob"}]}
    assert json.loads(answering(two)("identities", "-o", "json").stdout) == two


@pytest.mark.parametrize("replay", [{"new_access": True}, {}, None])
def test_a_proposal_that_would_give_access_is_not_printed(answering, replay):
    statement = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}
    proposal = {"identity": ANN, "provider": "aws", "replaces": [], "document": {"Version": "2012-10-17", "Statement": [statement]}}
    sound = {"used": 1, "still_allowed": 1, "new_access": False, "needless": 0}
    printed = answering({"proposals": [{**proposal, "replay": sound}]})("propose", "ann").stdout
    assert json.loads(printed)["Statement"] == [statement]
    ask = answering({"proposals": [{**proposal, "replay": {**sound, **replay} if replay else replay}]})
    for form in ("json", "terraform"):
        result = ask("propose", "ann", "--format", form, status=4)
        assert result.stdout == "" and "allows what is not allowed now" in result.stderr
