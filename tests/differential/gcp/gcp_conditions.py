# SPDX-License-Identifier: Apache-2.0
"""Conditions as trees: their text in CEL, and what they are worth, by a few lines that know no CEL.

A tree is a tuple: ("and", a, b), ("or", a, b), ("not", a), or an atom of ATOMS. Values are True, False and ERROR.
"""

from datetime import datetime

ERROR = "error"
ABSENT = object()  # an attribute that the request has not
UNHEARD_OF = object()  # one that conditions of this kind of policy do not know


class Error(Exception):
    """What an expression comes to where it can come to nothing."""


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def attribute(env, key):
    value = env.get(key)
    if value is ABSENT:
        raise Error(key)
    return value


def text_of(env, key):
    value = attribute(env, key)
    if not isinstance(value, str):
        raise Error(key)
    return value


def extract(text, pattern):
    """As Google's table has it: what lies between the first prefix and the first suffix behind it."""
    head, _, rest = pattern.partition("{")
    tail = rest.partition("}")[2]
    at = text.find(head)
    if at < 0:
        return ""
    text = text[at + len(head):]
    if not tail:
        return text
    end = text.find(tail)
    return "" if end < 0 else text[:end]


def tag(env, key):
    if "tags" not in env:
        raise Error("no tags here")
    return env["tags"].get(key)


def grants(env):
    """The roles that the request changes; the default of the expression where it changes none."""
    if env["grants"] is UNHEARD_OF:
        raise Error("grants")
    return [] if env["grants"] is ABSENT else env["grants"]


# name: (arguments to text, arguments and env to a boolean, the attribute that it asks for)
ATOMS = {
    "before": (lambda t: f"request.time < timestamp({quoted(t)})", lambda e, t: moment(text_of(e, "request.time")) < moment(t), "request.time"),
    "from": (lambda t: f"request.time >= timestamp({quoted(t)})", lambda e, t: moment(text_of(e, "request.time")) >= moment(t), "request.time"),
    "hours": (lambda a, b: f"request.time.getHours() >= {a} && request.time.getHours() < {b}",
              lambda e, a, b: a <= moment(text_of(e, "request.time")).hour < b, "request.time"),
    "name": (lambda s: f"resource.name.startsWith({quoted(s)})", lambda e, s: text_of(e, "resource.name").startswith(s), "resource.name"),
    "name_end": (lambda s: f"resource.name.endsWith({quoted(s)})", lambda e, s: text_of(e, "resource.name").endswith(s), "resource.name"),
    "extract": (lambda p, s: f"resource.name.extract({quoted(p)}) == {quoted(s)}", lambda e, p, s: extract(text_of(e, "resource.name"), p) == s, "resource.name"),
    "type": (lambda s: f"resource.type == {quoted(s)}", lambda e, s: text_of(e, "resource.type") == s, "resource.type"),
    "other_type": (lambda s: f"resource.type != {quoted(s)}", lambda e, s: text_of(e, "resource.type") != s, "resource.type"),
    "service": (lambda s: f"resource.service == {quoted(s)}", lambda e, s: text_of(e, "resource.service") == s, "resource.service"),
    "port": (lambda n: f"destination.port < {n}", lambda e, n: attribute(e, "destination.port") < n, "destination.port"),
    "host": (lambda s: f"request.host.endsWith({quoted(s)})", lambda e, s: text_of(e, "request.host").endswith(s), "request.host"),
    "level": (lambda s: f"{quoted(s)} in request.auth.access_levels", lambda e, s: s in attribute(e, "request.auth.access_levels"), "request.auth.access_levels"),
    "only": (lambda *roles: f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{', '.join(map(quoted, roles))}])",
             lambda e, *roles: all(r in roles for r in grants(e)), "grants"),
    "tag": (lambda k, v: f"resource.matchTag({quoted(k)}, {quoted(v)})", lambda e, k, v: tag(e, k) == v, None),
    "tag_id": (lambda k, v: f"resource.matchTagId({quoted(k)}, {quoted(v)})", lambda e, k, v: tag(e, k) == v, None),
    "has_tag": (lambda k: f"resource.hasTagKey({quoted(k)})", lambda e, k: tag(e, k) is not None, None),
    "has_tag_id": (lambda k: f"resource.hasTagKeyId({quoted(k)})", lambda e, k: tag(e, k) is not None, None),
    "kind": (lambda s: f"principal.type == {quoted(s)}", lambda e, s: text_of(e, "principal.type") == s, "principal.type"),
    "subject": (lambda s: f"principal.subject == {quoted(s)}", lambda e, s: text_of(e, "principal.subject") == s, "principal.subject"),
    "subject_end": (lambda s: f"principal.subject.endsWith({quoted(s)})", lambda e, s: text_of(e, "principal.subject").endswith(s), "principal.subject"),
    "true": (lambda: "true", lambda e: True, None),
    "wrong_type": (lambda: "resource.name < 5", lambda e: _fail(), "resource.name"),
    "bad_time": (lambda: 'request.time < timestamp("yesterday")', lambda e: _fail(), None),
    "no_boolean": (lambda: '"yes"', lambda e: _fail(), None),
    "no_expression": (lambda: "request.time <", lambda e: _fail(), None),
    "unheard_of": (lambda: "weather.is_fine", lambda e: _fail(), None),
}


def _fail():
    raise Error("cannot be evaluated")


def text(tree):
    if tree[0] in ("and", "or"):
        sign = " && " if tree[0] == "and" else " || "
        return "(" + text(tree[1]) + ")" + sign + "(" + text(tree[2]) + ")"
    if tree[0] == "not":
        return "!(" + text(tree[1]) + ")"
    return ATOMS[tree[0]][0](*tree[1:])


def worth(tree, env):
    """True, False or ERROR. env: attribute -> value or ABSENT; "tags" where the policy knows tags."""
    if tree[0] == "not":
        one = worth(tree[1], env)
        return ERROR if one == ERROR else not one
    if tree[0] in ("and", "or"):
        decides = tree[0] == "or"
        both = worth(tree[1], env), worth(tree[2], env)
        return decides if decides in [b for b in both if b != ERROR] else ERROR if ERROR in both else not decides
    try:
        return bool(ATOMS[tree[0]][1](env, *tree[1:]))
    except Error:
        return ERROR


def atoms(tree):
    if tree[0] in ("and", "or", "not"):
        return [a for part in tree[1:] for a in atoms(part)]
    return [tree]


def is_text(tree):
    """What cannot even be read makes the whole text unreadable."""
    return all(a[0] != "no_expression" for a in atoms(tree))
