# SPDX-License-Identifier: Apache-2.0
"""./quickstart, in a copy of the tree and with the programs as installed: it shows what it promises and ends all of it."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

ROLE = "arn:aws:iam::444455556666:role/ci/ci-deploy"
SECTIONS = ["kim status", "kim findings --limit 12", "kim gaps --limit 8", f"kim propose {ROLE}", "try next"]


@pytest.fixture
def tree(installed, source_dir, short_tmp, run):
    """A copy of what ./quickstart reads, and how to run it; all is ended with the test."""
    shutil.copy(source_dir / "quickstart", short_tmp)
    shutil.copytree(source_dir / "etc" / "sample", short_tmp / "etc" / "sample", ignore=shutil.ignore_patterns("__pycache__"))
    yield short_tmp
    run([short_tmp / "quickstart", "--down"], cwd=short_tmp, status=None)


def settings(installed, **more):
    return {"KIM_QUICKSTART_PREFIX": str(installed.prefix), "KIM_QUICKSTART_EVENTS": "2000", **more}


def processes():
    """What runs: process id -> (its parent's, its environment)."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found[int(entry.name)] = (parent, (entry / "environ").read_bytes().split(b"\0"))
        except OSError:
            pass  # it ended, or is another user's
    return found


def processes_of(tree):
    """The process ids of what was started below: the socket's path is in their environment, or their parent's."""
    mark, all_of_them = f"KIM_SOCKET={tree}/.kim/quickstart/controller/api.sock".encode(), processes()
    ours = {pid for pid, (_, environment) in all_of_them.items() if mark in environment}
    return ours | {pid for pid, (parent, _) in all_of_them.items() if parent in ours}


def assert_ended(tree, before):
    assert processes_of(tree) == set()
    assert before & set(processes()) == set()  # nor one that lost its parent


def sections_of(text):
    parts = text.split("\n== ")
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts[1:]}


def test_it_shows_what_was_found_and_a_policy_and_down_ends_everything(installed, tree, run):
    done = run([tree / "quickstart"], cwd=tree, env=settings(installed), patience_s=300)
    shown = sections_of(done.stdout)
    assert list(shown) == SECTIONS
    assert "administrator" in shown["kim findings --limit 12"] and ROLE in shown["kim findings --limit 12"]
    assert ROLE in shown["kim gaps --limit 8"]
    policy, _ = json.JSONDecoder().raw_decode(shown[f"kim propose {ROLE}"].strip())
    assert policy["Version"] == "2012-10-17" and "s3:PutObject" in json.dumps(policy)
    assert "nothing new is" in done.stderr  # what is said about the policy goes there

    running = processes_of(tree)
    assert len(running) >= 2  # the controller and the agent go on
    (line,) = (line for line in shown["try next"].splitlines() if "export KIM_SOCKET=" in line)
    environment = dict(word.split("=", 1) for word in line.split()[1:])
    again = run([installed.kim, "propose", ROLE], env={"KIM_SOCKET": environment["KIM_SOCKET"]})
    assert json.loads(again.stdout) == policy

    run([tree / "quickstart", "--down"], cwd=tree)
    assert_ended(tree, running)
    assert list((tree / ".kim" / "quickstart").iterdir()) == []


def test_once_more_takes_the_place_of_what_runs(installed, tree, run, start):
    program = start([tree / "quickstart"], ready="quickstart: waiting until", cwd=tree, env=settings(installed))
    before = processes_of(tree) - {program.pid}
    assert len(before) >= 2
    os.kill(program.pid, signal.SIGKILL)  # the script alone: it can end nothing
    run([tree / "quickstart"], cwd=tree, env=settings(installed), patience_s=300)
    assert len(processes_of(tree)) >= 2
    assert not before & set(processes())


def test_ended_half_way_it_leaves_nothing_behind(installed, tree, start):
    program = start([tree / "quickstart"], ready="quickstart: waiting until", cwd=tree, env=settings(installed))
    before = processes_of(tree)
    assert len(before) >= 2
    program.signal(signal.SIGTERM)
    assert program.wait() == 128 + signal.SIGTERM
    assert_ended(tree, before)


def test_a_step_that_fails_leaves_nothing_behind(installed, tree, run, tmp_path):
    broken = tmp_path / "prefix"
    (broken / "bin").mkdir(parents=True)
    for name in ("kim", "kim-controller"):
        os.symlink(installed.prefix / "bin" / name, broken / "bin" / name)
    (broken / "bin" / "kim-agent").write_text("#!/bin/sh\necho no agent today >&2\nexit 1\n")
    (broken / "bin" / "kim-agent").chmod(0o755)
    done = run([tree / "quickstart"], cwd=tree, env=settings(installed, KIM_QUICKSTART_PREFIX=str(broken)), status=1)
    assert "no agent today" in done.stderr and "the agent could not enrol" in done.stderr
    assert_ended(tree, set())


def test_a_prefix_without_kim_is_named(installed, tree, run):
    done = run([tree / "quickstart"], cwd=tree, env=settings(installed, KIM_QUICKSTART_PREFIX="/nowhere"), status=1)
    assert "KIM_QUICKSTART_PREFIX is /nowhere" in done.stderr
