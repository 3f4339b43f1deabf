# SPDX-License-Identifier: Apache-2.0
"""Live collection from an AWS that throttles, fails, breaks off, refuses, goes on for ever or has
another clock: what can be had is had, what cannot is said, and nothing half is ever handed on.

The plugin runs in a host with the real HTTP service (tests/plugins/aws/live/live_host.c).
"""
import json
import os
import subprocess
from pathlib import Path

import pytest

from tiny_aws import TinyAws, users

SOURCE = Path(os.environ.get("KIM_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("KIM_BUILD_DIR", SOURCE / "build"))
HOST = BUILD / "tests/plugins/aws/live/live_host"
PLUGIN = BUILD / ".libs/aws.so"
GAAD = "iam:GetAccountAuthorizationDetails"
SECRET = "verysecretkeyofours"
KEYS = {"SECRET_access_key_id": "AKIAOURS", "SECRET_secret_access_key": SECRET}

pytestmark = pytest.mark.skipif(not HOST.exists(), reason="needs the build's folder: set KIM_BUILD_DIR")


class Collected:
    def __init__(self, done):
        self.status, self.said = done.returncode, done.stderr
        self.records = [json.loads(line) for line in done.stdout.splitlines()]

    def of(self, record, **fields):
        return [r for r in self.records if r["record"] == record and all(r.get(k) == v for k, v in fields.items())]

    def names(self):
        return sorted(r["name"] for r in self.of("identity", kind="human") if not r["id"].endswith(":root"))

    def coverage(self, part):
        found = self.of("coverage", part=part)
        assert len(found) == 1, f"{part}: {found}"
        return found[0]

    def assert_failed(self, code, *words):
        assert self.status == 1, self.said
        assert self.records == [], "half a collection was handed on"
        error = [line for line in self.said.splitlines() if line.startswith("error=")][-1]
        assert error.startswith(f"error={code} "), error
        for word in words:
            assert word in error, error


@pytest.fixture
def aws():
    tiny = TinyAws()
    yield tiny
    tiny.stop()


@pytest.fixture
def collect(aws):
    def run(*options, env=KEYS, regions=("eu-west-1",)):
        arguments = [f"endpoint_url={aws.url}", *(f"regions={r}" for r in regions), *options]
        done = subprocess.run([str(HOST), str(PLUGIN), *arguments], capture_output=True, text=True, timeout=120,
                              env={k: v for k, v in os.environ.items() if not k.startswith("SECRET_")} | env)
        assert SECRET not in done.stdout + done.stderr
        return Collected(done)

    return run


def failing(times, misbehave, then):
    """Misbehaves for the first `times` requests."""
    count = 0

    def answer(call):
        nonlocal count
        count += 1
        return misbehave(call) if count <= times else then(call)

    return answer


def two_pages(call):
    if call.form.get("Marker") == "second/page==":
        return call.query("<IsTruncated>false</IsTruncated>" + users("bob"))
    assert "Marker" not in call.form
    return call.query("<IsTruncated>true</IsTruncated><Marker>second/page==</Marker>" + users("ann"))


def test_every_page_is_read(aws, collect):
    aws.on(GAAD, two_pages)
    got = collect()
    assert got.status == 0, got.said
    assert got.names() == ["ann", "bob"]
    assert got.coverage("iam")["status"] == "read"


def test_a_users_boundary_is_read(aws, collect):
    boundary = ("<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>"
                "arn:aws:iam::111122223333:policy/edge</PermissionsBoundaryArn></PermissionsBoundary></member>")
    aws.on(GAAD, lambda call: call.query(users("ann").replace("</member>", boundary)))
    assert collect().of("attachment", layer="boundary") == [
        {"record": "attachment", "scope": "aws:111122223333", "policy": "arn:aws:iam::111122223333:policy/edge", "layer": "boundary",
         "subject": "arn:aws:iam::111122223333:user/ann"}]


@pytest.mark.parametrize("misbehave", [
    lambda call: call.refuse("Throttling", 400, "Rate exceeded"),
    lambda call: call.answer(503, "<Error><Code>SlowDown</Code></Error>"),
    lambda call: call.answer(500, "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"),
    lambda call: call.answer(200, "<GetAccountAuthorization" + " " * 4000, cut_at=60),
], ids=["throttled", "slow down", "500", "cut off"])
def test_trouble_that_passes_costs_nothing(aws, collect, misbehave):
    aws.on(GAAD, failing(3, misbehave, two_pages))
    got = collect()
    assert got.status == 0, got.said
    assert got.names() == ["ann", "bob"]


@pytest.mark.parametrize("code, misbehave, words", [
    ("throttled", lambda call: call.refuse("Throttling", 400, "Rate exceeded"), ["Throttling Rate exceeded"]),
    ("network", lambda call: call.answer(500, "oops"), ["500", "111122223333"]),
    ("network", lambda call: call.query(users("x" * 5000), cut_at=900), ["no whole answer after"]),
    ("input", lambda call: call.answer(200, "<GetAccountAuthorizationDetailsResponse><GetAcc"), ["breaks off"]),
    ("input", lambda call: call.answer(200, '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'), ["document type"]),
    ("denied", lambda call: call.refuse("ExpiredToken", 403, "expired"), ["ExpiredToken"]),
    ("denied", lambda call: call.refuse("InvalidClientTokenId", 403, "unknown"), ["InvalidClientTokenId"]),
], ids=["throttled", "500", "cut off", "half a document", "entities", "expired", "unknown key"])
def test_trouble_that_stays_fails_the_run_and_hands_nothing_on(aws, collect, code, misbehave, words):
    """The second page: the first was read whole, and still must not pass for all there is."""
    aws.on(GAAD, lambda call: misbehave(call) if "Marker" in call.form else two_pages(call))
    collect().assert_failed(code, GAAD, *words)


def test_json_that_breaks_off_fails_the_run(aws, collect):
    aws.on("kms:ListKeys", lambda call: call.answer(200, '{"Keys":[{"KeyId":"a"'))
    collect().assert_failed("input", "kms:ListKeys")


def test_a_page_token_that_comes_again_fails_the_run(aws, collect):
    aws.on(GAAD, lambda call: call.query("<IsTruncated>true</IsTruncated><Marker>again</Marker>" + users("ann")))
    collect().assert_failed("input", GAAD, "page token that came before")
    assert len(aws.asked(GAAD)) == 2


def test_page_tokens_without_end_and_without_pages_fail_the_run(aws, collect):
    count = 0

    def endless(call):
        nonlocal count
        count += 1
        call.give({"QueueUrls": [], "NextToken": f"token-{count}"})

    aws.on("sqs:ListQueues", endless)
    collect().assert_failed("limit", "sqs:ListQueues", "never to end")
    assert 20 < count < 100


def test_what_may_not_be_read_is_said_and_the_rest_is_read(aws, collect):
    aws.on(GAAD, two_pages)
    aws.on("sqs:ListQueues", lambda call: call.refuse("AccessDenied", 403, "User: kim is not authorized"))
    got = collect()
    assert got.status == 0, got.said
    assert got.names() == ["ann", "bob"]
    refused = got.coverage("sqs:queue-policy")
    assert refused["status"] == "unreadable"
    assert "grant sqs:ListQueues" in refused["why"] and "User: kim is not authorized" in refused["why"]
    assert got.coverage("kms:key-policy")["status"] == "read"


def test_identities_that_may_not_be_read_are_said(aws, collect):
    aws.on(GAAD, lambda call: call.refuse())
    got = collect()
    assert got.status == 0, got.said
    assert got.coverage("iam")["status"] == "unreadable"
    assert "grant " + GAAD in got.coverage("iam")["why"]


def buckets(*names):
    return "<ListAllMyBucketsResult><Buckets>" + "".join(
        f"<Bucket><Name>{n}</Name><CreationDate>2020-01-01T00:00:00Z</CreationDate></Bucket>" for n in names
    ) + "</Buckets></ListAllMyBucketsResult>"


POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}'


def test_one_buckets_policy_that_may_not_be_read_is_unread_and_not_absent(aws, collect):
    aws.on("s3:/?max-buckets=1000", lambda call: call.answer(200, buckets("open", "shut", "bare")))
    aws.on("s3:policy", lambda call: call.answer(200, POLICY) if call.path == "/open" else
           call.refuse() if call.path == "/shut" else call.refuse("NoSuchBucketPolicy", 404))
    got = collect()
    assert got.status == 0, got.said
    policies = {p["id"]: p for p in got.of("policy", kind="resource")}
    assert sorted(policies) == ["arn:aws:s3:::open/policy", "arn:aws:s3:::shut/policy"]
    assert "unread" not in policies["arn:aws:s3:::open/policy"]
    assert "grant s3:GetBucketPolicy" in policies["arn:aws:s3:::shut/policy"]["unread"]
    assert got.of("attachment", layer="resource", resource="arn:aws:s3:::shut", policy="arn:aws:s3:::shut/policy")
    assert got.coverage("s3:bucket-policy")["status"] == "read"


def test_a_bucket_is_asked_in_the_region_that_s3_names(aws, collect):
    aws.on("s3:/?max-buckets=1000", lambda call: call.answer(200, buckets("far")))

    def policy(call):
        if call.region != "ap-south-1":
            return call.answer(301, "<Error><Code>PermanentRedirect</Code></Error>", [("x-amz-bucket-region", "ap-south-1")])
        return call.answer(200, POLICY)

    aws.on("s3:policy", policy)
    got = collect()
    assert got.status == 0, got.said
    assert [p["id"] for p in got.of("policy", kind="resource")] == ["arn:aws:s3:::far/policy"]


def test_a_clock_far_off_is_corrected_by_awss_own(aws, collect):
    aws.clock_offset_s = -7200
    aws.on(GAAD, two_pages)
    original = aws.answers["sts:GetCallerIdentity"]

    def strict(call):
        import calendar
        import time
        signed = calendar.timegm(time.strptime(call.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        if abs(signed - (time.time() + aws.clock_offset_s)) > 300:
            return call.refuse("SignatureDoesNotMatch", 403, "Signature not yet current")
        return original(call)

    aws.on("sts:GetCallerIdentity", strict)
    got = collect()
    assert got.status == 0, got.said
    assert got.names() == ["ann", "bob"]
    assert "event=clock_skew" in got.said


def test_a_report_that_is_being_made_is_waited_for(aws, collect):
    aws.on("iam:GenerateCredentialReport", failing(1, lambda c: c.query("<State>STARTED</State>"), lambda c: c.query("<State>COMPLETE</State>")))
    got = collect()
    assert got.status == 0, got.said
    assert len(aws.asked("iam:GenerateCredentialReport")) == 2
    assert len(aws.asked("iam:GetCredentialReport")) == 1


# ---- several accounts ----

def assume(call):
    account = call.form["RoleArn"].split(":")[4]
    if account == "444455556666":
        return call.refuse("AccessDenied", 403, "not authorized to perform: sts:AssumeRole")
    return call.query(f"<Credentials><AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
                      f"<SessionToken>token{account}</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>")


def test_each_account_is_read_by_its_role(aws, collect):
    aws.on("sts:AssumeRole", assume)
    got = collect("accounts=111122223333", "accounts=222233334444", "role_name=audit/kim-read", "external_id=e/1", "session_name=kim-1")
    assert got.status == 0, got.said
    form = aws.asked("sts:AssumeRole")[0].form
    assert form["RoleArn"] == "arn:aws:iam::222233334444:role/audit/kim-read"
    assert (form["ExternalId"], form["RoleSessionName"]) == ("e/1", "kim-1")
    assert [c.key for c in aws.asked(GAAD)] == ["AKIAOURS", "ASIA222233334444"]
    assert aws.asked(GAAD)[1].headers["X-Amz-Security-Token"] == "token222233334444"
    assert {c["scope"] for c in got.of("coverage", part="iam")} == {"aws:111122223333", "aws:222233334444"}


def test_an_account_that_does_not_let_us_in_is_said_and_the_others_are_read(aws, collect):
    aws.on("sts:AssumeRole", assume)
    got = collect("accounts=444455556666", "accounts=222233334444")
    assert got.status == 0, got.said
    status = {c["scope"]: c["status"] for c in got.of("coverage", part="iam")}
    assert status == {"aws:444455556666": "unreadable", "aws:222233334444": "read"}


def test_where_no_account_lets_us_in_the_run_fails(aws, collect):
    aws.on("sts:AssumeRole", assume)
    collect("accounts=444455556666").assert_failed("denied", "none of the 1 accounts")


def test_an_account_that_cannot_be_asked_for_now_fails_the_run(aws, collect):
    aws.on("sts:AssumeRole", lambda call: call.answer(500, "oops"))
    collect("accounts=111122223333", "accounts=222233334444").assert_failed("network", "sts:AssumeRole")


# ---- the organisation ----

def organisation(aws, roots):
    aws.on("organizations:DescribeOrganization", lambda call: call.give({"Organization": {
        "Id": "o-1", "Arn": "arn:aws:organizations::111122223333:organization/o-1", "MasterAccountId": "111122223333"}}))
    aws.on("organizations:ListRoots", roots)


def test_the_organisation_is_read_by_whichever_account_may(aws, collect):
    aws.on("sts:AssumeRole", assume)
    organisation(aws, lambda call: call.give({"Roots": [{"Id": "r-1", "Arn": "arn:aws:organizations::111122223333:root/o-1/r-1",
                                                         "Name": "Root"}]}) if call.key == "ASIA222233334444" else call.refuse("AccessDeniedException", 400))
    got = collect("accounts=111122223333", "accounts=222233334444", "accounts=333344445555")
    assert got.status == 0, got.said
    assert len(aws.asked("organizations:ListRoots")) == 2
    assert {c["status"] for c in got.of("coverage", part="organizations")} == {"read"}
    assert got.of("scope", id="aws:o-1/r-1")


def test_an_organisation_that_nobody_may_read_is_said_for_every_account(aws, collect):
    aws.on("sts:AssumeRole", assume)
    organisation(aws, lambda call: call.refuse("AccessDeniedException", 400))
    got = collect("accounts=111122223333", "accounts=222233334444")
    assert {(c["scope"], c["status"]) for c in got.of("coverage", part="organizations")} == {
        ("aws:111122223333", "unreadable"), ("aws:222233334444", "unreadable")}


# ---- where the keys come from ----

def test_without_any_credentials_the_message_says_what_to_set(aws, collect):
    collect(env={}).assert_failed("input", "access_key_id", "credentials_file", "metadata_url")


def test_keys_come_from_a_file_as_the_cli_has_it(aws, collect, tmp_path):
    file = tmp_path / "credentials"
    file.write_text(f"[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = x\n\n[profile audit]\n# ours\n"
                    f"aws_access_key_id=AKIAFILE\naws_secret_access_key = {SECRET}\naws_session_token=tok\n")
    assert collect(f"credentials_file={file}", "credentials_profile=audit", env={}).status == 0
    assert aws.asked(GAAD)[0].key == "AKIAFILE"
    assert aws.asked(GAAD)[0].headers["X-Amz-Security-Token"] == "tok"
    collect(f"credentials_file={file}", "credentials_profile=none", env={}).assert_failed("input", "no profile [none]")


def test_keys_come_from_a_web_identity(aws, collect, tmp_path):
    token = tmp_path / "token"
    token.write_text("web.identity.token\n")

    def exchange(call):
        assert call.key is None and call.form["WebIdentityToken"] == "web.identity.token"
        assert call.form["RoleArn"] == "arn:aws:iam::111122223333:role/kim"
        call.query(f"<Credentials><AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
                   "<SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>")

    aws.on("sts:AssumeRoleWithWebIdentity", exchange)
    got = collect(f"web_identity_token_file={token}", "role_arn=arn:aws:iam::111122223333:role/kim", env={})
    assert got.status == 0, got.said
    assert aws.asked(GAAD)[0].key == "ASIAWEB"


def local_keys(name):
    return {"AccessKeyId": name, "SecretAccessKey": SECRET, "Token": "t", "Expiration": "2999-01-01T00:00:00Z"}


def test_keys_come_from_the_container(aws, collect, tmp_path):
    token = tmp_path / "token"
    token.write_text("container-token")
    aws.on("local:/v1/credentials", lambda call: call.give(local_keys("ASIABOX")) if
           call.headers.get("Authorization") == "container-token" else call.answer(401))
    got = collect(f"container_credentials_url={aws.url}/v1/credentials", f"container_token_file={token}", env={})
    assert got.status == 0, got.said
    assert aws.asked(GAAD)[0].key == "ASIABOX"


def test_keys_come_from_the_metadata_service_by_its_second_version(aws, collect):
    base = "local:/latest/meta-data/iam/security-credentials/"

    def with_token(answer):
        return lambda call: answer(call) if call.headers.get("X-aws-ec2-metadata-token") == "imds" else call.answer(401)

    aws.on("local:/latest/api/token", lambda call: call.answer(200, "imds") if call.handler.command == "PUT" and
           call.headers.get("X-aws-ec2-metadata-token-ttl-seconds") else call.answer(405))
    aws.on(base, with_token(lambda call: call.answer(200, "kim-role")))
    aws.on(base + "kim-role", with_token(lambda call: call.give(local_keys("ASIAEC2"))))
    got = collect(f"metadata_url={aws.url}/", env={})
    assert got.status == 0, got.said
    assert aws.asked(GAAD)[0].key == "ASIAEC2"


def test_keys_are_renewed_before_they_end(aws, collect):
    """A role whose keys last four minutes is assumed anew for each question."""
    import datetime
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    count = 0

    def brief(call):
        nonlocal count
        count += 1
        call.query(f"<Credentials><AccessKeyId>ASIA{count}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
                   f"<SessionToken>t</SessionToken><Expiration>{soon}</Expiration></Credentials>")

    aws.on("sts:AssumeRole", brief)
    assert collect("accounts=222233334444").status == 0
    assert aws.asked(GAAD)[0].key != aws.asked("iam:ListUsers")[0].key


def test_regions_are_those_that_are_enabled(aws, collect):
    aws.on("ec2:DescribeRegions", lambda call: call.answer(200, "<DescribeRegionsResponse><regionInfo><item><regionName>eu-west-1"
           "</regionName></item><item><regionName>sa-east-1</regionName></item></regionInfo></DescribeRegionsResponse>"))
    got = collect(regions=())
    assert got.status == 0, got.said
    assert [c.region for c in aws.asked("kms:ListKeys")] == ["eu-west-1", "sa-east-1"]
    assert len(aws.asked(GAAD)) == 1
