"""Copies within a bucket, which the service makes by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stacks.stores import s3_errors
from stacks.stores.s3_config import ODD_FOR_OBSTORE, S3Settings

if TYPE_CHECKING:
    from stacks.stores.s3_clients import S3Clients

_TOO_LARGE = {"InvalidRequest", "EntityTooLarge"}  # above 5 GiB a service copies in parts


def copy_object(
    run: Callable[[Callable[[S3Clients], Any]], Any],
    bucket: str,
    source: str,
    target: str,
    settings: S3Settings,
    *,
    new: bool,
) -> None:
    """Copy one object, by its full keys; with one request if it is small enough for that.

    A ``new`` one under the condition that nothing is at the target, where the service knows that condition.
    """
    additional = dict(settings.additional)
    place = {"Bucket": bucket, "Key": source}

    def copy_at_once(clients: S3Clients) -> None:
        if clients.fast_copy is not None and not new and not ODD_FOR_OBSTORE.search(source + target):
            clients.obstore.copy(clients.fast_copy, source, target)
            return
        extra = clients.additional_for("CopyObject", additional) if additional else {}
        condition = clients.additional_for("CopyObject", {"IfNoneMatch": "*"}) if new else {}
        clients.sdk.copy_object(Bucket=bucket, Key=target, CopySource=place, **extra, **condition)

    def copy_parts(clients: S3Clients) -> None:
        from boto3.s3.transfer import S3Transfer

        extra = {name: value for name, value in additional.items() if name in S3Transfer.ALLOWED_COPY_ARGS}
        clients.sdk.copy(place, bucket, target, ExtraArgs=extra)

    def is_copied(clients: S3Clients) -> bool:
        old, there = (clients.sdk.head_object(Bucket=bucket, Key=key)["ETag"] for key in (source, target))
        return bool(old == there)

    try:
        run(copy_at_once)
    except Exception as error:
        if new and s3_errors.knows_no_conditions(error):
            copy_object(run, bucket, source, target, settings, new=False)
            return
        if new and s3_errors.met_itself(error) and run(is_copied):
            return
        if not s3_errors.is_foreign(error) or s3_errors.read_fault(error).code not in _TOO_LARGE:
            raise
        run(copy_parts)
