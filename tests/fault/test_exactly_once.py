# SPDX-License-Identifier: Apache-2.0
"""Whoever is killed, whenever: afterwards the controller holds what an undisturbed run holds.

The real kim-controller and kim-agent, with a provider that reads a script: identities are its state, `usage`
lines its log, which only grows. A kill is SIGKILL, or the agent's own end at a named fault point
(agent/fault.h). Waiting here is for a state of the store, never for time to pass.
"""

import hashlib
import os
import random
import sqlite3
import time
from pathlib import Path

import pytest

PATIENCE_S = 120
FAULT_POINTS = (
    "collect_begin collect_records collect_end snapshot_map snapshot_file snapshot_rename spool_append spool_written "
    "spool_synced spool_rotate spool_ack ship_hello ship_begin ship_data ship_commit ship_ack ship_welcome state_acked"
).split()
CONTROLLER_FAULT_POINTS = (
    "intake_hello intake_begin intake_data intake_commit group_written group_committed group_answered estate_built"
).split()


class Script:
    """What the provider says. Identities come and go; the log grows; its last words are its coverage."""

    def __init__(self, path: Path, seed: int):
        self.path, self.random, self.log, self.step = path, random.Random(seed), [], 0
        self.owners = {f"pump-{i}": "ann" for i in range(40)}
        self.write()

    def grow(self):
        self.step += 1
        for name in self.random.sample(sorted(self.owners), 5):
            self.owners[name] = f"owner-{self.step}"
        del self.owners[self.random.choice(sorted(self.owners))]
        self.owners[f"new-{self.step}"] = "bob"
        for commit in range(8):
            for _ in range(self.random.randint(1, 30)):
                self.log.append(f"usage pump-{self.random.randint(0, 60)}-{'x' * self.random.randint(0, 40)}")
            self.log += [f"coverage step-{self.step}-{commit}", "commit"]
        self.write()

    def write(self):
        """The log comes first: its lines keep their numbers. Replaced whole, as a reader must see it."""
        lines = self.log + [f"identity {n} {o}" for n, o in sorted(self.owners.items())] + ["big 700"]
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("\n".join(lines) + "\n")
        temporary.rename(self.path)

    def usage_events(self) -> int:
        return sum(line.startswith("usage") for line in self.log)


class Plant:
    """A controller and an agent in folders of their own, on ports that stay theirs over restarts."""

    def __init__(self, folder, script, installed, start, run, ports):
        self.folder, self.installed, self.start_program, self.run = folder, installed, start, run
        self.data, self.enrol = (f"tcp://127.0.0.1:{p}" for p in ports)
        self.socket = folder / "api.sock"
        self.controller = self.agent = None
        self.start_controller()
        key = (folder / "controller" / "controller.pub").read_text().strip()
        plugin = Path(os.environ["KIM_BUILD_DIR"]) / ".libs" / "plugin_test.so"
        if not plugin.exists():
            pytest.skip(f"needs {plugin}, which `make check` builds")
        self.config = folder / "agent.conf"
        self.config.write_text(
            f'controller = "{self.data}"; controller_enrol = "{self.enrol}"; controller_key = "{key}";\n'
            f'state_dir = "{folder}/agent"; heartbeat = "2s"; spool_segment_bytes = "4K";\n'
            f'providers = ( {{ name = "line"; plugin = "{plugin}"; interval = "150ms"; usage_interval = "100ms";\n'
            f'  options = {{ script = "{script.path}"; }}; }} );\n'
        )
        token = run([installed.kim, "-s", self.socket, "agent", "add", "web", "--scope", "ot:test", "-o", "json"]).stdout
        run([installed.kim_agent, "enrol", "--config", self.config, "--token-file", "-"], input=self.token(token))

    @staticmethod
    def token(text):
        import json

        return json.loads(text)["token"]

    def start_controller(self, fault=None):
        self.controller = self.start_program(
            [
                self.installed.kim_controller, "--set", f"state_dir={self.folder}/controller",
                "--set", f"listen={self.data}", "--set", f"listen_enrol={self.enrol}", "--set", "spread=100ms",
                "--socket", self.socket,
            ],
            ready=None if fault else "ready",
            env={"KIM_FAULT": fault} if fault else {},
        )
        return self.controller

    def start_agent(self, fault=None):
        self.agent = self.start_program(
            [self.installed.kim_agent, "--config", self.config],
            ready=None,  # at a fault point it may end before
            env={"KIM_FAULT": fault} if fault else {},
        )
        return self.agent

    def held(self):
        """(records, usage events, hash over both), as the store has them now."""
        store = sqlite3.connect(f"file:{self.folder}/controller/store?mode=ro", uri=True, timeout=30)
        try:
            store.execute("begin")
            text = dict(store.execute("select id, value from text"))
            records = sorted(store.execute("select type, key, bytes from record where bytes is not null"))
            rows = store.execute("select day, scope, identity, action, resource, via, count, first_ms, last_ms from usage")
            usage = sorted((r[0], *(text.get(c, str(c)) for c in r[1:6]), *r[6:]) for r in rows)
        finally:
            store.close()
        return len(records), sum(r[6] for r in usage), hashlib.sha256(repr((records, usage)).encode()).hexdigest()

    def wait_until(self, holds, what):
        end = time.monotonic() + PATIENCE_S
        while not holds(self.held()):
            assert self.agent.process.poll() is None, f"the agent ended\n{self.agent.output()}"
            assert time.monotonic() < end, f"{what}: held {self.held()}\n{self.agent.output()[-6000:]}"
            time.sleep(0.05)


