"""An AWS emulator with a memory for what it accepts and does not keep: notifications and replication.

moto answers to both settings with less than it was told, so every plan would want to set them again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

from small_server import Answer, Asked, serving


@contextmanager
def forgetting_nothing(upstream: str) -> Iterator[str]:
    """The emulator, with a memory for what it is told of notifications and replication."""
    kept: dict[tuple[str, str], bytes] = {}

    def handle(asked: Asked) -> Answer:
        setting = next((name for name in ("notification", "replication") if name in asked.query), None)
        place = (asked.path, setting or "")
        if setting and asked.method == "GET" and place in kept:
            return Answer(200, kept[place], {"Content-Type": "application/xml"})
        answer = _forwarded(upstream, asked)
        if setting and asked.method == "PUT" and answer.status < 300:
            kept[place] = asked.body
        if setting and asked.method == "DELETE":
            kept.pop(place, None)
        return answer

    with serving(handle) as url:
        yield url


def _forwarded(upstream: str, asked: Asked) -> Answer:
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=60)
    query = f"?{urlencode(asked.query)}" if asked.query else ""
    connection.request(asked.method, asked.path + query, asked.body, dict(asked.headers))
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    ours = ("connection", "content-length", "date", "server", "transfer-encoding")
    headers = {name: value for name, value in answer.getheaders() if name.lower() not in ours}
    return Answer(answer.status, body, headers)
