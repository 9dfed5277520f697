"""A proxy between store and service that breaks what passes through it, as a test asks."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

CODES = {"429": "TooManyRequests", "503": "SlowDown", "403": "AccessDenied", "401": "InvalidAccessKeyId"}
Wanted = Callable[["Request"], bool]
Hop = {"transfer-encoding", "connection", "content-length", "server", "date"}
"""Headers that belong to one connection, or that this server writes itself."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str


@dataclass
class Answer:
    """What the service said, before it is passed on."""

    status: int
    headers: dict[str, str]
    content: bytes


Change = Callable[[Request, Answer], Answer]


@dataclass
class Faults:
    """What to break: ``kind`` for the next ``times`` requests that ``wanted`` picks. All are noted.

    ``change`` sees, and may replace, every answer that comes through; ``dropped`` are headers of requests
    that the service never sees, as if it did not know them.
    """

    kind: str = ""
    times: int = 0
    wanted: Wanted = lambda request: True
    expired: set[str] = field(default_factory=set)
    change: Change = lambda request, answer: answer
    dropped: set[str] = field(default_factory=set)
    seen: list[Request] = field(default_factory=list)
    broken: int = 0

    def breaks(self, kind: str, times: int = 1, wanted: Wanted = lambda request: True) -> None:
        self.kind, self.times, self.wanted, self.broken = kind, times, wanted, 0

    def take(self, request: Request) -> str:
        self.seen.append(request)
        if request.token in self.expired:
            return "expired"
        if self.times > 0 and self.wanted(request):
            self.times -= 1
            self.broken += 1
            return self.kind
        return ""


@dataclass
class Proxy:
    url: str
    faults: Faults


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(target)
        self.faults = Faults()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = urlsplit(self.path).query
        token = self.headers.get("X-Amz-Security-Token") or ""
        for part in query.split("&"):
            if part.startswith("X-Amz-Security-Token="):
                token = part.partition("=")[2]
        request = Request(self.command, self.path, token)
        with self.server.lock:
            kind = self.server.faults.take(request)
        if kind == "reset":
            self.reset()
        elif kind == "expired":
            self.refuse(400, "ExpiredToken")
        elif kind.isdigit():
            self.refuse(int(kind), CODES.get(kind, "InternalError"))
        else:
            self.forward(request, body, kind)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def refuse(self, status: int, code: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        text = b"" if self.command == "HEAD" else text
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def forward(self, request: Request, body: bytes, kind: str) -> None:
        answer = self.server.faults.change(request, self.ask(body))
        if kind == "lost":  # done by the service, but nobody hears of it
            self.reset()
            return
        if kind == "header":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            self.reset()
            return
        content = answer.content
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in Hop:
                self.send_header(name, value)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if kind in {"truncate", "stall"}:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            if kind == "stall":
                time.sleep(4)
            self.reset()
        else:
            self.wfile.write(content)

    def ask(self, body: bytes) -> Answer:
        """What the service itself says."""
        connection = http.client.HTTPConnection(
            self.server.upstream.hostname or "", self.server.upstream.port, timeout=60
        )
        try:
            dropped = self.server.faults.dropped
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ValueError, OSError):
            self.close_connection = True  # the client gave up: that is what was provoked

    def finish(self) -> None:
        try:
            super().finish()
        except (ConnectionError, ValueError, OSError):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """Listens on a free port, and passes on to ``target`` what it does not break."""
    server = Server(target)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Proxy(f"http://127.0.0.1:{server.server_address[1]}", server.faults)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
