# SPDX-License-Identifier: Apache-2.0
"""An organisation of two accounts is put into moto's server by boto3, collected live by the real
kim-provider-host, and compared record for record with what was put in.

What is expected is worked out from the plan below alone, by the words of doc/model.md: nothing here looks
at what the plugin says before it is compared.
"""
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

boto3 = pytest.importorskip("boto3", reason="needs moto and boto3: ./check brings them")
pytest.importorskip("moto", reason="needs moto and boto3: ./check brings them")

SOURCE = Path(os.environ.get("KIM_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("KIM_BUILD_DIR", SOURCE / "build"))
RUN = BUILD / "tests/plugins/aws/live/live_run"
A = "123456789012"  # moto's own, and the management account
REGIONS = ("eu-west-1", "us-east-1")

pytestmark = pytest.mark.skipif(not RUN.exists(), reason="needs the build's folder: set KIM_BUILD_DIR")


# ---- the plan ----

ACTIONS = ["s3:GetObject", "s3:PutObject", "kms:Decrypt", "ec2:Describe*", "iam:PassRole", "sqs:SendMessage", "dynamodb:*"]
CONDITIONS = [None, None, {"StringEquals": {"aws:PrincipalTag/team": ["blue", "red"]}},
              {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}]


def statement(rng, **more):
    made = {"Effect": rng.choice(["Allow", "Allow", "Deny"]), **more}
    made["Action" if rng.random() < 0.9 else "NotAction"] = rng.choice([rng.choice(ACTIONS), rng.sample(ACTIONS, 3)])
    if "Principal" not in more or more["Principal"] != {"Service": "ec2.amazonaws.com"}:
        made["Resource" if rng.random() < 0.9 else "NotResource"] = rng.choice(["*", ["arn:aws:s3:::b/*", "arn:aws:s3:::c"]])
    condition = rng.choice(CONDITIONS)
    if condition:
        made["Condition"] = condition
    return made


def document(rng, count=2):
    return {"Version": "2012-10-17", "Statement": [{"Sid": f"S{i}", **statement(rng)} for i in range(count)]}


def trust(rng, account, users):
    principal = rng.choice([{"Service": "ec2.amazonaws.com"}, {"Service": ["lambda.amazonaws.com", "ecs-tasks.amazonaws.com"]},
                            {"AWS": f"arn:aws:iam::{account}:user/{users[0]['path']}{users[0]['name']}"}, {"AWS": f"arn:aws:iam::{account}:root"}])
    made = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if rng.random() < 0.3:
        made["Condition"] = {"StringEquals": {"sts:ExternalId": "x"}}
    return {"Version": "2012-10-17", "Statement": [made]}


def plan(seed, account, prefix, users, roles, groups, policies):
    rng = random.Random(seed)
    tags = lambda: [{"Key": "team", "Value": rng.choice(["blue", "red & <green>", "grün"])}] if rng.random() < 0.6 else []  # noqa: E731
    path = lambda: rng.choice(["", "", "eng/", "eng/core/"])  # noqa: E731
    made = {
        "policies": [{"name": f"{prefix}policy{i}", "path": path(), "document": document(rng)} for i in range(policies)],
        "groups": [{"name": f"{prefix}group{i}", "path": path()} for i in range(groups)],
        "users": [{"name": f"{prefix}user{i}", "path": path(), "tags": tags()} for i in range(users)],
        "roles": [{"name": f"{prefix}role{i}", "path": path(), "tags": tags()} for i in range(roles)],
    }
    arns = [f"arn:aws:iam::{account}:policy/{p['path']}{p['name']}" for p in made["policies"]]
    for role in made["roles"]:
        role["trust"] = trust(rng, account, made["users"])
    for group in made["groups"]:
        group["inline"] = {"g-inline": document(rng)} if rng.random() < 0.5 else {}
        group["attached"] = rng.sample(arns, rng.randint(0, 2))
    for owner in made["users"] + made["roles"]:
        owner["inline"] = {f"in{k}": document(rng, 1) for k in range(rng.choice([0, 0, 1, 2]))}
        owner["attached"] = rng.sample(arns, rng.randint(0, 3))
        owner["boundary"] = rng.choice(arns) if rng.random() < 0.2 else None
    for user in made["users"]:
        user["boundary"] = None  # moto 5.2.5 does not give a user's in GetAccountAuthorizationDetails, as AWS does
        user["groups"] = rng.sample([g["name"] for g in made["groups"]], rng.randint(0, 2))
        user["keys"] = rng.choice([0, 0, 1, 2])
    return made


# ---- put in ----

def put_in(client, made):
    """boto3's calls; notes in the plan what AWS chose itself."""
    iam = client("iam")
    for p in made["policies"]:
        iam.create_policy(PolicyName=p["name"], Path="/" + p["path"], PolicyDocument=json.dumps(p["document"]))
    for g in made["groups"]:
        g["id"] = iam.create_group(GroupName=g["name"], Path="/" + g["path"])["Group"]["GroupId"]
        for name, doc in g["inline"].items():
            iam.put_group_policy(GroupName=g["name"], PolicyName=name, PolicyDocument=json.dumps(doc))
        for arn in g["attached"]:
            iam.attach_group_policy(GroupName=g["name"], PolicyArn=arn)
    for u in made["users"]:
        more = {"PermissionsBoundary": u["boundary"]} if u["boundary"] else {}
        u["id"] = iam.create_user(UserName=u["name"], Path="/" + u["path"], Tags=u["tags"], **more)["User"]["UserId"]
        for name, doc in u["inline"].items():
            iam.put_user_policy(UserName=u["name"], PolicyName=name, PolicyDocument=json.dumps(doc))
        for arn in u["attached"]:
            iam.attach_user_policy(UserName=u["name"], PolicyArn=arn)
        for group in u["groups"]:
            iam.add_user_to_group(GroupName=group, UserName=u["name"])
        u["key_ids"] = [iam.create_access_key(UserName=u["name"])["AccessKey"]["AccessKeyId"] for _ in range(u["keys"])]
    for r in made["roles"]:
        more = {"PermissionsBoundary": r["boundary"]} if r["boundary"] else {}
        r["id"] = iam.create_role(RoleName=r["name"], Path="/" + r["path"], AssumeRolePolicyDocument=json.dumps(r["trust"]),
                                  Tags=r["tags"], **more)["Role"]["RoleId"]
        for name, doc in r["inline"].items():
            iam.put_role_policy(RoleName=r["name"], PolicyName=name, PolicyDocument=json.dumps(doc))
        for arn in r["attached"]:
            iam.attach_role_policy(RoleName=r["name"], PolicyArn=arn)


BUCKETS = {
    "open-data": {"policy": {"Version": "2012-10-17", "Statement": [
        {"Sid": "P", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::open-data/*"},
        {"Effect": "Deny", "Principal": {"AWS": [A, f"arn:aws:iam::{A}:root"]}, "Action": ["s3:Delete*"], "Resource": "*",
         "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}]}, "tags": {"data": "public"}},
    "shut-data": {"block": dict(BlockPublicAcls=True, IgnorePublicAcls=True, BlockPublicPolicy=False, RestrictPublicBuckets=True)},
    "plain-data": {},
}


def put_resources(client, made):
    s3, kms, iot = client("s3"), client("kms"), client("iot")
    for name, b in BUCKETS.items():
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        if "policy" in b:
            s3.put_bucket_policy(Bucket=name, Policy=json.dumps(b["policy"]))
        if "block" in b:
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=b["block"])
        if "tags" in b:
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in b["tags"].items()]})
    made["keys"] = []
    for i, region in enumerate(("eu-west-1", "eu-west-1", "us-east-1")):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
                                                         "Action": "kms:*", "Resource": "*"}]}
        key = client("kms", region_name=region).create_key(Policy=json.dumps(policy), Tags=[{"TagKey": "n", "TagValue": str(i)}])["KeyMetadata"]
        made["keys"].append({"arn": key["Arn"], "policy": policy, "tags": {"n": str(i)}, "grants": []})
    grantee = f"arn:aws:iam::{A}:role/{made['roles'][0]['path']}{made['roles'][0]['name']}"
    made["keys"][0]["grants"].append((kms.create_grant(KeyId=made["keys"][0]["arn"], GranteePrincipal=grantee,
                                                       Operations=["Decrypt", "Encrypt"])["GrantId"], grantee, ["Decrypt", "Encrypt"]))
    made["things"] = []
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iot:Connect", "iot:Publish"], "Resource": "*"}]}
    iot.create_policy(policyName="fleet", policyDocument=json.dumps(policy))
    for i in range(5):
        iot.create_thing(thingName=f"pump{i}")
        cert = iot.create_keys_and_certificate(setAsActive=i != 4)["certificateArn"]
        iot.attach_policy(policyName="fleet", target=cert)
        iot.attach_thing_principal(thingName=f"pump{i}", principal=cert)
        made["things"].append({"name": f"pump{i}", "cert": cert, "active": i != 4})
    role = f"arn:aws:iam::{A}:role/{made['roles'][1]['path']}{made['roles'][1]['name']}"
    iot.create_role_alias(roleAlias="pump-role", roleArn=role)
    made["alias"], made["iot_policy"] = role, policy


def put_organisation(client, made):
    org = client("organizations")
    o = org.create_organization(FeatureSet="ALL")["Organization"]
    root = org.list_roots()["Roots"][0]
    org.enable_policy_type(RootId=root["Id"], PolicyType="SERVICE_CONTROL_POLICY")
    prod = org.create_organizational_unit(ParentId=root["Id"], Name="prod")["OrganizationalUnit"]
    team = org.create_organizational_unit(ParentId=prod["Id"], Name="team")["OrganizationalUnit"]
    b = org.create_account(Email="b@example.com", AccountName="second")["CreateAccountStatus"]["AccountId"]
    org.move_account(AccountId=b, SourceParentId=root["Id"], DestinationParentId=team["Id"])
    deny = {"Version": "2012-10-17", "Statement": [{"Sid": "NoLeave", "Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}]}
    scp = org.create_policy(Content=json.dumps(deny), Description="d", Name="no-leave", Type="SERVICE_CONTROL_POLICY")["Policy"]["PolicySummary"]
    for target in (prod["Id"], b):
        org.attach_policy(PolicyId=scp["Id"], TargetId=target)
    made["organisation"] = {"id": o["Id"], "arn": o["Arn"], "root": root, "prod": prod, "team": team, "second": b, "scp": scp, "deny": deny}
    return b


# ---- what is expected: the plan in the words of the model ----

def listed(value):
    return value if isinstance(value, list) else [value]


def subjects(principal):
    if principal == "*":
        return ["*"]
    return [f"{kind}:{x}" for kind, xs in principal.items() for x in listed(xs)]


def policy_records(scope, id, name, kind, doc, revision=None):
    policy = {"record": "policy", "scope": scope, "id": id, "name": name, "kind": kind, "version": doc["Version"]}
    if revision:
        policy["revision"] = revision
    yield policy
    for i, s in enumerate(doc["Statement"]):
        made = {"record": "statement", "scope": scope, "policy": id, "index": i, "effect": s["Effect"].lower()}
        for theirs, ours in (("Action", "actions"), ("NotAction", "not_actions"), ("Resource", "resources"), ("NotResource", "not_resources")):
            if theirs in s:
                made[ours] = listed(s[theirs])
        if "Sid" in s:
            made["sid"] = s["Sid"]
        if "Principal" in s:
            made["subjects"] = subjects(s["Principal"])
        if "Condition" in s:
            made["condition"] = {"lang": "aws", "text": s["Condition"]}
        yield made


def attachment(scope, policy, layer, **where):
    return {"record": "attachment", "scope": scope, "policy": policy, "layer": layer, **where}


def iam_records(account, made):
    scope = f"aws:{account}"
    base = f"arn:aws:iam::{account}"
    paths = {g["name"]: g["path"] for g in made["groups"]}
    for p in made["policies"]:
        yield from policy_records(scope, f"{base}:policy/{p['path']}{p['name']}", p["name"], "managed", p["document"], "v1")
    for kind, word, owners in (("human", "user", made["users"]), ("role", "role", made["roles"]), ("group", "group", made["groups"])):
        for o in owners:
            arn = f"{base}:{word}/{o['path']}{o['name']}"
            identity = {"record": "identity", "scope": scope, "id": arn, "kind": kind, "name": o["name"],
                        "facts": {"path": "/" + o["path"], "unique_id": o["id"]}}
            if o.get("tags"):
                identity["tags"] = {t["Key"]: t["Value"] for t in o["tags"]}
            yield identity
            for name, doc in o["inline"].items():
                yield from policy_records(scope, f"{arn}/inline/{name}", name, "inline", doc)
                yield attachment(scope, f"{arn}/inline/{name}", "identity", subject=arn)
            for policy in o["attached"]:
                yield attachment(scope, policy, "identity", subject=arn)
            if o.get("boundary"):
                yield attachment(scope, o["boundary"], "boundary", subject=arn)
            for group in o.get("groups", []):
                yield {"record": "edge", "scope": scope, "kind": "member_of", "from": arn, "to": f"{base}:group/{paths[group]}{group}", "via": "group"}
            for key in o.get("key_ids", []):
                yield {"record": "credential", "scope": scope, "id": key, "identity": arn, "kind": "access_key", "state": "active"}
            if kind == "role":
                yield from policy_records(scope, f"{arn}/trust", "trust", "trust", o["trust"])
                yield attachment(scope, f"{arn}/trust", "resource", resource=arn)
                s = o["trust"]["Statement"][0]
                for subject in subjects(s["Principal"]):
                    edge = {"record": "edge", "scope": scope, "kind": "can_become", "from": subject.split(":", 1)[1], "to": arn, "via": "sts:AssumeRole"}
                    if "Condition" in s:
                        edge["condition"] = {"lang": "aws", "text": s["Condition"]}
                    yield edge


def s3_records():
    scope = f"aws:{A}"
    for name, b in BUCKETS.items():
        arn = f"arn:aws:s3:::{name}"
        bucket = {"record": "resource", "scope": scope, "id": arn, "type": "s3:bucket", "name": name}
        if "tags" in b:
            bucket["tags"] = b["tags"]
        if "block" in b:
            bucket["facts"] = {"s3.block_public_acls": "true", "s3.ignore_public_acls": "true", "s3.block_public_policy": "false",
                               "s3.restrict_public_buckets": "true"}
        yield bucket
        if "policy" in b:
            yield from policy_records(scope, arn + "/policy", "policy", "resource", b["policy"])
            yield attachment(scope, arn + "/policy", "resource", resource=arn)


def kms_records(made):
    scope = f"aws:{A}"
    for key in made["keys"]:
        arn = key["arn"]
        yield {"record": "resource", "scope": scope, "id": arn, "type": "kms:key", "tags": key["tags"]}
        yield from policy_records(scope, arn + "/policy", "policy", "resource", key["policy"])
        yield attachment(scope, arn + "/policy", "resource", resource=arn)
        for grant, grantee, operations in key["grants"]:
            id = f"{arn}/grant/{grant}"
            yield {"record": "policy", "scope": scope, "id": id, "name": grant, "kind": "grant"}
            yield {"record": "statement", "scope": scope, "policy": id, "index": 0, "effect": "allow",
                   "actions": [f"kms:{x}" for x in operations], "resources": [arn], "subjects": [f"AWS:{grantee}"]}
            yield attachment(scope, id, "resource", resource=arn)


def organisation_records(o):
    scope = f"aws:{o['id']}"
    root, prod, team = (f"{scope}/{o[k]['Id']}" for k in ("root", "prod", "team"))
    yield {"record": "scope", "scope": scope, "id": scope, "kind": "organisation", "native_id": o["arn"],
           "facts": {"management_account": A, "root": o["root"]["Id"]}}
    for id, parent, unit in ((root, scope, o["root"]), (prod, root, o["prod"]), (team, prod, o["team"])):
        yield {"record": "scope", "scope": id, "id": id, "kind": "ou", "parent": parent, "name": unit["Name"], "native_id": unit["Arn"]}
    yield {"record": "scope", "scope": f"aws:{A}", "id": f"aws:{A}", "kind": "account", "parent": root, "name": "master"}
    yield {"record": "scope", "scope": f"aws:{o['second']}", "id": f"aws:{o['second']}", "kind": "account", "parent": team, "name": "second"}
    yield from policy_records(scope, o["scp"]["Arn"], "no-leave", "scp", o["deny"])
    for target in (prod, f"aws:{o['second']}"):
        yield attachment(scope, o["scp"]["Arn"], "scp", on_scope=target)


def iot_records(made):
    scope, base = f"aws:{A}", f"arn:aws:iot:eu-west-1:{A}"
    yield from policy_records(scope, f"{base}:policy/fleet", "fleet", "iot", made["iot_policy"], "1")
    for t in made["things"]:
        thing = f"{base}:thing/{t['name']}"
        yield {"record": "identity", "scope": scope, "id": thing, "kind": "device", "name": t["name"]}
        yield {"record": "identity", "scope": scope, "id": t["cert"], "kind": "device", "name": t["cert"].rsplit("/", 1)[1],
               "state": "active" if t["active"] else "disabled"}
        yield {"record": "credential", "scope": scope, "id": t["cert"], "identity": t["cert"], "kind": "certificate"}
        yield {"record": "edge", "scope": scope, "kind": "can_become", "from": thing, "to": t["cert"], "via": "iot:certificate"}
        yield attachment(scope, f"{base}:policy/fleet", "identity", subject=t["cert"])
    yield {"record": "resource", "scope": scope, "id": f"{base}:rolealias/pump-role", "type": "iot:rolealias", "name": "pump-role",
           "facts": {"role": made["alias"]}}


# ---- collected ----

def wait_until_it_answers(url, server):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url, timeout=5).read()
        except OSError:
            assert server.poll() is None, "moto's server ended"
            time.sleep(0.1)
    pytest.fail("moto's server does not answer")


@pytest.fixture(scope="module")
def moto_url():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    wait_until_it_answers(url + "/moto-api/", server)
    yield url
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def world(moto_url):
    """The plan of both accounts, once it is in moto; and the records that kim made of it."""
    own = dict(endpoint_url=moto_url, region_name="eu-west-1", aws_access_key_id="AKIAOURS", aws_secret_access_key="x")
    first = lambda service, **more: boto3.client(service, **{**own, **more})  # noqa: E731
    made = plan(1, A, "a-", users=90, roles=50, groups=8, policies=15)
    put_in(first, made)
    put_resources(first, made)
    second_id = put_organisation(first, made)
    keys = first("sts").assume_role(RoleArn=f"arn:aws:iam::{second_id}:role/filling", RoleSessionName="fill")["Credentials"]
    second = lambda service, **more: boto3.client(service, **{  # noqa: E731
        **own, "aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"], **more})
    made_second = plan(2, second_id, "b-", users=40, roles=30, groups=4, policies=6)
    put_in(second, made_second)
    done = subprocess.run(
        [str(RUN), str(BUILD / ".libs/aws.so"), f"endpoint_url={moto_url}", f"accounts={A}", f"accounts={second_id}", "http.rate=10000",
         *(f"regions={r}" for r in REGIONS)], capture_output=True, text=True, timeout=500,
        env={**os.environ, "KIM_PROVIDER_HOST": str(BUILD / "kim-provider-host"), "SECRET_access_key_id": "AKIAOURS",
             "SECRET_secret_access_key": "x"})
    assert done.returncode == 0, done.stderr
    return {"first": made, "second": made_second, "second_id": second_id,
            "records": [json.loads(line) for line in done.stdout.splitlines()]}


KEYS = {"scope": ["id"], "identity": ["id"], "edge": ["kind", "from", "to", "via"], "resource": ["id"], "policy": ["id"],
        "statement": ["policy", "index"], "attachment": ["policy", "layer", "subject", "on_scope", "resource"],
        "credential": ["id", "identity"]}
# What AWS or moto chooses, and no plan can know.
NOT_PLANNED = {"created_unix_ms", "hash", "last_used_unix_ms", "expires_unix_ms", "last_seen_unix_ms"}


def keyed(records):
    found = {}
    for r in records:
        key = (r["record"], r["scope"], *(r.get(k) for k in KEYS[r["record"]]))
        assert key not in found, f"twice: {key}"
        r = {k: v for k, v in r.items() if k not in NOT_PLANNED}
        if "condition" in r:
            text = r["condition"]["text"]
            r["condition"] = {**r["condition"], "text": json.loads(text) if isinstance(text, str) else text}
        found[key] = r
    return found


def assert_same(expected, records, which, fields_of=lambda r: None):
    """Each record of the plan is there, field by field, and no other that `which` holds of."""
    want, got = keyed(expected), keyed(r for r in records if r["record"] in KEYS and which(r))
    assert sorted(map(str, want.keys() - got.keys())) == [], "lacking"
    assert sorted(map(str, got.keys() - want.keys())) == [], "too many"
    for key, record in want.items():
        fields = fields_of(record)
        have = {k: v for k, v in got[key].items() if fields is None or k in fields}
        assert have == record, key


def is_iam(account):
    base = f"arn:aws:iam::{account}:"

    def which(r):
        if r["scope"] != f"aws:{account}" or r["record"] in ("scope", "resource"):
            return False
        owner = r.get("id") or r.get("policy") or r.get("to")
        if "OrganizationAccountAccessRole" in str(r.values()):
            return False  # Organizations makes it in an account that it makes
        if r["record"] == "credential":
            return r["identity"].startswith(base) and not r["identity"].endswith(":root") and r["kind"] == "access_key"
        return owner.startswith(base) and not owner.endswith(":root")

    return which


def without_facts(r):
    """Credentials have facts on their last use that no plan knows; all else is compared whole."""
    return {k for k in r} if r["record"] == "credential" else None


def test_at_least_two_hundred_principals_over_two_accounts_are_planned(world):
    assert sum(len(world[w][k]) for w in ("first", "second") for k in ("users", "roles")) >= 200


@pytest.mark.parametrize("which", ["first", "second"])
def test_iam_is_collected_record_for_record(world, which):
    account = A if which == "first" else world["second_id"]
    assert_same(iam_records(account, world[which]), world["records"], is_iam(account), without_facts)


def test_s3_is_collected_record_for_record(world):
    assert_same(s3_records(), world["records"],
                lambda r: "arn:aws:s3:::" in (r.get("id") or r.get("policy") or "") and r["scope"] == f"aws:{A}")


def test_kms_is_collected_record_for_record(world):
    assert_same(kms_records(world["first"]), world["records"], lambda r: "arn:aws:kms:" in (r.get("id") or r.get("policy") or ""),
                lambda r: set(r) if r["record"] == "resource" else None)


def test_the_organisation_is_collected_record_for_record(world):
    o = world["first"]["organisation"]

    def which(r):
        if r["record"] == "scope":
            return True
        return r["scope"] == f"aws:{o['id']}" and "FullAWSAccess" not in (r.get("id") or r.get("policy") or "FullAWSAccess")

    assert_same(organisation_records(o), world["records"], lambda r: which(r) and not r["scope"].startswith("aws:d-"),
                lambda r: set(r) if r["record"] == "scope" else None)


def test_aws_own_guardrails_hang_on_every_level(world):
    o = world["first"]["organisation"]
    scope = f"aws:{o['id']}"
    levels = {f"{scope}/{o[k]['Id']}" for k in ("root", "prod", "team")} | {f"aws:{A}", f"aws:{o['second']}"}
    for name, layer in (("FullAWSAccess", "scp"), ("RCPFullAWSAccess", "rcp")):
        ids = {r["id"] for r in world["records"] if r["record"] == "policy" and r.get("name") == name}
        assert len(ids) == 1
        assert {r["on_scope"] for r in world["records"] if r["record"] == "attachment" and r["policy"] in ids and r["layer"] == layer} == levels


def test_iot_is_collected_record_for_record(world):
    assert_same(iot_records(world["first"]), world["records"],
                lambda r: "arn:aws:iot:" in (r.get("id") or r.get("policy") or r.get("from") or ""),
                lambda r: set(r) if r["record"] == "credential" else None)


def test_every_part_was_read_in_both_accounts(world):
    unread = [(r["scope"], r["part"], r["status"], r.get("why")) for r in world["records"] if r["record"] == "coverage" and r["status"] != "read"]
    assert unread == []
    for account in (A, world["second_id"]):
        parts = {r["part"] for r in world["records"] if r["record"] == "coverage" and r["scope"] == f"aws:{account}"}
        assert {"iam", "organizations", "s3:bucket-policy", "kms:key-policy", "sqs:queue-policy", "iot"} <= parts
