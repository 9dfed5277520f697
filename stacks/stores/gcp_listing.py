"""What Google's JSON API says about files: single ones, and pages of listings.

The fast client is no way to list: one key that it cannot hold breaks its whole listing, it takes the slash
off directory markers, and it knows times to the second only. The SDK is right, but takes longer to read a
page than the service takes to send it. So the page is read here, and the SDK is asked when there is none.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from stacks.credentials import CachedCredentials, GcpToken
from stacks.stores import fast
from stacks.stores.gcp_clients import GOOGLE, patience
from stacks.stores.wire import Answer, Connections

_FILE_FIELDS = "name,size,updated,generation"
_PAGE_FIELDS = f"items({_FILE_FIELDS}),prefixes,nextPageToken"


class File(NamedTuple):
    """One object, by its full name."""

    name: str
    size: int
    modified: datetime
    generation: str


class Page(NamedTuple):
    """What a page lists, and where the next one begins."""

    files: list[File]
    folders: list[str]
    next: str | None


class Listings:
    """The files of one bucket, for one process; ``bucket`` is the SDK's."""

    def __init__(self, bucket: Any, endpoint: str, credentials: CachedCredentials[GcpToken]) -> None:
        self._bucket, self._credentials = bucket, credentials
        name = quote(bucket.name, safe="")
        self._url = f"{endpoint.rstrip('/') or GOOGLE}/storage/v1/b/{name}/o"
        self._connections = Connections(fast.READ_TIMEOUT, fast.tls) if fast.is_straight() else None

    def describe(self, name: str) -> File | None:
        """What is known of a file, or None when there is none (or no bucket)."""
        answer = self._fetch(f"{self._url}/{quote(name, safe='')}?fields={_FILE_FIELDS}")
        if answer is not None and answer.status == 404:
            return None
        found = _read(answer)
        if found is not None and "generation" in found:
            return _file(found)
        blob = self._bucket.get_blob(name, retry=patience())
        return None if blob is None else _from_sdk(blob)

    def page(self, prefix: str, *, deep: bool, token: str | None = None, limit: int | None = None) -> Page:
        """One page of what begins with ``prefix``, one level or all of them."""
        wanted = {
            "prefix": prefix,
            "delimiter": None if deep else "/",
            "pageToken": token,
            "maxResults": limit,
            "fields": _PAGE_FIELDS,
        }
        query = urlencode({key: value for key, value in wanted.items() if value is not None})
        found = _read(self._fetch(f"{self._url}?{query}"))
        if found is None:
            return self._page_sdk(prefix, deep=deep, token=token, limit=limit)
        files = [_file(item) for item in found.get("items", ())]
        return Page(files, found.get("prefixes", []), found.get("nextPageToken"))

    def _page_sdk(self, prefix: str, *, deep: bool, token: str | None, limit: int | None) -> Page:
        found = self._bucket.client.list_blobs(
            self._bucket,
            prefix=prefix,
            delimiter=None if deep else "/",
            page_token=token,
            page_size=limit,
            fields=_PAGE_FIELDS,
            retry=patience(),
        )
        page = next(found.pages, None)
        files = [_from_sdk(blob) for blob in page or ()]
        return Page(files, sorted(getattr(page, "prefixes", ())), found.next_page_token)

    def _fetch(self, url: str) -> Answer | None:
        if self._connections is None:
            return None
        return self._connections.fetch(url, {"Authorization": f"Bearer {self._credentials().token}"})


def _read(answer: Answer | None) -> dict[str, Any] | None:
    """The body of a good answer; None for whatever else: the SDK asks again, and says what is wrong."""
    if answer is None or answer.status != 200:
        return None
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None  # a network that asks for a login answers 200, too
    return found if isinstance(found, dict) else None


def _file(item: dict[str, Any]) -> File:
    when = datetime.fromisoformat(item["updated"])
    return File(item["name"], int(item.get("size", 0)), when, str(item["generation"]))


def _from_sdk(blob: Any) -> File:
    return File(blob.name, blob.size or 0, blob.updated, str(blob.generation))
