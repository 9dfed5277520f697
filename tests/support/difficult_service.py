"""An emulator of S3 behind a service that makes difficulties: it refuses, or does not hear all it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from small_server import Answer, Asked, serving


@contextmanager
def careless(upstream: str) -> Iterator[str]:
    """The emulator, but conditions on writes do not reach it: some S3-compatible services are like that."""

    with between(upstream, lambda _asked: False, withheld="if-none-match") as url:
        yield url


@contextmanager
def between(upstream: str, refuse: Callable[[Asked], bool], withheld: str = "") -> Iterator[str]:
    """The emulator behind a service that refuses some requests, and withholds a header from it."""

    def handle(asked: Asked) -> Answer:
        if refuse(asked):
            return Answer(403, b"<Error><Code>AccessDenied</Code><Message>by the test</Message></Error>")
        headers = {name: value for name, value in asked.headers.items() if name != withheld}
        connection = HTTPConnection(urlsplit(upstream).netloc, timeout=30)
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        connection.request(asked.method, asked.path + query, asked.body, headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Answer(answer.status, body, {"Content-Type": answer.getheader("Content-Type", "text/plain")})

    with serving(handle) as url:
        yield url
