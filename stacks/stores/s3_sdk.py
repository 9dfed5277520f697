"""Reads and writes through botocore, where the fast client cannot go."""

from __future__ import annotations

from typing import Any

from stacks.stores.types import Condition, bare_etag


def read_range(
    sdk: Any, place: dict[str, Any], start: int, stop: int, etag: str | None
) -> tuple[bytes, dict[str, Any], int]:
    """The bytes [start, stop) as far as there are any, the answer, and the size of the whole object."""
    conditions = {} if etag is None else {"IfMatch": etag}
    found: dict[str, Any] = sdk.get_object(Range=f"bytes={start}-{stop - 1}", **place, **conditions)
    with found["Body"] as body:
        content: bytes = body.read()
    total = found.get("ContentRange", "").rpartition("/")[2]
    if not total:  # the service ignored the range
        return content[start:stop], found, len(content)
    return content, found, int(total)


def put(sdk: Any, place: dict[str, Any], content: bytes, condition: Condition) -> str | None:
    """Write an object with one request; its etag."""
    conditions: dict[str, str] = {}
    if condition.absent:
        conditions["IfNoneMatch"] = "*"
    elif condition.etag is not None:
        conditions["IfMatch"] = bare_etag(condition.etag)
    etag: str | None = sdk.put_object(Body=content, **place, **conditions).get("ETag")
    return etag
