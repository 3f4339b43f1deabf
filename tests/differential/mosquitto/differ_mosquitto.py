# SPDX-License-Identifier: Apache-2.0
"""A live Mosquitto with its dynamic security, and kim on what that says as neutral cases.

    python3 differ_mosquitto.py --kim PREFIX/bin/kim [--seed N] [--count N]

Random clients, groups, roles and ACLs go into one broker, on loopback and a free port. Then each client really publishes
and subscribes, in MQTT 5, whose reason codes say whether it may. Each such verdict must be kim's too. The mapping is what
a provider does: a role, as a group, is an identity that its holders are members of; orders are ranks, for the broker takes
the highest priority first. Where the broker is not followed, EXPLAINED says why, with its page.
"""

import argparse
import base64
import collections
import hashlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from asking import Pair  # noqa: E402

PAGE = "https://mosquitto.org/documentation/dynamic-security/"
PLUGINS = "/usr/lib/*/mosquitto_dynamic_security.so"
CLIENTS = 40  # in one broker
LEVELS = ("plant", "4", "cmd", "x")
TOPICS = ("plant", "plant/4", "plant/4/cmd", "plant/x/cmd", "/plant", "plant/4/cmd/x", "x", "x/4", "plant//cmd", "$own/up", "$own")
FILTERS = TOPICS + ("#", "+", "plant/#", "plant/+/cmd", "plant/4/#", "+/4", "+/4/#", "plant/+", "+/+/cmd", "x/#", "+/#", "$own/#")
ENOUGH = {"publish": 0.10, "subscribe": 0.10}  # allowed and denied, shares of all

# Where the broker is not followed: a word, and what of the request and the ACLs tells.
EXPLAINED = {
    # sub_acl_check compares filter with filter, so that a leading wildcard of a subscribePattern covers a filter that begins with
    # '$'. MQTT 5.0, 4.7.2 keeps such topics apart; a provider writes "#" as a statement without resources (as done here) and has no
    # words for "+/..." over them: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html#_Toc3901246
    "a pattern +/... over a $-filter": lambda action, topic, acls: action == "subscribe" and topic.startswith("$") and
        any(a["acltype"] == "subscribePattern" and a["topic"].startswith("+") for a in acls),
}


# ---- a world of clients ----

def acl(rng):
    kind = rng.choice(("publishClientSend", "publishClientSend", "subscribePattern", "subscribePattern", "subscribeLiteral"))
    topic = rng.choice(TOPICS if kind == "subscribeLiteral" else FILTERS)
    return {"acltype": kind, "topic": topic, "priority": rng.choice((-1, 0, 5, 5, 10)), "allow": rng.random() < 0.5}


def role(rng, name):
    acls, seen = [], set()
    for one in (acl(rng) for _ in range(rng.randint(1, 5))):
        if (one["acltype"], one["topic"]) not in seen:
            acls.append(one)
        seen.add((one["acltype"], one["topic"]))
    return {"rolename": name, "acls": acls}


def make(rng):
    default = {kind: rng.random() < 0.35 for kind in ("publishClientSend", "subscribe")}
    roles = {f"r{i}": role(rng, f"r{i}") for i in range(30)}
    groups = {f"g{i}": {"groupname": f"g{i}", "roles": some_roles(rng, roles)} for i in range(12)}
    clients = {}
    for i in range(CLIENTS):
        clients[f"c{i}"] = {"username": f"c{i}", "roles": some_roles(rng, roles, 2),
                            "groups": [{"groupname": g, "priority": rng.choice((-1, 0, 1, 2, 7))} for g in rng.sample(sorted(groups), rng.randint(0, 3))]}
    return default, roles, groups, clients


def some_roles(rng, roles, most=3):
    return [{"rolename": r, "priority": rng.choice((-1, 0, 1, 2, 7))} for r in rng.sample(sorted(roles), rng.randint(0, most))]


