# SPDX-License-Identifier: Apache-2.0
"""Random small cases of Azure RBAC: few names, so that they meet; every construct that naive_azure.py reads."""

import random

USERS = ["11111111-aaaa-4aaa-8aaa-00000000000" + d for d in "123"]
GROUPS = ["22222222-bbbb-4bbb-8bbb-00000000000" + d for d in "1234"]
ROLES = ["33333333-cccc-4ccc-8ccc-00000000000" + d for d in "12345"]
SUBSCRIPTIONS = ["44444444-dddd-4ddd-8ddd-000000000001", "44444444-dddd-4ddd-8ddd-000000000002"]
MANAGEMENT_GROUPS = ["mg-root", "mg-a", "mg-ab", "mg-b"]
ACTIONS = ["Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/start/action", "Microsoft.Compute/disks/delete",
           "Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/listKeys/action", "Microsoft.Authorization/roleAssignments/write",
           "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"]
PATTERNS = ACTIONS + ["*", "*/read", "*/write", "Microsoft.Compute/*", "Microsoft.Compute/*/action", "Microsoft.Storage/*", "*/action", "Microsoft.*/disks/*",
                      "Microsoft.Authorization/*/Write", "microsoft.storage/storageaccounts/blobservices/containers/blobs/*", "Microsoft.Comp*read"]
ATTRIBUTES = ["@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]", "@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix]",
              "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags:Project<$key_case_sensitive$>]",
              "@Principal[Microsoft.Directory/CustomSecurityAttributes/Id:Engineering_Project]", "@Environment[isPrivateLink]", "@Environment[UtcNow]",
              "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]", "@Resource[sizes:count]", "@Request[subOperation]"]
STRINGS = ["Baker", "baker", "Cascade", "logs/2024", "a*c", "Blob.List"]
TIMES = ["2024-01-01T00:00:00Z", "2024-06-01T12:00:00.1234567Z", "2024-06-01T14:00:00.1234567+02:00", "2025-01-01T00:00:00.0Z"]


def mixed(rng, text):
    return rng.choice([text, text, text.upper(), text.lower(), text.swapcase()])


def scope(rng, resource=True):
    subscription = rng.choice(SUBSCRIPTIONS)
    kinds = ["/", "/providers/Microsoft.Management/managementGroups/" + rng.choice(MANAGEMENT_GROUPS), f"/subscriptions/{subscription}",
             f"/subscriptions/{subscription}/resourceGroups/{rng.choice(['rg-a', 'rg-ab'])}"]
    if resource:
        vm = f"/subscriptions/{subscription}/resourceGroups/{rng.choice(['rg-a', 'rg-ab'])}/providers/Microsoft.Compute/virtualMachines/{rng.choice(['vm', 'vm1'])}"
        kinds += [vm, vm + "/extensions/e"]
    text = rng.choice(kinds)
    text = mixed(rng, text) if rng.random() < 0.3 else text
    return text + "/" if rng.random() < 0.1 and text != "/" else text


def at_or_above(rng, asked):
    """A scope that has a fair chance to cover the one that is asked about."""
    if rng.random() < 0.3:
        return scope(rng)
    parts = [p for p in asked.split("/") if p]
    cuts = [0, 2, 4, len(parts)] if parts[:1] and parts[0].lower() == "subscriptions" else [0, len(parts)]
    text = "/" + "/".join(parts[: rng.choice(cuts)])
    return rng.choice([text, text, mixed(rng, text), "/providers/Microsoft.Management/managementGroups/" + rng.choice(MANAGEMENT_GROUPS)])


def somebody(rng, asked):
    return mixed(rng, asked if rng.random() < 0.4 else rng.choice(USERS[:2] + GROUPS))


def literal(rng, kind):
    return {"string": lambda: "'" + rng.choice(STRINGS) + "'", "number": lambda: str(rng.randint(-2, 12)), "time": lambda: "'" + rng.choice(TIMES) + "'",
            "bool": lambda: rng.choice(["true", "false"]), "guid": lambda: rng.choice([mixed(rng, r) for r in ROLES] + ["'" + ROLES[0] + "'", ROLES[1].replace("-", "")])}[kind]()


def kind_of(attribute):
    return {"@Environment[isPrivateLink]": "bool", "@Environment[UtcNow]": "time", "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]": "guid",
            "@Resource[sizes:count]": "number"}.get(attribute, "string")


