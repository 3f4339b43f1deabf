#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server that can misbehave in the ways that AWS and networks are known to.

It prints "ready HTTP-PORT HTTPS-PORT PROXY-PORT CA-FILE" and serves until its standard input ends.
What a path does is said beside its function. `?key=K` counts the requests of a test by itself.
"""
import base64
import collections
import gzip
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = collections.Counter()
lock = threading.Lock()
connects = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    clock_offset_s = 0

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + self.clock_offset_s, usegmt=True)

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def any_method(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name, *rest = url.path.strip("/").split("/")
        with lock:
            seen[self.query.get("key", "")] += 1
            self.count = seen[self.query.get("key", "")]
        self.clock_offset_s = 0
        getattr(self, "do_path_" + name.replace("-", "_"))(*rest)

    do_GET = do_POST = do_PUT = do_HEAD = any_method

    def do_path_echo(self):  # says what arrived
        headers = [[k.lower(), v] for k, v in self.headers.items()]
        text = json.dumps({"method": self.command, "path": self.path, "headers": headers,
                           "body": self.body.decode()})
        self.answer(200, text.encode(), [("X-Two", "a"), ("X-Two", "b")])

    def do_path_count(self):  # how many requests had this key, without this one
        self.answer(200, str(self.count - 1).encode())

    def do_path_status(self, status, times="1000000"):  # this status for the first `times` requests
        if self.count > int(times):
            return self.answer(200, b"fine")
        headers = [("Retry-After", self.query["after"])] if "after" in self.query else []
        self.answer(int(status), b"trouble", headers)

    def do_path_aws_throttle(self, times):  # as the JSON services do: 400
        if self.count > int(times):
            return self.answer(200, b"{}")
        self.answer(400, b'{"__type":"com.amazonaws.kms#ThrottlingException","message":"Rate exceeded"}')

    def do_path_aws_clock(self, offset_s):  # refuses signatures of another time than its own
        self.clock_offset_s = int(offset_s)
        when = time.strptime(self.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
        import calendar
        if abs(calendar.timegm(when) - (time.time() + self.clock_offset_s)) < 300:
            return self.answer(200, b"fine")
        self.answer(403, b"<ErrorResponse><Error><Type>Sender</Type><Code>RequestTimeTooSkewed</Code>"
                         b"</Error></ErrorResponse>")

    def do_path_aws_denied(self):  # wrong key, right time
        self.answer(403, b"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>")

    def do_path_cut(self, times):  # breaks off in the middle of the body
        if self.count > int(times):
            return self.answer(200, b"whole")
        self.answer(200, b"half", length=8)
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_path_drop(self, times):  # closes without a word
        if self.count > int(times):
            return self.answer(200, b"whole")
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_path_slow(self):  # never ends its body; gives up when the client does
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"x")
        self.wfile.flush()
        self.close_connection = True
        select.select([self.connection], [], [], 60)

    def do_path_gzip(self):
        self.answer(200, gzip.compress(b"inflated"), [("Content-Encoding", "gzip")])

    def do_path_bomb(self):  # a megabyte that inflates to a gigabyte
        block = gzip.compress(bytes(64 * 1024 * 1024))
        self.answer(200, block * 16, [("Content-Encoding", "gzip")])

    def do_path_bad_gzip(self):
        self.answer(200, gzip.compress(os.urandom(4096))[:2000], [("Content-Encoding", "gzip")])

    def do_path_large(self, size):
        self.answer(200, b"x" * int(size))

    def do_path_chunked(self, size):  # says no length
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = int(size)
        try:
            while left > 0:
                n = min(left, 65536)
                self.wfile.write(b"%x\r\n" % n + b"x" * n + b"\r\n")
                left -= n
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def do_path_headers(self, count):  # more than anyone should send
        self.answer(200, b"", [("X-H%d" % i, "v" * 200) for i in range(int(count))])

    def do_path_moved(self, where):  # to another host, to itself for ever, or once
        to = {"other": "http://other.example.com/echo", "loop": "/moved/loop", "once": "/echo"}[where]
        self.answer(302, b"moved", [("Location", to)])

    def do_path_sts(self):  # what AssumeRole gives
        self.answer(200, b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAEXAMPLE"
                         b"</AccessKeyId><SecretAccessKey>verysecretkey</SecretAccessKey><SessionToken>"
                         b"verysecrettoken</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>")

    def do_path_binary(self):
        self.answer(200, bytes(range(256)))

    def do_path_connects(self):
        self.answer(200, json.dumps(connects).encode())


class Proxy(BaseHTTPRequestHandler):
    """CONNECT to whatever name leads to the HTTPS server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        auth = self.headers.get("Proxy-Authorization", "")
        connects.append([self.path, base64.b64decode(auth[6:]).decode() if auth else ""])
        self.send_response(200, "established")
        self.end_headers()
        there = socket.create_connection(("127.0.0.1", https.server_address[1]))
        ends = {self.connection: there, there: self.connection}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    there.close()
                    self.close_connection = True
                    return
                ends[end].sendall(data)


folder = tempfile.TemporaryDirectory()
ca = os.path.join(folder.name, "ca.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=iam.example.com", "-addext", "subjectAltName=DNS:iam.example.com",
                "-keyout", os.path.join(folder.name, "key.pem"), "-out", ca], check=True, capture_output=True)
http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
https = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(ca, os.path.join(folder.name, "key.pem"))
https.socket = context.wrap_socket(https.socket, server_side=True)
proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
for server in (http, https, proxy):
    server.handle_error = lambda *_: None  # a client that hangs up is what these tests are about
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", http.server_address[1], https.server_address[1], proxy.server_address[1], ca, flush=True)
sys.stdin.read()
