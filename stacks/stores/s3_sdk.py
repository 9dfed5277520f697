"""What goes through botocore because the fast client cannot: odd settings and keys, old versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stacks.stores import s3_errors
from stacks.stores.parallel import batches
from stacks.stores.types import ABSENT, ALWAYS, Condition, bare_etag

if TYPE_CHECKING:
    from stacks.stores.s3_clients import S3Clients

_NOT_IMPLEMENTED = 501


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


def make_marker(clients: S3Clients, place: dict[str, Any], additional: Mapping[str, Any]) -> None:
    """Make the marker of a directory that has none, as far as the service knows such a condition."""
    place = {**place, **clients.additional_for("PutObject", dict(additional))}
    try:
        put(clients.sdk, place, b"", ABSENT)
    except Exception as error:
        if s3_errors.knows_no_conditions(error):
            put(clients.sdk, place, b"", ALWAYS)
        elif not s3_errors.met_itself(error):
            raise


def forget_versions(sdk: Any, bucket: str, prefix: str) -> int:
    """Delete all versions of the objects below ``prefix`` that have been deleted; how many."""
    try:
        pages = list(sdk.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix))
    except Exception as error:
        if s3_errors.is_foreign(error) and s3_errors.read_fault(error).status == _NOT_IMPLEMENTED:
            return 0  # a service without versions
        raise
    markers = [one for page in pages for one in page.get("DeleteMarkers", ())]
    gone = {one["Key"] for one in markers if one["IsLatest"]}
    versions = [one for page in pages for one in page.get("Versions", ())]
    doomed = [
        {"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions + markers if one["Key"] in gone
    ]
    for group in batches(doomed, 1000):
        answer = sdk.delete_objects(Bucket=bucket, Delete={"Objects": group, "Quiet": True})
        for failure in answer.get("Errors", ()):
            raise s3_errors.RefusedKeyError(failure)
    return len(doomed)