def settle(plant, script):
    """Waits until all that the script says has arrived."""
    records = len(script.owners) + 700 + bool(script.log)  # and its coverage
    plant.wait_until(lambda h: h[0] == records and h[1] >= script.usage_events(), "all that was said")
    return plant.held()[2]


@pytest.fixture
def make_plant(short_tmp, installed, start, run, free_port):
    count = iter(range(100))

    def make(script):
        folder = short_tmp / f"p{next(count)}"
        folder.mkdir()
        return Plant(folder, script, installed, start, run, (free_port(), free_port()))

    return make


def undisturbed(make_plant, script):
    plant = make_plant(script)
    plant.start_agent()
    expected = settle(plant, script)
    assert plant.agent.stop() == 0
    return expected


def assert_as_undisturbed(plant, make_plant, script):
    expected = undisturbed(make_plant, script)
    plant.wait_until(lambda h: h[2] == expected, f"what an undisturbed run holds ({expected})")
    events = plant.held()[1]
    assert events == script.usage_events()


@pytest.mark.parametrize("seed", [1])
def test_killed_at_seeded_instants_on_either_side(make_plant, tmp_path, seed):
    script, chance = Script(tmp_path / "script", seed), random.Random(seed)
    plant = make_plant(script)
    plant.start_agent()
    for kill in range(24):
        script.grow()
        time.sleep(chance.random() * 0.6)  # the instant is what varies, not what is waited for
        if kill % 2:
            plant.controller.kill()
            time.sleep(chance.random() * 0.2)
            plant.start_controller()
        else:
            plant.agent.kill()
            plant.start_agent()
    settle(plant, script)
    assert_as_undisturbed(plant, make_plant, script)


def test_killed_at_every_named_fault_point(make_plant, tmp_path):
    script = Script(tmp_path / "script", 7)
    plant = make_plant(script)
    for n, point in enumerate(FAULT_POINTS):
        script.grow()
        agent = plant.start_agent(f"{point}:{1 + n % 2 if point not in ('ship_hello', 'ship_welcome') else 1}")
        for _ in range(10000):
            if agent.process.poll() is not None:
                break
            time.sleep(0.2)
            script.grow()
            assert script.step < 400, f"{point} is never passed\n{agent.output()[-3000:]}"
        assert agent.wait() == 137, f"{point}: {agent.output()[-3000:]}"
    plant.start_agent()
    settle(plant, script)
    assert_as_undisturbed(plant, make_plant, script)


def test_the_controller_ends_at_every_named_fault_point(make_plant, tmp_path):
    script = Script(tmp_path / "script", 19)
    plant = make_plant(script)
    plant.start_agent()
    for point in CONTROLLER_FAULT_POINTS:
        plant.controller.kill()
        controller = plant.start_controller(f"{point}:1")
        for _ in range(10000):
            if controller.process.poll() is not None:
                break
            time.sleep(0.2)
            script.grow()
            assert script.step < 400, f"{point} is never passed\n{controller.output()[-3000:]}"
        assert controller.wait() == 137, f"{point}: {controller.output()[-3000:]}"
        plant.start_controller()
    settle(plant, script)
    assert_as_undisturbed(plant, make_plant, script)


def test_a_spool_that_is_lost_loses_and_doubles_nothing(make_plant, tmp_path):
    script = Script(tmp_path / "script", 11)
    plant = make_plant(script)
    plant.start_agent()
    script.grow()
    settle(plant, script)
    assert plant.agent.stop() == 0
    plant.run(["rm", "-r", plant.folder / "agent" / "spool"])
    script.grow()
    plant.start_agent()
    settle(plant, script)
    assert_as_undisturbed(plant, make_plant, script)


def test_damage_in_the_spool_loses_and_doubles_nothing(make_plant, tmp_path):
    script, chance = Script(tmp_path / "script", 13), random.Random(13)
    plant = make_plant(script)
    plant.start_agent()
    settle(plant, script)
    for _ in range(4):
        plant.controller.kill()
        script.grow()
        plant.agent.wait_for(lambda line: "event=collected" in line)
        script.grow()
        plant.agent.wait_for(lambda line: "event=collected" in line)
        plant.agent.kill()
        for path in sorted((plant.folder / "agent" / "spool").rglob("*")):
            if path.is_file() and path.suffix in (".seg", ".map", ".snap") and chance.random() < 0.5:
                bytes_ = bytearray(path.read_bytes())
                bytes_[chance.randrange(len(bytes_))] ^= 1 << chance.randrange(8)
                path.write_bytes(bytes_)
        plant.start_controller()
        plant.start_agent()
        settle(plant, script)
    assert_as_undisturbed(plant, make_plant, script)


def test_a_controller_restored_from_a_backup_is_filled_up_again(make_plant, tmp_path):
    script = Script(tmp_path / "script", 17)
    plant = make_plant(script)
    plant.start_agent()
    script.grow()
    settle(plant, script)
    plant.controller.stop()
    plant.run(["cp", "-r", plant.folder / "controller", plant.folder / "backup"])
    plant.start_controller()
    script.grow()
    settle(plant, script)
    plant.controller.stop()
    plant.run(["rm", "-r", plant.folder / "controller"])
    plant.run(["mv", plant.folder / "backup", plant.folder / "controller"])
    plant.start_controller()
    script.grow()
    settle(plant, script)
    assert_as_undisturbed(plant, make_plant, script)