def configuration(default, roles, groups, clients):
    salt = b"0123456789ab"
    secret = base64.b64encode(hashlib.pbkdf2_hmac("sha512", b"pw", salt, 101)).decode()
    return {"defaultACLAccess": {"publishClientSend": default["publishClientSend"], "publishClientReceive": True, "subscribe": default["subscribe"], "unsubscribe": True},
            "clients": [{"username": c["username"], "roles": c["roles"], "password": secret, "salt": base64.b64encode(salt).decode(), "iterations": 101} for c in clients.values()],
            "groups": [{**g, "clients": [{"username": c["username"], "priority": held["priority"]} for c in clients.values() for held in c["groups"]
                                         if held["groupname"] == g["groupname"]]} for g in groups.values()], "roles": list(roles.values())}


# ---- the same in neutral words ----

def ranked(items, name):
    """Highest priority first, then by name, as rolelist_cmp and its like sort."""
    return enumerate(sorted(items, key=lambda i: (-i["priority"], i[name])))


def statements(one):
    for i, a in enumerate(one["acls"]):
        literal = a["acltype"] == "subscribeLiteral"
        s = {"id": f"{one['rolename']}/{i}", "effect": "allow" if a["allow"] else "deny", "subjects": ["role:" + one["rolename"]],
             "actions": ["publish" if a["acltype"] == "publishClientSend" else "subscribe"], "order": [0 if literal else 1, -a["priority"]]}
        if not (a["acltype"] == "subscribePattern" and a["topic"] == "#"):
            s["resources"] = [a["topic"]]
        yield s


def case(number, client, action, topic, world):
    default, roles, groups, _ = world
    edges, used = [], set()

    def holds(who, held, first):
        for rank, r in ranked(held, "rolename"):
            edges.append({"from": who, "type": "member_of", "to": "role:" + r["rolename"], "order": first + rank})
            used.add(r["rolename"])

    holds(client["username"], client["roles"], 0)
    for rank, g in ranked(client["groups"], "groupname"):
        edges.append({"from": client["username"], "type": "member_of", "to": "group:" + g["groupname"], "order": 100 + rank})
        holds("group:" + g["groupname"], groups[g["groupname"]]["roles"], 0)
    profile = {"combining": "first-match", "wildcard": "mqtt",
               "default_by_action": {"publish": "allow" if default["publishClientSend"] else "deny", "subscribe": "allow" if default["subscribe"] else "deny"}}
    return {"id": number, "provider": "neutral", "profile": profile, "request": {"identity": client["username"], "action": action, "resource": topic},
            "statements": [s for r in sorted(used) for s in statements(roles[r])], "edges": [dict(t) for t in dict.fromkeys(tuple(e.items()) for e in edges)]}


# ---- MQTT 5, as much as is asked here ----

def text(value):
    encoded = value.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def packet(kind, body):
    size, length = b"", len(body)
    while True:
        size += bytes([length % 128 | (128 if length > 127 else 0)])
        length //= 128
        if not length:
            return bytes([kind]) + size + body


