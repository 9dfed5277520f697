"""How a stand-in speaks to the service behind it: JSON over HTTP, to the address that a test gives."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

SERVER = "STANDIN_SERVER"
"""The environment variable with the server's address, ``http://127.0.0.1:PORT``."""

_SECONDS = 60


class ApiError(Exception):
    """The service refused: becomes an error of Terraform's, as a real provider's would."""

    def __init__(self, status: int, method: str, url: str, body: Any) -> None:
        said = body if isinstance(body, str) else json.dumps(body)
        super().__init__(f"{method} {url}: {status} {said}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Reply:
    """What the service answered; ``body`` is decoded where it is JSON, else text."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """The service, and the provider block's arguments by which it is to be reached."""

    provider: str
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def server(self) -> str:
        """The address that the test gave.

        Raises RuntimeError when it gave none.
        """
        address = os.environ.get(SERVER)
        if not address:
            raise RuntimeError(f"the stand-in for {self.provider} has no service: {SERVER} is not set")
        return address.rstrip("/")

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (200, 201, 202, 204),
    ) -> Reply:
        """One request; ``path`` is one, or a whole URL.

        Raises ApiError when it is answered otherwise than with one of ``expect``.
        """
        url = path if "://" in path else f"{self.server}{path}"
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=_SECONDS)
        content = None if body is None else json.dumps(body).encode()
        sent = {"Accept": "application/json", "User-Agent": f"standin-{self.provider}", **(headers or {})}
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target or "/", content, sent)
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        reply = Reply(answer.status, _decoded(raw), {k.lower(): v for k, v in answer.getheaders()})
        if reply.status not in expect:
            raise ApiError(reply.status, method, url, reply.body)
        return reply

    def get(self, path: str, **options: Any) -> Any:
        """The body of what is there, or None where there is nothing (404)."""
        reply = self.ask("GET", path, expect=(200, 404), **options)
        return None if reply.status == http.client.NOT_FOUND else reply.body


def _decoded(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
