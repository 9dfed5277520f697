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
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

CODES = {"429": "TooManyRequests", "503": "SlowDown", "403": "AccessDenied", "401": "InvalidAccessKeyId"}
Wanted = Callable[["Request"], bool]
Hop = {"transfer-encoding", "connection", "content-length", "server", "date"}
"""Headers that belong to one connection, or that this server writes itself."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    token: str
    agent: str = ""
    accepts: str = ""
    condition: str = ""


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


@dataclass(frozen=True)
class Dialect:
    """How a service tells credentials and errors; ``own_host`` is one that answers to its own name only."""

    token: Callable[[Message, str], str]
    expired: tuple[int, str] = (400, "ExpiredToken")
    own_host: bool = False

    def error(self, code: str) -> tuple[dict[str, str], bytes]:
        text = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
        return {"x-ms-error-code": code, "Content-Type": "application/xml"}, text.encode()


def from_query(path: str, name: str) -> str:
    pairs = (part.partition("=") for part in urlsplit(path).query.split("&"))
    return next((unquote(value) for key, _, value in pairs if key == name), "")


S3 = Dialect(
    lambda headers, path: (
        from_query(path, "X-Amz-Security-Token") or headers.get("X-Amz-Security-Token") or ""
    )
)
GCS = Dialect(lambda headers, path: headers.get("Authorization") or "", (401, "Unauthorized"), own_host=True)
AZURE = Dialect(lambda headers, path: from_query(path, "sig"), (403, "AuthenticationFailed"))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, target: str, dialect: Dialect) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(target)
        self.dialect = dialect
        self.faults = Faults()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        dialect = self.server.dialect
        said = [self.headers.get(name) or "" for name in ("User-Agent", "Accept-Encoding")]
        condition = self.headers.get("If-None-Match") or from_query(self.path, "ifGenerationMatch")
        request = Request(self.command, self.path, dialect.token(self.headers, self.path), *said, condition)
        with self.server.lock:
            kind = self.server.faults.take(request)
        if kind == "reset":
            self.reset()
        elif kind == "expired":
            self.refuse(*dialect.expired)
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
        headers, text = self.server.dialect.error(code)
        text = b"" if self.command == "HEAD" else text
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
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
                self.send_header(name, self.here(value) if name.lower() == "location" else value)
        sizes = [value for name, value in answer.headers.items() if name.lower() == "content-length"]
        length = sizes[0] if self.command == "HEAD" and sizes else None
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

    def here(self, url: str) -> str:
        """Where an upload goes on: through this proxy, too."""
        return url.replace(self.server.upstream.netloc, self.headers["Host"])

    def ask(self, body: bytes) -> Answer:
        """What the service itself says."""
        connection = http.client.HTTPConnection(
            self.server.upstream.hostname or "", self.server.upstream.port, timeout=60
        )
        try:
            dropped = self.server.faults.dropped
            headers = {name: value for name, value in self.headers.items() if name.lower() not in dropped}
            if self.server.dialect.own_host:
                headers = {name: value for name, value in headers.items() if name.lower() != "host"}
                headers["Host"] = self.server.upstream.netloc
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
def proxy(target: str, dialect: Dialect = S3) -> Iterator[Proxy]:
    """Listens on a free port, and passes on to ``target`` what it does not break."""
    server = Server(target, dialect)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)  # else it ends late
    thread.start()
    try:
        yield Proxy(f"http://127.0.0.1:{server.server_address[1]}", server.faults)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
