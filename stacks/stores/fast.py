"""obstore, the fast client, beside a cloud's own SDK.

obstore's runtime does not survive a fork: a child's first request would hang for ever. So a process that was
forked from one that had obstore loaded goes without it. What it cannot hold (control letters in a key) and
what it cannot explain (its errors say little) is the SDK's to do: a primitive tries the fast client, takes
what it says for certain, and leaves the rest to the SDK.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.request import getproxies

from stacks import forks
from stacks.credentials import AzureCredentials, CachedCredentials, GcpToken
from stacks.errors import MissingExtraError
from stacks.stores.cached_client import ClientOfProcess

logger = logging.getLogger(__name__)

C = TypeVar("C", GcpToken, AzureCredentials)
R = TypeVar("R")

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte
RETRIES = 3  # few: the SDK tries again
_ODD = re.compile(r"[\x00-\x1f\x7f]|//|^/|/$|(^|/)\.\.?(/|$)")
_STATUS = re.compile(r"status code: (\d{3})|\(code: (\d{3})\)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_KINDS = {
    "FileNotFoundError": 404,
    "NotFoundError": 404,
    "AlreadyExistsError": 409,
    "PreconditionError": 412,
    "PermissionDeniedError": 403,
    "UnauthenticatedError": 401,
}
_USELESS = 3  # times in a row that the SDK could what the fast client could not
_PAUSE = 60.0  # seconds that the SDK then works alone


def load_obstore(extra: str) -> Any:
    """The package obstore, of which nothing is typed where it is used.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import obstore
    except ImportError as error:
        raise MissingExtraError(
            f"the {extra} artifact store needs the package obstore",
            hint=f"pip install 'stack-provisioner[{extra}]'",
            extra=extra,
        ) from error
    return obstore


def options(url: str) -> dict[str, Any]:
    """How obstore speaks to a service, as its stores take it."""
    client: dict[str, Any] = {
        "allow_http": url.startswith("http://"),
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT),
        "read_timeout": timedelta(seconds=READ_TIMEOUT),
        "timeout": timedelta(hours=1),  # of a whole request; a line that stands still ends with read_timeout
        "default_headers": {"accept-encoding": "gzip"},  # else Google unpacks what was stored packed
    }
    trusted = authorities()
    if trusted is not None:
        client["root_certificate"] = Path(trusted).read_bytes()
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=2), "base": 2}
    retry = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=60), "backoff": backoff}
    return {"client_options": client, "retry_config": retry}


def authorities() -> str | None:
    """The file of certificate authorities that requests, under both SDKs, is told to trust."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named if named and Path(named).is_file() else None


def tls() -> ssl.SSLContext:
    """What requests would trust."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return ssl.create_default_context(cafile=authorities() or DEFAULT_CA_BUNDLE_PATH)


def is_straight() -> bool:
    """Whether the way to a service is straight: without proxies."""
    return not any(getproxies().get(scheme) for scheme in ("http", "https"))


class FastFailure(Exception):  # noqa: N818 - it says what failed, and to whom it is left
    """What the fast client could not do; shaped as the SDKs' exceptions, status 0 where nothing answered."""

    def __init__(self, error: BaseException) -> None:
        text = str(error).partition("\n\nDebug source:")[0]
        status, code = _STATUS.search(text), _CODE.search(text)
        self.status_code = int(status[1] or status[2]) if status else _KINDS.get(type(error).__name__, 0)
        self.error_code = code[1] if code else ""
        self.refused_key = isinstance(error, ValueError)
        unsent = self.refused_key or "kind: Connect," in str(error)  # obstore says so in its debug chain only
        self.in_doubt = self.status_code >= 500 or not (self.status_code or unsent)
        super().__init__(text.partition("\n")[0][:300])


@dataclass(frozen=True, eq=False)
class _Kept:
    obstore: Any
    store: Any


class FastClient(Generic[C]):
    """A store of obstore's, one per process, with credentials that are renewed when the service asks.

    ``make(obstore)`` makes it; ``credentials`` are asked before each call, so that what is wrong with them is
    said here and not within obstore.
    """

    def __init__(self, make: Callable[[Any], Any], credentials: CachedCredentials[C], *, extra: str) -> None:
        self._make, self._extra = make, extra
        self._credentials: CachedCredentials[C] = credentials
        self._renewals = 0
        self._rescues = 0
        self._paused_until = 0.0
        self._client: ClientOfProcess[int, _Kept] = ClientOfProcess(self._make_client, lambda: self._renewals)

    def _make_client(self, _: int) -> _Kept:
        obstore = load_obstore(self._extra)
        made = _Kept(obstore, self._make(obstore))
        forks.keep_in_children(made)
        return made

    def takes(self, *keys: str) -> bool:
        """Whether it can be used for these keys, in this process."""
        return (
            forks.obstore_is_usable()
            and (not self._paused_until or time.monotonic() >= self._paused_until)
            and not any(map(_ODD.search, keys))
        )

    def run(self, call: Callable[[Any, Any], R]) -> R:
        """``call(obstore, store)``; with new credentials once more when the service says that it is time.

        Raises:
            FastFailure: whatever else it was that obstore said.
        """
        used = self._credentials()
        try:
            return self._run(call)
        except FastFailure as failure:
            if failure.status_code != 401 and failure.error_code != "AuthenticationFailed":
                raise
            self._credentials.renew(used)
            self._renewals += 1  # obstore keeps the credentials that it was given
        return self._run(call)

    def _run(self, call: Callable[[Any, Any], R]) -> R:
        try:
            client = self._client.get()
            found = call(client.obstore, client.store)
        except (MissingExtraError, FastFailure):
            raise
        except Exception as error:
            if not _is_obstores(error):
                raise
            raise FastFailure(error) from error
        self._rescues = 0
        return found

    def rescued(self, failure: FastFailure) -> None:
        """The SDK could do what failed here. After the third time in a row this client rests for a minute."""
        if failure.refused_key:
            return
        self._rescues += 1
        if self._rescues >= _USELESS:
            self._rescues, self._paused_until = 0, time.monotonic() + _PAUSE
            logger.warning("obstore is of no use here, so the SDK works alone for a while: %s", failure)


def fetch(
    obstore: Any, store: Any, key: str, choice: Mapping[str, Any]
) -> tuple[memoryview, Mapping[str, Any]]:
    """The content that ``choice`` picks, and what obstore knows about the file."""
    found = obstore.get(store, key, options=_given(choice))
    meta = found.meta
    return memoryview(found.bytes()), meta


def fetch_into(obstore: Any, store: Any, key: str, choice: Mapping[str, Any], target: memoryview) -> bool:
    """Whether the content filled ``target``, piece by piece: a large range is not held twice."""
    at = 0
    for piece in obstore.get(store, key, options=_given(choice)).stream(min_chunk_size=1024 * 1024):
        if at + len(piece) > len(target):
            return False
        target[at : at + len(piece)] = memoryview(piece)
        at += len(piece)
    return at == len(target)


def _given(choice: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in choice.items() if value is not None}


def _is_obstores(error: Exception) -> bool:
    own = type(error).__module__.partition(".")[0] in {"obstore", "pyo3_runtime"}
    return own or isinstance(error, OSError | ValueError | NotImplementedError)
