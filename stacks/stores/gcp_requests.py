"""Google's JSON API by plain requests: what it says about files, pages of listings, and small writes.

The fast client is no way to list: one key that it cannot hold breaks its whole listing, it takes the slash
off directory markers, and it knows times to the second only. Nor to write: its way is the XML API, which
no emulator serves, so that nobody could prove what it does. The SDK is right, but takes longer over a
request than the service. So the request is made here, and the SDK repeats it when it fails.
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from stacks.credentials import CachedCredentials, GcpToken
from stacks.stores import fast
from stacks.stores.gcp_clients import GOOGLE, patience
from stacks.stores.gcp_upload import generation_match
from stacks.stores.types import Condition
from stacks.stores.wire import Answer, Connections, LostAnswerError

_FILE_FIELDS = "name,size,updated,generation"
_TYPE = "application/octet-stream"
_IN_DOUBT = {500, 502, 504}  # of a conditional write: it may have been done
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


class Requests:
    """The files of one bucket, for one process; ``bucket`` is the SDK's."""

    def __init__(self, bucket: Any, endpoint: str, credentials: CachedCredentials[GcpToken]) -> None:
        import google_crc32c  # here, and not in the middle of a request that a fork may meet

        self._bucket, self._credentials, self._crc32c = bucket, credentials, google_crc32c.value
        name = quote(bucket.name, safe="")
        origin = endpoint.rstrip("/") or GOOGLE
        self._url = f"{origin}/storage/v1/b/{name}/o"
        self._upload_url = f"{origin}/upload/storage/v1/b/{name}/o"
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

    def read_into(self, name: str, start: int, generation: str, target: memoryview) -> bool:
        """Whether the bytes from ``start`` on filled ``target``, without a copy in between."""
        if self._connections is None:
            return False
        headers = {
            **self._authorization(),
            "Accept-Encoding": "gzip",  # else what was stored packed comes unpacked, and fits no size
            "Range": f"bytes={start}-{start + len(target) - 1}",
        }
        url = f"{self._url}/{quote(name, safe='')}?alt=media&generation={generation}"
        answer = self._connections.fetch(url, headers, target)
        if answer is None or answer.status != 206:
            return False
        where = answer.headers.get("content-range", "")
        return answer.headers.get("x-goog-generation") == generation and where.startswith(f"bytes {start}-")

    def put(self, name: str, content: bytes, condition: Condition) -> str | None:
        """Write a small file, and return its generation; None when the SDK has to, or to say what is wrong.

        Raises:
            FastFailure: the condition does not hold (412), or nobody knows whether the file was written.
        """
        if self._connections is None:
            return None
        match = {name: str(value) for name, value in generation_match(condition).items()}
        query = {"uploadType": "multipart", "fields": "generation"}
        if match:
            query["ifGenerationMatch"] = match["if_generation_match"]
        border = f"part-{uuid.uuid4().hex}"
        headers = {
            **self._authorization(),
            "Content-Type": f'multipart/related; boundary="{border}"',
        }
        # The service compares the checksum with what arrives, before it makes it visible.
        described = json.dumps({"name": name, "crc32c": self._checksum(content), "contentType": _TYPE})
        parts = (
            f"--{border}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{described}\r\n".encode(),
            f"--{border}\r\nContent-Type: {_TYPE}\r\n\r\n".encode(),
            content,
            f"\r\n--{border}--\r\n".encode(),
        )
        url = f"{self._upload_url}?{urlencode(query)}"
        try:
            answer = self._connections.send("POST", url, headers, b"".join(parts), once=bool(match))
        except LostAnswerError as error:
            raise fast.FastFailure(error) from error
        if answer is not None and match and (answer.status == 412 or answer.status in _IN_DOUBT):
            raise fast.FastFailure(RuntimeError(f"the service answered with status code: {answer.status}"))
        found = _read(answer)
        return str(found["generation"]) if found is not None and "generation" in found else None

    def _checksum(self, content: bytes) -> str:
        return base64.b64encode(self._crc32c(content).to_bytes(4, "big")).decode()

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
        return self._connections.fetch(url, self._authorization())

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._credentials().token}"}


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
