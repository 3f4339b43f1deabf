# SPDX-License-Identifier: Apache-2.0
"""Logs that lie at AWS: a trail's bucket, and CloudTrail's event history."""
import datetime
import gzip
import json
import os
import subprocess

import pytest

from test_aws_live_bad import HOST, KEYS, PLUGIN, Collected, aws, failing  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(not HOST.exists(), reason="needs the build's folder: set KIM_BUILD_DIR")


def event(user, name, at="2026-08-01T00:05:00Z", bucket="b"):
    return {"eventVersion": "1.08", "eventTime": at, "eventSource": "s3.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "accountId": "111122223333",
                             "userName": user}, "requestParameters": {"bucketName": bucket}, "eventID": name, "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333", "managementEvent": True, "eventCategory": "Management"}


@pytest.fixture
def read(aws, tmp_path):
    def run(*logs, options=(), env=KEYS):
        done = subprocess.run([str(HOST), str(PLUGIN), f"endpoint_url={aws.url}", *(f"logs={log}" for log in logs), *options],
                              capture_output=True, text=True, timeout=120, env={**os.environ, **env, "CURSOR": str(tmp_path / "cursor")})
        return Collected(done)

    return run


class Bucket:
    """Objects by key, listed two a page and given by ranges."""

    def __init__(self, aws, name):
        self.objects, self.name, self.aws = {}, name, aws
        aws.on("s3:list-type,prefix", self.list)

    def put(self, key, body):
        self.objects[key] = body
        self.aws.on(f"s3:/{self.name}/{key}", lambda call: self.give(call, self.objects[key]))

    def list(self, call):
        keys = sorted(k for k in self.objects if k.startswith(call.params["prefix"]))
        begin = int(call.params.get("continuation-token", 0))
        more = begin + 2 < len(keys)
        call.answer(200, "<ListBucketResult>" + "".join(
            f"<Contents><Key>{k}</Key><LastModified>2026-08-01T00:10:00.000Z</LastModified><Size>{len(self.objects[k])}</Size></Contents>"
            for k in keys[begin:begin + 2]) + (f"<NextContinuationToken>{begin + 2}</NextContinuationToken>" if more else "") +
            "</ListBucketResult>")

    @staticmethod
    def give(call, body):
        first, last = (int(n) for n in call.headers["Range"].removeprefix("bytes=").split("-"))
        if first >= len(body):
            return call.answer(416)
        call.answer(206, body[first:last + 1])


ROOT = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/08/01/111122223333_CloudTrail_eu-west-1_20260801T"


def packed(*events):
    return gzip.compress(json.dumps({"Records": list(events)}).encode())


@pytest.fixture
def bucket(aws):
    found = Bucket(aws, "trail")
    aws.answers["s3:list-type,prefix,continuation-token"] = found.list
    for i in range(5):
        found.put(f"{ROOT}00{i}0Z_x.json.gz", packed(event("ann", "ListObjects"), event("bob", "GetBucketPolicy")))
    found.put("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/d.json.gz", b"no log")
    return found


def uses(got):
    total = {}
    for r in got.of("usage"):
        key = (r["identity"].rsplit("/", 1)[1], r["action"])
        total[key] = total.get(key, 0) + r["count"]
    return total


def list_operation(aws):
    # tiny_aws names a listing by its parameters; both pages are the bucket's
    return [c for c in aws.calls if c.operation.startswith("s3:list-type")]


def test_a_bucket_is_read_once_and_then_only_what_is_new(aws, bucket, read):
    got = read("s3://trail/AWSLogs/")
    assert got.status == 0, got.said
    assert uses(got) == {("ann", "s3:ListBucket"): 5, ("bob", "s3:GetBucketPolicy"): 5}
    assert len(list_operation(aws)) == 3
    bucket.put(f"{ROOT}0100Z_x.json.gz", packed(event("eve", "ListObjects")))
    got = read("s3://trail/AWSLogs/")
    assert uses(got) == {("eve", "s3:ListBucket"): 1}
    assert uses(read("s3://trail/AWSLogs/")) == {}


def test_an_object_longer_than_a_block_is_read_in_ranges(aws, bucket, read):
    many = [event("ann", "ListObjects", bucket="b%d" % (i % 7)) for i in range(9000)]
    bucket.put(f"{ROOT}0200Z_long.json", json.dumps({"Records": many}).encode() + b" " * 4 * 1024 * 1024)
    got = read("s3://trail/AWSLogs/")
    assert got.status == 0, got.said
    assert uses(got)[("ann", "s3:ListBucket")] == 9005
    assert len(aws.asked(f"s3:/trail/{ROOT}0200Z_long.json")) > 1


def test_an_object_that_cannot_be_had_is_said_and_read_another_time(aws, bucket, read):
    key = f"{ROOT}0300Z_x.json.gz"
    bucket.put(key, packed(event("eve", "ListObjects")))
    whole = aws.answers[f"s3:/trail/{key}"]
    aws.on(f"s3:/trail/{key}", lambda call: call.refuse())
    got = read("s3://trail/AWSLogs/")
    assert got.status == 0, got.said
    assert ("eve", "s3:ListBucket") not in uses(got)
    assert "grant s3:GetObject" in got.said
    aws.on(f"s3:/trail/{key}", whole)
    assert uses(read("s3://trail/AWSLogs/")) == {("eve", "s3:ListBucket"): 1}


def test_a_bucket_that_may_not_be_listed_fails_the_run(aws, bucket, read):
    aws.on("s3:list-type,prefix", lambda call: call.refuse("AccessDenied", 403, "no"))
    read("s3://trail/AWSLogs/").assert_failed("io", "s3:ListObjectsV2 of trail: 403 AccessDenied")


def test_a_bucket_of_another_account_is_read_by_a_role(aws, bucket, read):
    aws.on("sts:AssumeRole", lambda call: call.query(
        "<Credentials><AccessKeyId>ASIALOGS</AccessKeyId><SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken>"
        "<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"))
    got = read("s3://trail/AWSLogs/", options=["logs_role_arn=arn:aws:iam::999988887777:role/logs"])
    assert got.status == 0, got.said
    assert {c.key for c in list_operation(aws)} == {"ASIALOGS"}


def test_the_event_history_is_read_window_by_window(aws, read):
    """Two windows have events, one of them two pages; what is over is read once."""
    def lookup(call):
        begin = datetime.datetime.fromtimestamp(call.json["StartTime"], datetime.timezone.utc)
        assert call.json["EndTime"] - call.json["StartTime"] == 6 * 3600 - 1
        age_days = (datetime.datetime.now(datetime.timezone.utc) - begin).days
        if begin.hour != 0 or age_days not in (3, 10):
            return call.give({"Events": []})
        at = begin.strftime("%Y-%m-%dT%H:%M:%SZ")
        if age_days == 10 and "NextToken" not in call.json:
            return call.give({"Events": [{"CloudTrailEvent": json.dumps(event("ann", "ListObjects", at))}], "NextToken": "2"})
        call.give({"Events": [{"CloudTrailEvent": json.dumps(event("bob", "ListObjects", at))}]})

    aws.on("cloudtrail:LookupEvents", lookup)
    got = read("lookup:eu-west-1")
    assert got.status == 0, got.said
    assert uses(got) == {("ann", "s3:ListBucket"): 1, ("bob", "s3:ListBucket"): 2}
    asked = len(aws.asked("cloudtrail:LookupEvents"))
    assert 359 <= asked <= 362
    assert uses(read("lookup:eu-west-1")) == {}
    assert len(aws.asked("cloudtrail:LookupEvents")) - asked <= 1
