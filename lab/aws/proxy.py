"""A proxy in front of an AWS endpoint that answers as AWS does on a bad day.

moto never throttles, never loses a connection and never says that a clock is wrong; of idempotency tokens it
keeps none. Those answers come from here, in the shapes that AWS documents, and everything else is passed on.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "host", "content-length", "date", "server"}
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came.

    Attributes:
        action: `DescribeInstances`; of S3 the method and path: `PUT /bucket/key`.
        fields: First value of each field of a form, empty for other bodies.
    """

    key: str
    region: str
    service: str
    action: str
    query: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `date` is the header of that name, now when empty."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    date: str = ""


class Cut(Exception):
    """The connection ends without an answer; `late` lets the request through first."""

    def __init__(self, *, late: bool = False) -> None:
        super().__init__("cut")
        self.late = late


Rule = Callable[[Call], Answer | None]
Edit = Callable[[Call, bytes], bytes]


class Proxy:
    """Rules are asked in order before a request is passed on; edits change what the endpoint said.

    Attributes:
        calls: Every request that came.
        served: Those that were passed on and answered by the endpoint.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.calls: list[Call] = []
        self.served: list[Call] = []
        self.rules: list[Rule] = []
        self.edits: list[Edit] = []
        self._kept: dict[str, Answer] = {}
        self._once = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve in a thread."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def fresh(self) -> None:
        """Forget every rule, every request and every token."""
        for held in (self.rules, self.edits, self.calls, self.served):
            held.clear()
        with self._once:
            self._kept.clear()

    def count(self, action: str, region: str = "") -> int:
        """How many requests of an action came."""
        return sum(c.action == action and region in ("", c.region) for c in tuple(self.calls))

    def answer(self, call: Call, method: str, path: str, body: bytes) -> Answer:
        """What a request gets.

        Raises:
            Cut: Its connection shall end.
        """
        self.calls.append(call)
        late: Cut | None = None
        for rule in tuple(self.rules):
            try:
                given = rule(call)
            except Cut as cut:
                if not cut.late:
                    raise
                late = cut
                continue
            if given is not None:
                return given
        answer = self._once_per_token(call, method, path, body)
        self.served.append(call)
        for edit in tuple(self.edits):
            answer = Answer(answer.status, edit(call, answer.body), answer.headers)
        if late is not None:
            raise late
        return answer

    def _once_per_token(self, call: Call, method: str, path: str, body: bytes) -> Answer:
        """EC2's idempotency, which moto lacks: one token, one launch ("Ensuring idempotency", EC2 API)."""
        token = call.fields.get("ClientToken", "") if call.action in ("RunInstances", "CopyImage") else ""
        if not token:
            return self._passed_on(call, method, path, body)
        with self._once:
            if token not in self._kept:
                answer = self._passed_on(call, method, path, body)
                if answer.status != 200:
                    return answer
                self._kept[token] = answer
            return self._kept[token]

    def _passed_on(self, call: Call, method: str, path: str, body: bytes) -> Answer:
        """The request as it came, its host too: that is what the client signed."""
        at = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in call.headers.items():
                if name.lower() == "host" or name.lower() not in _HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            said = connection.getresponse()
            return Answer(said.status, said.read(), tuple(said.getheaders()))
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _proxy(self) -> Proxy:
        server = self.server
        assert isinstance(server, _Server)
        return server.proxy

    def _serve(self) -> None:
        body = self._body()
        call = _call(self.command, self.path, dict(self.headers.items()), body)
        try:
            answer = self._proxy().answer(call, self.command, self.path, body)
        except Cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        except OSError:
            answer = Answer(502, b"")
        self._send(answer)

    def _body(self) -> bytes:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> bytes:
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        names = set()
        for name, value in answer.headers:
            names.add(name.lower())
            if name.lower() not in _HOP or (name.lower() == "content-length" and self.command == "HEAD"):
                self.send_header(name, value)
        self.send_header("Date", answer.date or formatdate(usegmt=True))
        if self.command != "HEAD" or "content-length" not in names:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _call(method: str, path: str, headers: dict[str, str], body: bytes) -> Call:
    key, region, service = "", "", ""
    if match := _SCOPE.search(headers.get("Authorization", "")):
        key, region, service = match.groups()
    fields: dict[str, str] = {}
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        fields = {name: values[0] for name, values in parse_qs(body.decode(errors="replace")).items()}
    target = headers.get("X-Amz-Target", "").rpartition(".")[2]
    action = fields.get("Action") or target or f"{method} {urlsplit(path).path}"
    if "/operation/" in path:  # Smithy RPC: /service/NAME/operation/ACTION
        action = path.rpartition("/")[2]
    return Call(key, region, service, action, urlsplit(path).query, fields, headers)


def refusal(call: Call, code: str, message: str, status: int = 400) -> Answer:
    """An error as the service's protocol words it."""
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    if call.service == "ec2":
        body = f"<Response><Errors>{inner}</Errors><RequestID>lab</RequestID></Response>"
    elif call.service == "s3":
        body = f'<?xml version="1.0" encoding="UTF-8"?>{inner}'
    elif "X-Amz-Target" in call.headers or "smithy-protocol" in {name.lower() for name in call.headers}:
        kind = "application/x-amz-json-1.1"
        text = f'{{"__type":"{code}","message":"{message}"}}'
        return Answer(status, text.encode(), (("Content-Type", kind),))
    else:
        body = f"<ErrorResponse>{inner}<RequestId>lab</RequestId></ErrorResponse>"
    return Answer(status, body.encode(), (("Content-Type", "text/xml"),))


def throttles(times: int, action: str = "") -> Rule:
    """The first requests are told to come more slowly."""
    left, lock = [times], threading.Lock()

    def rule(call: Call) -> Answer | None:
        if action not in ("", call.action):
            return None
        with lock:
            if left[0] <= 0:
                return None
            left[0] -= 1
        return refusal(call, "RequestLimitExceeded", "Request limit exceeded.", 503)

    return rule


def refuses(code: str, message: str, *, region: str = "", action: str = "", status: int = 400) -> Rule:
    """Every matching request is refused with this."""

    def rule(call: Call) -> Answer | None:
        if region not in ("", call.region) or action not in ("", call.action):
            return None
        return refusal(call, code, message, status)

    return rule


def clock_wrong(hours: float) -> Rule:
    """This machine's clock is behind by so many hours, says AWS, and its own `Date` shows by how much."""

    def rule(call: Call) -> Answer | None:
        said = refusal(
            call, "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.", 403,
        )  # fmt: skip
        date = formatdate(time.time() + hours * 3600, usegmt=True)
        return Answer(said.status, said.body, said.headers, date)

    return rule


def slow(seconds: float, region: str = "") -> Rule:
    """Every request takes this long."""

    def rule(call: Call) -> Answer | None:
        if region in ("", call.region):
            time.sleep(seconds)
        return None

    return rule


def cuts(action: str, *, late: bool, times: int = 1) -> Rule:
    """The connection of the first such requests ends without an answer, before or after they were carried out."""
    left, lock = [times], threading.Lock()

    def rule(call: Call) -> Answer | None:
        if call.action != action:
            return None
        with lock:
            if left[0] <= 0:
                return None
            left[0] -= 1
        raise Cut(late=late)

    return rule


@contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """A running proxy."""
    proxy = Proxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
