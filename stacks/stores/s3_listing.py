"""Listings of S3, through botocore with a parser of their own.

botocore signs, retries, redirects and pages; but its parser spends ten times as long on a page of a
thousand keys as the service does. The fast client is no way out: one key that it cannot hold breaks its
whole listing, and it takes the slash off directory markers, so that they cannot be told from files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from botocore.parsers import ResponseParserFactory

from stacks.stores.types import Entry


class ListingParserFactory(ResponseParserFactory):
    """botocore's own parsers, with another for the listing."""

    def create_parser(self, protocol_name: str) -> Any:
        return _ListingParser(super().create_parser(protocol_name))


class _ListingParser:
    def __init__(self, usual: Any) -> None:
        self._usual = usual

    def parse(self, response: dict[str, Any], shape: Any) -> Any:
        listing = shape is not None and shape.name == "ListObjectsV2Output"
        if not listing or response["status_code"] != 200:
            return self._usual.parse(response, shape)
        parsed = parse_page(response["body"])
        parsed["ResponseMetadata"] = {"HTTPStatusCode": 200, "HTTPHeaders": dict(response["headers"])}
        return parsed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)


def parse_page(body: bytes) -> dict[str, Any]:
    """One page: ``Files`` as (key, size, modified, etag), ``Folders`` as prefixes, ``Next`` if it goes on."""
    # expat expands no external entities, and the service is the store's own
    root = ET.fromstring(body)  # noqa: S314
    space = root.tag[: root.tag.index("}") + 1] if root.tag.startswith("{") else ""
    decode = unquote_plus if root.findtext(f"{space}EncodingType") == "url" else str
    key, size, modified, etag = (f"{space}{name}" for name in ("Key", "Size", "LastModified", "ETag"))
    files: list[tuple[str, int, datetime, str | None]] = []
    for item in root.iterfind(f"{space}Contents"):
        fields = {child.tag: child.text for child in item}
        time = datetime.fromisoformat(fields[modified] or "")
        files.append((decode(fields[key] or ""), int(fields[size] or 0), time, fields.get(etag)))
    prefixes = root.iterfind(f"{space}CommonPrefixes/{space}Prefix")
    more = root.findtext(f"{space}IsTruncated") == "true"
    return {
        "Files": files,
        "Folders": [decode(prefix.text or "") for prefix in prefixes],
        "Next": root.findtext(f"{space}NextContinuationToken") if more else None,
    }


def list_keys(
    fetch: Callable[[dict[str, Any]], dict[str, Any]], bucket: str, prefix: str, *, deep: bool, root: int
) -> Iterator[Entry]:
    """The entries below ``prefix``, their keys without the first ``root`` letters.

    Directory markers are directories, and the listed directory's own marker is left out.
    """
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    if not deep:
        request["Delimiter"] = "/"
    while True:
        page = fetch(request)
        for key, size, modified, etag in page["Files"]:
            if not key.endswith("/"):
                yield Entry(key[root:], is_dir=False, size=size, modified=modified, etag=etag)
            elif key != prefix:
                yield Entry(key[root:-1], is_dir=True, modified=modified)
        for folder in page["Folders"]:
            yield Entry(folder[root:-1], is_dir=True)
        if page["Next"] is None:
            return
        request["ContinuationToken"] = page["Next"]
