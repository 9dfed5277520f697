"""Pages of Azure's listings.

The fast client is no way to list: one name that it cannot hold breaks its whole listing, and it takes the
slash off directory markers. The SDK is right, but takes longer to read a page than the service takes to send
it. So the page is read here, and the SDK is asked when there is none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from stacks.credentials import AzureCredentials
from stacks.stores import fast
from stacks.stores.azure_clients import account_name
from stacks.stores.wire import Connections

VERSION = "2023-11-03"  # of the service's language: the one that obstore speaks


class File(NamedTuple):
    """One blob, by its full name."""

    name: str
    size: int
    modified: datetime
    etag: str | None


class Page(NamedTuple):
    """What a page lists, and where the next one begins."""

    files: list[File]
    folders: list[str]
    next: str | None


class Listings:
    """The blobs of one container, for one process and one set of credentials."""

    def __init__(self, url: str, container: str, credentials: AzureCredentials) -> None:
        self._account, self._credentials = account_name(url), credentials
        self._url = f"{url.rstrip('/')}/{quote(container)}"
        self._connections = Connections(fast.READ_TIMEOUT, fast.tls) if fast.is_straight() else None

    def page(
        self, prefix: str, *, deep: bool, token: str | None = None, limit: int | None = None
    ) -> Page | None:
        """One page of what begins with ``prefix``; None when the SDK has to ask, or to say what is wrong."""
        if self._connections is None:
            return None
        optional = {"delimiter": None if deep else "/", "marker": token, "maxresults": limit}
        query = {"restype": "container", "comp": "list", "prefix": prefix}
        query |= {name: str(value) for name, value in optional.items() if value is not None}
        url = f"{self._url}?{urlencode(query, quote_via=quote)}"
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        if self._credentials.account_key:
            try:
                key = base64.b64decode(self._credentials.account_key)
            except ValueError:
                return None
            headers["Authorization"] = sign(self._account, key, url, query, headers)
        elif self._credentials.sas_token:
            url += f"&{self._credentials.sas_token.removeprefix('?')}"
        else:
            headers["Authorization"] = f"Bearer {self._credentials.token}"
        answer = self._connections.fetch(url, headers)
        return parse_page(answer.body) if answer is not None and answer.status == 200 else None


def sign(account: str, key: bytes, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The header Authorization of a GET request without a body.

    By https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key; ``headers`` are those
    that begin with x-ms-.
    """
    text = "GET" + "\n" * 12
    text += "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    text += f"/{account}{urlsplit(url).path}"
    text += "".join(f"\n{name}:{query[name]}" for name in sorted(query))
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(digest).decode()}"


def parse_page(body: bytes) -> Page | None:
    """Read a response of List Blobs; None when it is none, or names what XML cannot hold."""
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat expands no external entities; the service is the store's own
    except ET.ParseError:
        return None
    blobs = root.find("Blobs")
    if root.tag != "EnumerationResults" or blobs is None:
        return None  # a network that asks for a login answers 200, too
    files = [_file(item) for item in blobs.iterfind("Blob")]
    folders = [_name(item) for item in blobs.iterfind("BlobPrefix")]
    return Page(files, folders, root.findtext("NextMarker") or None)


def _file(item: ET.Element) -> File:
    properties = item.find("Properties")
    if properties is None:
        raise ValueError("a blob without properties")
    size, etag = properties.findtext("Content-Length") or "0", properties.findtext("Etag")
    return File(_name(item), int(size), _moment(properties.findtext("Last-Modified") or ""), etag)


def _name(item: ET.Element) -> str:
    name = item.find("Name")
    if name is None:
        raise ValueError("a blob without a name")
    text = name.text or ""
    return unquote(text) if name.get("Encoded") == "true" else text


@lru_cache(maxsize=1024)
def _moment(text: str) -> datetime:
    return parsedate_to_datetime(text)  # to the second: files written together have the same


def from_sdk(
    container: Any, prefix: str, *, deep: bool, token: str | None = None, limit: int | None = None
) -> Page:
    """The same page, through the SDK."""
    ask: Callable[..., Any] = container.list_blobs if deep else container.walk_blobs
    extra = {} if deep else {"delimiter": "/"}
    pages = ask(name_starts_with=prefix, results_per_page=limit, **extra).by_page(token)
    items = list(next(pages, ()))
    files = [
        File(item.name, item.size, item.last_modified, item.etag) for item in items if hasattr(item, "etag")
    ]
    folders = [item.name for item in items if not hasattr(item, "etag")]
    return Page(files, folders, pages.continuation_token or None)
