"""A bucket of S3, or of a service like it, that is already there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.config import Config

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.live.base import Seen
from provisioner.verify.aws_errors import setting, translated

FLAGS: Mapping[str, str] = {
    "block_public_acls": "BlockPublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "ignore_public_acls": "IgnorePublicAcls",
    "restrict_public_buckets": "RestrictPublicBuckets",
}
"""What closes a bucket to the public: the provider's words, and S3's own."""


def look(bucket: str, given: Mapping[str, str]) -> Seen:
    """A bucket of S3 or a service like it: its region, whose it is, and what protects it."""
    endpoint = given.get("endpoint_url")
    config = Config(s3={"addressing_style": "path" if endpoint else "auto"})
    with translated(f"looking at s3://{bucket}"):
        session = boto3.Session(region_name=given.get("region"))
        region = given.get("region") or session.region_name or "us-east-1"
        s3 = session.client("s3", region_name=region, endpoint_url=endpoint, config=config)
        found = setting(lambda: s3.head_bucket(Bucket=bucket))
        if found is None:
            raise InputError(
                f"there is no bucket {bucket!r}" + (f" at {endpoint}" if endpoint else ""),
                hint="check its name, and which credentials are in use",
            )
        fields = {"region": str(found.get("BucketRegion") or _location(s3, bucket) or region)}
        can_ask = PROVIDERS["aws"].can("caller_identity", given.get("compatibility", ""))
        if can_ask and "account" not in given:
            sts = session.client("sts", region_name=region, endpoint_url=endpoint)
            fields["account"] = sts.get_caller_identity()["Account"]
        return Seen(fields, tuple(_settings(s3, bucket)))


def _location(s3: Any, bucket: str) -> str | None:
    answer = setting(lambda: s3.get_bucket_location(Bucket=bucket)) or {}
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
    return {"": "us-east-1", "EU": "eu-west-1"}.get(found := answer.get("LocationConstraint") or "", found)


def _settings(s3: Any, bucket: str) -> Iterator[str]:
    versioning = setting(lambda: s3.get_bucket_versioning(Bucket=bucket)) or {}
    yield f"versioning is {versioning.get('Status', 'off').lower()}"
    encryption = setting(lambda: s3.get_bucket_encryption(Bucket=bucket)) or {}
    for rule in encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules", []):
        yield f"encrypted with {rule['ApplyServerSideEncryptionByDefault']['SSEAlgorithm']}"
    answer = setting(lambda: s3.get_public_access_block(Bucket=bucket)) or {}
    flags = answer.get("PublicAccessBlockConfiguration", {})
    closed = all(flags.get(flag) for flag in FLAGS.values())
    yield "public access is blocked" if closed else "public access is NOT blocked"
