"""Pages of S3's listings.

The fast client is no way to list: one key that it cannot hold breaks its whole listing, and it takes the
slash off directory markers, so that they cannot be told from files. botocore is right, but reads a page of
a thousand keys ten times as slowly as a service sends it. So the page is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from stacks.stores.s3_errors import NonsenseError
from stacks.stores.types import Entry

if TYPE_CHECKING:
    from stacks.stores.s3_clients import S3Clients

# In the order in which every known service writes them. A page that looks otherwise is read as XML.
_FILE = re.compile(
    r"<Key>([^<]*)</Key><LastModified>([^<]*)</LastModified><ETag>([^<]*)</ETag>.*?<Size>(\d+)</Size>",
    re.DOTALL,
)
_FOLDER = re.compile(r"<CommonPrefixes><Prefix>([^<]*)</Prefix></CommonPrefixes>")
_SPACE = re.compile(r">\s+<")


class File(NamedTuple):
    """One object of a page, by its full key."""

    key: str
    size: int
    modified: datetime
    etag: str | None


class Page(NamedTuple):
    """What a page lists, and where the next one begins."""

    files: list[File]
    folders: list[str]
    next: str | None


def fetch_page(clients: S3Clients, request: dict[str, Any]) -> Page:
    """One page, read here, or by botocore where the way to the service is not straight."""
    if clients.wire is not None:
        answer = clients.wire.get("list_objects_v2", request)
        if answer is not None and answer.status == 200:
            return parse_page(answer.body)
    usual = {name: value for name, value in request.items() if name != "EncodingType"}
    return from_botocore(clients.sdk.list_objects_v2(**usual))


def parse_page(body: bytes) -> Page:
    """Read a response of ListObjectsV2.

    Raises:
        NonsenseError: it is none.
    """
    text = body.decode(errors="surrogateescape")
    if "ListBucketResult" not in text[:500]:
        raise NonsenseError("not a listing")  # a network that asks for a login answers 200, too
    begin = text.find("<Contents>")
    head, rest = (text, "") if begin < 0 else (text[:begin], text[begin:])
    blocks = rest.split("<Contents>")[1:]
    found = [_FILE.match(block) for block in blocks]
    if not all(found) or "<![CDATA[" in text or (blocks and _SPACE.search(blocks[0])):
        return _parse_xml(body)
    frame = head + (blocks[-1] if blocks else "")
    url = "<EncodingType>url</EncodingType>" in text
    files = [
        File(_decoded(match[1], url=url), int(match[4]), datetime.fromisoformat(match[2]), _quoted(match[3]))
        for match in found
        if match is not None
    ]
    folders = [_decoded(name, url=url) for name in _FOLDER.findall(text)]
    if len(folders) != text.count("<CommonPrefixes>"):
        return _parse_xml(body)
    token = re.search(r"<NextContinuationToken>([^<]*)<", frame)
    return Page(files, folders, unescape(token[1]) if token else None)


def _quoted(etag: str) -> str:
    etag = etag.replace("&quot;", '"').replace("&#34;", '"')
    return unescape(etag) if "&" in etag else etag


def _decoded(text: str, *, url: bool) -> str:
    if "&" in text:
        text = unescape(text)
    if not url:
        return text
    text = text.replace("%2F", "/")  # most often the only one: unquote costs more than all else
    return unquote_plus(text) if "%" in text or "+" in text else text


def _parse_xml(body: bytes) -> Page:
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat expands no external entities; the service is the store's own
    except ET.ParseError as error:
        raise NonsenseError(f"not a listing: {error}") from error
    space = root.tag[: root.tag.index("}") + 1] if root.tag.startswith("{") else ""
    if not root.tag.endswith("ListBucketResult"):
        raise NonsenseError(f"not a listing: {root.tag}")
    url = root.findtext(f"{space}EncodingType") == "url"
    files = []
    for item in root.iterfind(f"{space}Contents"):
        fields = {child.tag.removeprefix(space): child.text or "" for child in item}
        modified = datetime.fromisoformat(fields["LastModified"])
        key = unquote_plus(fields["Key"]) if url else fields["Key"]
        files.append(File(key, int(fields["Size"]), modified, fields.get("ETag")))
    prefixes = (prefix.text or "" for prefix in root.iterfind(f"{space}CommonPrefixes/{space}Prefix"))
    folders = [unquote_plus(prefix) if url else prefix for prefix in prefixes]
    return Page(files, folders, root.findtext(f"{space}NextContinuationToken"))


def from_botocore(answer: Mapping[str, Any]) -> Page:
    """A page that botocore has read; it finds no fault with one that says nothing."""
    if "IsTruncated" not in answer and "Name" not in answer:
        raise NonsenseError("not a listing")
    files = [
        File(item["Key"], item["Size"], item["LastModified"], item.get("ETag"))
        for item in answer.get("Contents", ())
    ]
    folders = [item["Prefix"] for item in answer.get("CommonPrefixes", ())]
    return Page(files, folders, answer.get("NextContinuationToken"))


def list_keys(
    fetch: Callable[[dict[str, Any]], Page], bucket: str, prefix: str, *, deep: bool, root: int
) -> Iterator[Entry]:
    """The entries below ``prefix``, their keys without the first ``root`` letters.

    Directory markers are directories, and the listed directory's own marker is left out.
    """
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "EncodingType": "url"}
    if not deep:
        request["Delimiter"] = "/"
    while True:
        page = fetch(request)
        for key, size, modified, etag in page.files:
            if not key.endswith("/"):
                yield Entry(key[root:], False, size, modified, etag)  # noqa: FBT003 - half the time of keywords
            elif key != prefix:
                yield Entry(key[root:-1], is_dir=True, modified=modified)
        for folder in page.folders:
            yield Entry(folder[root:-1], is_dir=True)
        if page.next is None:
            return
        request["ContinuationToken"] = page.next
