"""Session policies: the most that credentials for one bucket and prefix may do.

What a session may do is what its role *and* this policy allow. The actions are those that
modules/aws/service-connector grants, so that neither of the two is wider than it needs to be.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from stacks.connectors.base import Access
from stacks.errors import ConnectorScopeError, InvalidValueError

POLICY_LIMIT = 2048  # characters; the limit of AWS' for an inline session policy
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]", re.IGNORECASE)
_ARN = re.compile(r"arn:[a-z0-9-]+:s3:::")

LIST_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions")
BUCKET_ACTIONS = {
    "read-only": ("s3:GetBucketLocation",),
    "read-write": ("s3:GetBucketLocation", "s3:ListBucketMultipartUploads"),
}
OBJECT_ACTIONS = {
    "read-only": ("s3:GetObject", "s3:GetObjectVersion"),
    "read-write": (
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ),
}
KEY_ACTIONS = {
    "read-only": ("kms:Decrypt", "kms:DescribeKey"),
    "read-write": ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"),
}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, or the part of it below ``prefix`` (no slash at either end, empty for all of it)."""

    name: str
    prefix: str = ""

    @classmethod
    def parse(cls, resource_id: str) -> Bucket:
        """From ``s3://bucket[/prefix]``, ``arn:aws:s3:::bucket[/prefix]`` or ``bucket[/prefix]``.

        Raises InvalidValueError.
        """
        bare = _ARN.sub("", resource_id.removeprefix("s3://"), count=1)
        name, _, prefix = bare.partition("/")
        prefix = prefix.removesuffix("/*").strip("/")
        if not _BUCKET.fullmatch(name) or ".." in prefix.split("/"):
            raise InvalidValueError(
                f"{resource_id!r} names no S3 bucket", hint="write it as s3://bucket or s3://bucket/prefix"
            )
        return cls(name, prefix)

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.prefix}" if self.prefix else f"s3://{self.name}"

    def contains(self, other: Bucket) -> bool:
        """Whether ``other`` is this one or lies within it; ``data`` does not contain ``database``."""
        within = not self.prefix or f"{other.prefix}/".startswith(f"{self.prefix}/")
        return self.name == other.name and within


def narrowest(granted: Bucket | None, asked: Bucket | None, connector: str) -> Bucket | None:
    """What to ask credentials for; None is all that the connector reaches.

    Raises ConnectorScopeError when ``asked`` is not within ``granted``.
    """
    if asked is None or granted is None:
        return asked or granted
    if not granted.contains(asked):
        raise ConnectorScopeError(
            f"service connector {connector!r} is for {granted}, which does not contain {asked}",
            hint=f"connect a connector for {asked}, or give this one another resource id",
        )
    return asked


def session_policy(
    bucket: Bucket, access: Access, *, partition: str, keys: tuple[str, ...], any_key: bool
) -> str:
    """The policy, as JSON, that leaves ``bucket`` alone reachable.

    ``keys`` are the ARNs of the customer keys in use; with ``any_key`` every key that the role may use
    serves, as long as it is S3 that uses it. Raises ConnectorScopeError for a prefix too long for a policy.
    """
    arn = f"arn:{partition}:s3:::{bucket.name}"
    prefix = f"{_escaped(bucket.prefix)}/" if bucket.prefix else ""
    listing = _allow(LIST_ACTIONS, [arn])
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
    statements = [
        listing,
        _allow(BUCKET_ACTIONS[access], [arn]),
        _allow(OBJECT_ACTIONS[access], [f"{arn}/{prefix}*"]),
    ]
    if keys:
        statements.append(_allow(KEY_ACTIONS[access], list(keys)))
    elif any_key:
        by_s3 = _allow(KEY_ACTIONS[access], ["*"])
        by_s3["Condition"] = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com*"}}
        statements.append(by_s3)
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    if len(policy) > POLICY_LIMIT or not policy.isascii():
        raise ConnectorScopeError(
            f"no session policy can be written for {bucket}: AWS takes {POLICY_LIMIT} ASCII characters",
            hint="use a shorter prefix, of ASCII characters",
        )
    return policy


def _allow(actions: tuple[str, ...], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resources}


def _escaped(text: str) -> str:
    """``text`` without meaning to a policy: '*', '?' and '$' stand for other things there."""
    return re.sub(r"[*?$]", lambda match: f"${{{match[0]}}}", text)