def comparison(rng):
    attribute = rng.choice(rng.attributes)
    kind = kind_of(attribute)
    names = {"string": ["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringStartsWith", "StringNotStartsWithIgnoreCase",
                        "StringLike", "StringNotLike", "StringLikeIgnoreCase"],
             "number": ["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"], "bool": ["BoolEquals", "BoolNotEquals"],
             "time": ["DateTimeEquals", "DateTimeNotEquals", "DateTimeLessThan", "DateTimeLessThanEquals", "DateTimeGreaterThan"], "guid": ["GuidEquals", "GuidNotEquals"]}[kind]
    name = rng.choice(names)
    written = mixed(rng, attribute) if rng.random() < 0.2 and "sensitive" not in attribute else attribute
    draw = rng.random()
    if draw < 0.08:
        return rng.choice(["Exists ", "NotExists ", "NOT Exists "]) + written
    if draw < 0.18 and kind == "string":
        return f"{written} {name} {rng.choice([a for a in rng.attributes if kind_of(a) == 'string'])}"
    if draw < 0.5:
        quantifier = rng.choice(["ForAnyOfAnyValues:", "ForAllOfAnyValues:", "ForAnyOfAllValues:", "ForAllOfAllValues:"])
        return f"{written} {quantifier}{name} {{{', '.join(literal(rng, kind) for _ in range(rng.randint(1, 3)))}}}"
    return f"{written} {name} {literal(rng, kind)}"


def expression(rng, depth):
    draw = rng.random()
    if depth == 0 or draw < 0.4:
        return comparison(rng)
    if draw < 0.55:
        return rng.choice(["!", "NOT "]) + "(" + expression(rng, depth - 1) + ")"
    word = rng.choice([" AND ", " && ", " OR ", " || "])
    return "(" + word.join(expression(rng, depth - 1) for _ in range(rng.randint(2, 3))) + ")"


def condition(rng):
    if rng.random() < 0.5:
        target = rng.choice([p for p in PATTERNS if "/" in p])
        sub = rng.choice(["", "", "", " AND NOT SubOperationMatches{'Blob.List'}", " AND SubOperationMatches{'Blob.List'}"])
        return f"((!(ActionMatches{{'{target}'}}{sub})) OR ({expression(rng, 1)}))"
    return expression(rng, 2)


def permission(rng):
    def some(most, wide):
        patterns = rng.sample(PATTERNS, rng.randint(0, most)) + (["*"] if wide and rng.random() < 0.35 else [])
        return [mixed(rng, p) if rng.random() < 0.2 else p for p in patterns]
    one = {"actions": some(3, True), "notActions": some(2, False) if rng.random() < 0.4 else [],
           "dataActions": some(3, True), "notDataActions": some(1, False) if rng.random() < 0.3 else []}
    for name in list(one):
        if not one[name] and rng.random() < 0.3:
            one.pop(name) if rng.random() < 0.7 else one.update({name: None})
    if rng.random() < 0.12:
        one.update(condition=condition(rng), conditionVersion="2.0")
    return one


def wrapped(rng, document, outer):
    """REST wraps in "properties", az does not."""
    return {**outer, "properties": document} if rng.random() < 0.6 else {**outer, **document}


def role(rng, name):
    return wrapped(rng, {"roleName": "role " + name[-1], "permissions": [permission(rng) for _ in range(rng.choice([0, 1, 1, 1, 2]))]},
                   {"id": rng.choice(["", f"/subscriptions/{SUBSCRIPTIONS[0]}"]) + "/providers/Microsoft.Authorization/roleDefinitions/" + mixed(rng, name), "name": name})


def assignment(rng, scheduled, asked):
    one = {"principalId": somebody(rng, asked["principal"]), "scope": at_or_above(rng, asked["scope"]),
           "roleDefinitionId": rng.choice(["", f"/subscriptions/{SUBSCRIPTIONS[1]}"]) + "/providers/Microsoft.Authorization/roleDefinitions/" + mixed(rng, rng.choice(ROLES[:4] + ROLES[:4] + ROLES)),
           "principalType": rng.choice(["User", "Group", "ServicePrincipal", "Unknown"] if rng.random() < 0.2 else ["User"])}
    if rng.random() < (0.9 if len(rng.attributes) == 2 else 0.35):
        one.update(condition=condition(rng), conditionVersion=rng.choice(["2.0", "2.0", None]))
    if scheduled and rng.random() < (0.1 if len(rng.attributes) == 2 else 0.3):
        one["startDateTime"], one["endDateTime"] = rng.choice([(TIMES[0], TIMES[3]), (TIMES[1], None), ("2020-01-01T00:00:00Z", TIMES[0]), (None, TIMES[1])])
    return one


