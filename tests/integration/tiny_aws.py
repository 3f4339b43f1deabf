# SPDX-License-Identifier: Apache-2.0
"""An AWS of one's own, as small as can be: every operation answers with nothing in it, and a test says
which answer otherwise. It can misbehave in the ways that AWS documents.

    aws = TinyAws()
    aws.on("iam:ListUsers", lambda call: call.query("<Users/>"))
    aws.url
"""
import json
import re
import socket
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TARGETS = {
    "AWSOrganizationsV20161128": "organizations", "TrentService": "kms", "AmazonSQS": "sqs",
    "secretsmanager": "secretsmanager", "AmazonEC2ContainerRegistry_V20150921": "ecr", "DynamoDB_20120810": "dynamodb",
    "AWSEvents": "events", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101": "cloudtrail", "SWBExternalService": "sso-admin", "AWSIdentityStore": "identitystore",
}


class Call:
    """One request, and ways to answer it."""

    def __init__(self, handler, body):
        self.handler = handler
        self.body = body
        self.headers = handler.headers
        split = urllib.parse.urlsplit(handler.path)
        self.path = urllib.parse.unquote(split.path)
        self.form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace") if body else "", keep_blank_values=True))
        self.params = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        credential = re.search(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/", self.headers.get("Authorization", ""))
        self.key, self.region, self.signed_for = credential.groups() if credential else (None, None, None)
        self.operation = self._operation()

    def _operation(self):
        target = self.headers.get("X-Amz-Target")
        if target:
            prefix, operation = target.rsplit(".", 1)
            self.json = json.loads(self.body or b"{}")
            return f"{TARGETS[prefix]}:{operation}"
        if "Action" in self.form:
            return f"{self.signed_for or 'sts'}:{self.form['Action']}"
        if self.signed_for == "s3":
            return "s3:" + (",".join(k for k in self.params if k not in ("max-buckets", "continuation-token")) or self.handler.path)
        return f"{self.signed_for or 'local'}:{self.path}"

    def answer(self, status, body=b"", headers=(), cut_at=None):
        h = self.handler
        body = body.encode() if isinstance(body, str) else body
        h.send_response(status)
        for name, value in headers:
            h.send_header(name, value)
        h.send_header("Content-Length", str(len(body)))
        h.end_headers()
        h.wfile.write(body if cut_at is None else body[:cut_at])
        if cut_at is not None:  # the line breaks
            h.wfile.flush()
            h.close_connection = True
            h.connection.shutdown(socket.SHUT_RDWR)

    def query(self, inner="", **how):
        action = self.form["Action"]
        self.answer(200, f'<?xml version="1.0"?><{action}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
                         f"<{action}Result>{inner}</{action}Result><ResponseMetadata><RequestId>{id(self)}</RequestId>"
                         f"</ResponseMetadata></{action}Response>", **how)

    def give(self, document, **how):
        self.answer(200, json.dumps(document), **how)

    def refuse(self, code="AccessDenied", status=403, message="not authorized"):
        if self.headers.get("X-Amz-Target") or self.signed_for not in ("iam", "sts", "sns", "s3", "ec2", None):
            return self.answer(status, json.dumps({"__type": code, "message": message}))
        return self.answer(status, f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
                                   f"<Message>{message}</Message></Error></ErrorResponse>")

    def nothing(self):
        if self.signed_for == "s3":
            if self.operation == "s3:/?max-buckets=1000":
                return self.answer(200, "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>")
            return self.answer(404, "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code></Error>")
        if self.operation == "organizations:DescribeOrganization":
            return self.refuse("AWSOrganizationsNotInUseException", 400)
        if "Action" in self.form:
            if self.operation == "iam:GenerateCredentialReport":
                return self.query("<State>COMPLETE</State>")
            return self.query()
        return self.give({})


class TinyAws:
    def __init__(self):
        self.answers = {}
        self.calls = []
        self.clock_offset_s = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def date_time_string(self, timestamp=None):
                return formatdate(time.time() + outer.clock_offset_s, usegmt=True)

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = Call(self, body)
                with outer.lock:
                    outer.calls.append(call)
                outer.answers.get(call.operation, Call.nothing)(call)

            do_POST = do_PUT = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.on("sts:GetCallerIdentity", lambda call: call.query(
            "<Arn>arn:aws:iam::111122223333:user/kim</Arn><UserId>AIDA</UserId><Account>111122223333</Account>"))

    def on(self, operation, answer):
        self.answers[operation] = answer

    def asked(self, operation):
        return [call for call in self.calls if call.operation == operation]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def users(*names):
    """A page of GetAccountAuthorizationDetails."""
    return "<UserDetailList>" + "".join(
        f"<member><UserName>{n}</UserName><Path>/</Path><UserId>AIDA{n.upper()}</UserId><Arn>arn:aws:iam::111122223333:user/{n}"
        f"</Arn><CreateDate>2020-01-01T00:00:00Z</CreateDate></member>" for n in names) + "</UserDetailList>"
