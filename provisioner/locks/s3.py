"""The lock of the s3 backend: an object beside the state, made only where none is (``If-None-Match: *``)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provisioner.backends import StatePlace
from provisioner.errors import UpstreamError
from provisioner.terraform.holder import Holder, holder_of

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_LOCK = ".tflock"
_HELD = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})


def connect(place: StatePlace) -> S3Lock:
    """The bucket of ``place``, with the credentials that Terraform finds, too."""
    import boto3
    from botocore.config import Config

    facts = place.facts
    endpoint = facts.get("endpoint_url")
    style = {"addressing_style": "path"} if endpoint else {}
    client = boto3.client(
        "s3",
        region_name=facts["region"],
        endpoint_url=endpoint,
        config=Config(s3=style, retries={"max_attempts": 3}, request_checksum_calculation="when_required"),  # type: ignore[arg-type]  # the stubs want a literal
    )
    return S3Lock(client, facts["bucket"], facts["key"])


class S3Lock:
    """The lock of one state in a bucket."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key

    def holder(self) -> Holder | None:
        """Who holds it, as the object beside the state says."""
        try:
            with self._speaking(_MISSING):
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key + _LOCK)
                return holder_of(json.loads(answer["Body"].read()))
        except _ExpectedError:
            return None

    def probe(self) -> str | None:
        """Make one object twice on the condition that it is not there: the second time must be refused."""
        key = f"{self._key}.probe-{uuid.uuid4().hex}"
        with self._speaking(frozenset()):
            self._put(key)
        try:
            with self._speaking(_HELD):
                self._put(key)
            return (
                "the service ignores conditional writes (If-None-Match): two applies at once would both get "
                "the lock"
            )
        except _ExpectedError:
            return None
        finally:
            with self._speaking(frozenset()):
                self._client.delete_object(Bucket=self._bucket, Key=key)

    def _put(self, key: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=b"provision doctor", IfNoneMatch="*")

    @contextmanager
    def _speaking(self, expected: frozenset[str]) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in expected:
                raise _ExpectedError from error
            raise UpstreamError(f"s3://{self._bucket}: {error}", hint=_hint(code)) from error
        except BotoCoreError as error:
            raise UpstreamError(f"s3://{self._bucket}: {error}") from error


class _ExpectedError(Exception):
    """The answer that was hoped for."""


def _hint(code: str) -> str | None:
    if code in {"501", "NotImplemented"}:
        return "this service knows no conditional writes: keep the state elsewhere"
    if code in {"403", "AccessDenied"}:
        return "allow s3:GetObject, s3:PutObject and s3:DeleteObject on the state's key and on key*"
    if code == "NoSuchBucket":
        return "make the bucket first, with versioning: it holds the states of many stacks"
    return None
