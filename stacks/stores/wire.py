"""HTTP by the shortest way: the standard library's client, connections kept, nothing else.

It knows no redirects and no retries: whatever it does not get at the first attempt is left to the caller, who
asks one of the full clients, which also know how to say what is wrong.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - socket would load it with the first connection, in the middle of a fork
import http.client
import select
import ssl
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

IDLE = 16  # connections kept


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of a response; a body that was asked for into a buffer is not here."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class LostAnswerError(Exception):
    """A request that is not to be sent twice was not answered: it may have been carried out."""


class Connections:
    """Requests to a service; safe between threads, of one process.

    ``timeout`` is in seconds; ``tls`` makes the context when the first secure connection needs it.
    """

    def __init__(self, timeout: float, tls: Callable[[], ssl.SSLContext]) -> None:
        self._timeout = timeout
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._idle: list[tuple[str, http.client.HTTPConnection]] = []
        weakref.finalize(self, _close_all, self._idle)

    def fetch(
        self, url: str, headers: Mapping[str, str] | None = None, into: memoryview | None = None
    ) -> Answer | None:
        """The answer to a GET; None when there was none, or a body that does not fill ``into``."""
        return self._ask("GET", url, headers or {}, None, into, once=False)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, once: bool
    ) -> Answer | None:
        """The answer to a request with a body; None when there was none.

        Raises:
            LostAnswerError: there was none, and ``once`` says that the request must not be sent again.
        """
        return self._ask(method, url, headers, body, None, once=once)

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        into: memoryview | None,
        *,
        once: bool,
    ) -> Answer | None:
        parts = urlsplit(url)
        origin, target = f"{parts.scheme}://{parts.netloc}", f"{parts.path}?{parts.query}"
        for fresh in (False, True):
            connection = None if fresh else self._reuse(origin)
            if connection is None and not fresh:
                continue
            try:
                connection = connection or self._connect(origin)
            except OSError:
                return None  # it was not sent
            try:
                connection.request(method, target, body, dict(headers))
                return self._answer(connection, origin, into)
            except (OSError, http.client.HTTPException) as error:
                connection.close()  # an idle one may have been closed by the service: once more, afresh
                if once:
                    raise LostAnswerError(f"{type(error).__name__}: {error}") from error
        return None

    def _answer(
        self, connection: http.client.HTTPConnection, origin: str, into: memoryview | None
    ) -> Answer | None:
        response = connection.getresponse()
        body = b""
        if into is None or response.status != 206:
            body = response.read()
        elif response.length != len(into) or not _fill(response, into):
            connection.close()
            return None
        if response.will_close or len(self._idle) >= IDLE:
            connection.close()
        else:
            self._idle.append((origin, connection))
        said = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, said, body)

    def _reuse(self, origin: str) -> http.client.HTTPConnection | None:
        while True:
            try:
                known, connection = self._idle.pop()
            except IndexError:
                return None
            if known == origin and not _was_closed(connection):
                return connection
            connection.close()

    def _connect(self, origin: str) -> http.client.HTTPConnection:
        parts = urlsplit(origin)
        host = parts.hostname or ""
        connection = http.client.HTTPConnection(host, parts.port, timeout=self._timeout)
        if parts.scheme == "https":
            if self._tls is None:
                self._tls = self._make_tls()
            connection = http.client.HTTPSConnection(
                host, parts.port, timeout=self._timeout, context=self._tls
            )
        connection.connect()
        return connection


def _was_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the service has closed an idle connection: then it can be read from, and says nothing."""
    if connection.sock is None:
        return True
    watch = select.poll()
    watch.register(connection.sock, select.POLLIN)
    return bool(watch.poll(0))


def _close_all(idle: list[tuple[str, http.client.HTTPConnection]]) -> None:
    while idle:
        idle.pop()[1].close()


def _fill(response: http.client.HTTPResponse, into: memoryview) -> bool:
    at = 0
    while at < len(into):
        got = response.readinto(into[at:])
        if not got:
            return False
        at += got
    return True
