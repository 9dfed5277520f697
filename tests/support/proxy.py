"""A proxy in front of the emulator that can refuse, fail, or hold a request back."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Request:
    """What somebody asks of the cloud."""

    method: str
    path: str
    body: bytes

    @property
    def creates_bucket(self) -> bool:
        """Whether this is S3's CreateBucket: a PUT of /bucket and nothing behind it."""
        url = urlsplit(self.path)
        return self.method == "PUT" and url.path.count("/") == 1 and not url.query


@dataclass(frozen=True)
class Answer:
    """What the proxy answers in the place of the cloud."""

    status: int
    body: str
    type: str = "application/xml"


def error(request: Request, status: int, code: str) -> Answer:
    """An error as the service says it: S3 in one form; IAM and STS, asked by POST of /, in another."""
    text = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{code} by the test</Message></Error>"
    asked_by_query = request.method == "POST" and request.path == "/"
    return Answer(status, f"<ErrorResponse>{text}</ErrorResponse>" if asked_by_query else text)


@dataclass
class Proxy:
    """``before`` may answer a request itself; ``after`` is called once the cloud has answered."""

    url: str
    before: Callable[[Request], Answer | None] = field(default=lambda _request: None)
    after: Callable[[Request], None] = field(default=lambda _request: None)
    seen: list[Request] = field(default_factory=list)

    def heal(self) -> None:
        """Let everything through again."""
        self.before = lambda _request: None
        self.after = lambda _request: None


class Held:
    """Requests that the cloud has carried out, while whoever asked still waits for the answer."""

    def __init__(self, which: Callable[[Request], bool]) -> None:
        self._which = which
        self.reached = threading.Event()
        self.released = threading.Event()

    def __call__(self, request: Request) -> None:
        if self._which(request):
            self.reached.set()
            self.released.wait(180)


@contextmanager
def proxy_to(target: str) -> Iterator[Proxy]:
    """Start one in front of ``target`` on a free port, and stop it."""
    host = urlsplit(target).netloc
    proxy = Proxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, body)
            proxy.seen.append(request)
            answer = proxy.before(request)
            if answer is not None:
                self._send(answer.status, [("Content-Type", answer.type)], answer.body.encode())
                return
            upstream = http.client.HTTPConnection(host, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            upstream.request(self.command, self.path, body, {**headers, "Host": host})
            response = upstream.getresponse()
            content = response.read()
            proxy.after(request)
            self._send(response.status, response.getheaders(), content)
            upstream.close()

        def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            try:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                told = {name.lower(): value for name, value in headers}.get("content-length")
                # A HEAD has no body, but the length of what a GET would bring.
                length = told if self.command == "HEAD" and told else str(len(body))
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked was killed

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815  # http.server's names

        def log_message(self, *args: object) -> None:
            """Quiet: what was asked is in ``seen``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, name="proxy")
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