def deny(rng, asked):
    def principals(most):
        return [{"id": somebody(rng, asked["principal"]), "type": "User"} for _ in range(rng.randint(0, most))]
    one = {"denyAssignmentName": "deny", "scope": at_or_above(rng, asked["scope"]), "permissions": [permission(rng) for _ in range(rng.randint(1, 2))],
           "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}] if rng.random() < 0.4 else principals(2),
           "excludePrincipals": principals(2) if rng.random() < 0.4 else []}
    if rng.random() < 0.3:
        one["doNotApplyToChildScopes"] = rng.random() < 0.7
    if rng.random() < 0.2:
        one["denyAssignmentEffect"] = rng.choice(["audit", "enforced", "Audit"])
    if rng.random() < 0.25:
        one.update(condition=condition(rng), conditionVersion="2.0")
    return one


def context(rng):
    out = {}
    for attribute in rng.attributes:
        if rng.random() < 0.35:
            continue
        value = {"string": lambda: rng.choice(STRINGS), "number": lambda: rng.randint(-2, 12), "bool": lambda: rng.random() < 0.5, "time": lambda: rng.choice(TIMES),
                 "guid": lambda: mixed(rng, rng.choice(ROLES))}[kind_of(attribute)]
        many = rng.random() < 0.2 and attribute != "@Environment[UtcNow]"
        out[attribute] = [value() for _ in range(rng.randint(0, 3))] if many else value()
    return out


def groups(rng):
    return {g: [mixed(rng, m) for m in rng.sample(USERS[:2] + GROUPS, rng.randint(0, 3))] for g in rng.sample(GROUPS, rng.randint(0, 4))}


def management_groups(rng):
    out = {}
    for child in MANAGEMENT_GROUPS[1:]:
        if rng.random() < 0.8:
            out[child] = rng.choice(MANAGEMENT_GROUPS) if rng.random() < 0.1 else "mg-root"
    for subscription in SUBSCRIPTIONS:
        if rng.random() < 0.8:
            out["/subscriptions/" + subscription] = rng.choice([mixed(rng, rng.choice(MANAGEMENT_GROUPS)), "/providers/Microsoft.Management/managementGroups/" + rng.choice(MANAGEMENT_GROUPS)])
    return out


def case(seed):
    rng = random.Random(seed)
    discover = rng.random() < 0.45
    rng.attributes = rng.sample(ATTRIBUTES, 2 if discover else 5)  # few, so that all their values can be tried
    roles = [role(rng, r) for r in ROLES[: 4 if rng.random() < 0.9 else 3]]
    asked = {"principal": mixed(rng, rng.choice(USERS)), "action": mixed(rng, rng.choice(ACTIONS)), "data": rng.random() < 0.3, "scope": scope(rng),
             "context": {k: v for k, v in context(rng).items() if not discover or rng.random() < 0.25}}
    out = {"id": seed, "provider": "azure", "request": asked,
           "role_definitions": roles, "groups": groups(rng), "management_groups": management_groups(rng),
           "role_assignments": [wrapped(rng, assignment(rng, True, asked), {"id": f"/providers/Microsoft.Authorization/roleAssignments/{i}"}) for i in range(rng.randint(0, 6))],
           "deny_assignments": [wrapped(rng, deny(rng, asked), {"id": f"/providers/Microsoft.Authorization/denyAssignments/{i}"}) for i in range(rng.choice([0, 0, 1, 1, 2]))],
           "eligible_assignments": [wrapped(rng, assignment(rng, False, asked), {"id": f"/providers/Microsoft.Authorization/roleEligibilityScheduleInstances/{i}"})
                                    for i in range(rng.choice([0, 0, 0, 1, 2]))]}
    if discover:
        out["mode"] = "discover"
        if rng.random() < 0.2:
            out["known_absent"] = rng.sample([a for a in ATTRIBUTES if a not in out["request"]["context"]] or [ATTRIBUTES[0]], 1)
        elif rng.random() < 0.2:
            out["known_present"] = rng.sample([a for a in ATTRIBUTES if a not in out["request"]["context"]] or [ATTRIBUTES[0]], 1)
    return out