class Client:
    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.send(packet(0x10, text("MQTT") + b"\x05\xc2\x00\x00\x00" + text(name) + text(name) + text("pw")))
        kind, body = self.receive()
        assert kind == 0x20 and body[1] == 0, f"{name} cannot connect: {body!r}"

    def send(self, what):
        self.socket.sendall(what)

    def receive(self):
        kind, size, shift = self.file.read(1)[0], 0, 0
        while True:
            byte = self.file.read(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, self.file.read(size)

    def answer(self, kind):
        while True:
            got, body = self.receive()
            if got & 0xF0 == kind:
                return body

    def publish(self, topic):
        """QoS 1: PUBACK's reason, which is left out where it is success."""
        self.send(packet(0x32, text(topic) + b"\x00\x01\x00" + b"x"))
        body = self.answer(0x40)
        return body[2] if len(body) > 2 else 0

    def subscribe(self, topic):
        self.send(packet(0x82, b"\x00\x02\x00" + text(topic) + b"\x20"))  # retained messages are not sent, nor kept
        return self.answer(0x90)[-1]

    def close(self):
        self.send(packet(0xE0, b""))
        self.socket.close()


class Broker:
    def __init__(self, world):
        self.folder = tempfile.TemporaryDirectory(prefix="kim-mosquitto-")
        folder = Path(self.folder.name)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        (folder / "dynsec.json").write_text(json.dumps(configuration(*world)))
        (folder / "mosquitto.conf").write_text(
            f"per_listener_settings false\nlistener {self.port} 127.0.0.1\nallow_anonymous false\nuser root\nplugin {next(Path('/').glob(PLUGINS[1:]))}\n"
            f"plugin_opt_config_file {folder}/dynsec.json\nlog_dest none\n")
        self.process = subprocess.Popen(["mosquitto", "-c", folder / "mosquitto.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, "mosquitto ended"
                time.sleep(0.05)
        raise AssertionError("mosquitto does not listen")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.folder.cleanup()


# ---- the run ----

def ask_broker(rng, world, count):
    """count of (client, action, topic, allowed)."""
    broker = Broker(world)
    try:
        for client in world[3].values():
            live = Client(broker.port, client["username"])
            for _ in range(count // CLIENTS + 1):
                action = rng.choice(("publish", "subscribe"))
                topic = rng.choice(TOPICS if action == "publish" else FILTERS)
                code = getattr(live, action)(topic)
                assert code in (0, 1, 0x10, 0x87), f"reason code {code:#x} for {action} {topic}"
                yield client, action, topic, code != 0x87
            live.close()
    finally:
        broker.stop()


def acls_of(client, world):
    _, roles, groups, _ = world
    held = client["roles"] + [r for g in client["groups"] for r in groups[g["groupname"]]["roles"]]
    return [a for r in held for a in roles[r["rolename"]]["acls"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    options = parser.parse_args()
    rng, asked = random.Random(options.seed), []
    while len(asked) < options.count:
        world = make(rng)
        asked += [(case(len(asked) + i, c, action, topic, world), allowed, acls_of(c, world))
                  for i, (c, action, topic, allowed) in enumerate(ask_broker(rng, world, min(400, options.count - len(asked))))]
    tally, helped, wrong = collections.Counter(), collections.Counter(), []
    for (one, allowed, acls), given in zip(asked, Pair({"kim": [options.kim, "evaluate", "-"]}).ask([a[0] for a in asked], ("kim",))):
        action, topic = one["request"]["action"], one["request"]["resource"]
        tally[action, allowed] += 1
        if given["kim"].get("decision") == ("allowed" if allowed else "denied"):
            continue
        why = next((name for name, tells in EXPLAINED.items() if tells(action, topic, acls)), None)
        helped[why] += why is not None
        if why is None:
            wrong.append((one, allowed, given["kim"]))
    print(f"{len(asked)} requests of a live broker: " + ", ".join(f"{a} {'allowed' if ok else 'denied'} {100 * n / len(asked):.1f} %" for (a, ok), n in sorted(tally.items())))
    print("explained: " + (", ".join(f"{n} {w}" for w, n in helped.items() if w) or "none"))
    for one, allowed, kim in sorted(wrong, key=lambda w: len(json.dumps(w[0])))[:4]:
        print(f"\nthe broker {'allows' if allowed else 'denies'}: {json.dumps(one)}\n  kim: {json.dumps(kim)}")
    short = [f"{a} {'allowed' if ok else 'denied'}" for a in ENOUGH for ok in (True, False) if tally[a, ok] < ENOUGH[a] * len(asked)]
    for s in short:
        print(f"not enough: {s}")
    print(f"{len(wrong)} disagreements are not explained ({PAGE})")
    return 1 if wrong or short else 0


if __name__ == "__main__":
    sys.exit(main())
