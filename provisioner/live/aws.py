"""Buckets and roles as ``modules/aws`` makes them, read through boto3.

The attributes have the names and shapes of the AWS provider's schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import boto3
from botocore.config import Config

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.live.base import Found, Seen
from provisioner.live.compare import Document, Tags
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest
from provisioner.verify.aws_errors import setting, translated

_FLAGS = {
    "block_public_acls": "BlockPublicAcls",
    "block_public_policy": "BlockPublicPolicy",
    "ignore_public_acls": "IgnorePublicAcls",
    "restrict_public_buckets": "RestrictPublicBuckets",
}


class Aws:
    """See :class:`provisioner.live.base.Reader`. Clients are made once: they may be used by many threads."""

    def __init__(self, manifest: Manifest) -> None:
        session = boto3.Session(region_name=manifest.region)
        config = Config(
            connect_timeout=10,
            read_timeout=30,
            max_pool_connections=32,
            retries={"mode": "standard", "total_max_attempts": 5},
            s3={"addressing_style": "path" if manifest.endpoint_url else "auto"},
        )
        self._asks_caller = PROVIDERS["aws"].can("caller_identity", manifest.compatibility or "")
        names = ("s3", "iam", "sts")
        self._s3, self._iam, self._sts = (
            session.client(name, endpoint_url=manifest.endpoint_url, config=config)  # type: ignore[call-overload] # named by data
            for name in names
        )

    @property
    def readings(self) -> Mapping[str, Callable[[Mapping[str, Any]], Found]]:
        """Every type that the modules use."""
        return {
            "aws_s3_bucket": self._bucket,
            "aws_s3_bucket_versioning": self._versioning,
            "aws_s3_bucket_public_access_block": self._public_access_block,
            "aws_s3_bucket_ownership_controls": self._ownership,
            "aws_s3_bucket_server_side_encryption_configuration": self._encryption,
            "aws_s3_bucket_policy": self._policy,
            "aws_s3_bucket_lifecycle_configuration": self._lifecycle,
            "aws_iam_role": self._role,
            "aws_iam_role_policy": self._role_policy,
        }

    def account(self) -> str | None:
        """The account id that STS names; None for a service that has no such thing."""
        if not self._asks_caller:
            return None
        with translated("asking who we are"):
            return str(self._sts.get_caller_identity()["Account"])

    def uninvited(self, resources: Sequence[Resource]) -> list[str]:
        """Policies that somebody put on a role beside ours: they widen what its users may do."""
        ours = {
            (resource.attributes["role"], resource.attributes["name"])
            for resource in resources
            if resource.type == "aws_iam_role_policy"
        }
        found: list[str] = []
        for resource in resources:
            if resource.type == "aws_iam_role":
                role = resource.attributes["name"]
                inline = self._ask("iam", "list_role_policies", RoleName=role) or {}
                attached = self._ask("iam", "list_attached_role_policies", RoleName=role) or {}
                names = [name for name in inline.get("PolicyNames", []) if (role, name) not in ours]
                names += [policy["PolicyArn"] for policy in attached.get("AttachedPolicies", [])]
                found += [f"role {role} has a policy that is not ours: {name}" for name in sorted(names)]
        return found

    def _ask(self, service: str, operation: str, **fields: Any) -> Any:
        client = self._iam if service == "iam" else self._s3
        return setting(lambda: getattr(client, operation)(**fields))

    # --- buckets ------------------------------------------------------------------------------------------

    def _bucket(self, noted: Mapping[str, Any]) -> Found:
        bucket = noted["bucket"]
        if self._ask("s3", "head_bucket", Bucket=bucket) is None:
            return None
        return {"tags": _tags(self._ask("s3", "get_bucket_tagging", Bucket=bucket), "TagSet")}

    def _versioning(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_versioning", Bucket=noted["bucket"])
        if answer is None:
            return None
        return {"versioning_configuration": [{"status": answer.get("Status", "Disabled")}]}

    def _public_access_block(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_public_access_block", Bucket=noted["bucket"])
        if answer is None:
            return None
        flags = answer["PublicAccessBlockConfiguration"]
        return {name: bool(flags.get(flag)) for name, flag in _FLAGS.items()}

    def _ownership(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_ownership_controls", Bucket=noted["bucket"])
        if answer is None:
            return None
        rules = answer["OwnershipControls"]["Rules"]
        return {"rule": [{"object_ownership": rule["ObjectOwnership"]} for rule in rules]}

    def _encryption(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_encryption", Bucket=noted["bucket"])
        if answer is None:
            return None
        return {
            "rule": [
                {
                    "bucket_key_enabled": bool(rule.get("BucketKeyEnabled")),
                    "apply_server_side_encryption_by_default": [
                        {
                            "sse_algorithm": default["SSEAlgorithm"],
                            "kms_master_key_id": default.get("KMSMasterKeyID", ""),
                        }
                    ],
                }
                for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]
                for default in [rule["ApplyServerSideEncryptionByDefault"]]
            ]
        }

    def _policy(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_policy", Bucket=noted["bucket"])
        return None if answer is None else {"policy": Document(answer["Policy"])}

    def _lifecycle(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_lifecycle_configuration", Bucket=noted["bucket"])
        return None if answer is None else {"rule": [_lifecycle_rule(rule) for rule in answer["Rules"]]}

    # --- roles --------------------------------------------------------------------------------------------

    def _role(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("iam", "get_role", RoleName=noted["name"])
        if answer is None:
            return None
        role = answer["Role"]
        return {
            "assume_role_policy": _document(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description", ""),
            "max_session_duration": role.get("MaxSessionDuration"),
            "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "tags": _tags(role, "Tags"),
        }

    def _role_policy(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("iam", "get_role_policy", RoleName=noted["role"], PolicyName=noted["name"])
        return None if answer is None else {"policy": _document(answer["PolicyDocument"])}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    abort = rule.get("AbortIncompleteMultipartUpload")
    old = rule.get("NoncurrentVersionExpiration")
    expiration = rule.get("Expiration")
    return {
        "id": rule.get("ID", ""),
        "status": rule["Status"],
        "abort_incomplete_multipart_upload": (
            [{"days_after_initiation": abort.get("DaysAfterInitiation")}] if abort else []
        ),
        "noncurrent_version_expiration": [{"noncurrent_days": old.get("NoncurrentDays")}] if old else [],
        "expiration": (
            [
                {
                    "days": expiration.get("Days"),
                    "expired_object_delete_marker": expiration.get("ExpiredObjectDeleteMarker"),
                }
            ]
            if expiration
            else []
        ),
        "transition": [
            {"days": transition.get("Days"), "storage_class": transition["StorageClass"]}
            for transition in rule.get("Transitions", [])
        ],
    }


def _tags(answer: Mapping[str, Any] | None, key: str) -> Tags:
    return Tags({tag["Key"]: tag["Value"] for tag in (answer or {}).get(key, [])})


def _document(policy: Any) -> Document:
    """boto3 decodes IAM's policies; a service that quotes them in a way of its own leaves the text."""
    return Document(unquote(policy) if isinstance(policy, str) else json.dumps(policy))


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
    closed = all(flags.get(flag) for flag in _FLAGS.values())
    yield "public access is blocked" if closed else "public access is NOT blocked"


def connect(manifest: Manifest) -> Aws:
    """The account or service that the manifest names."""
    with translated("reading the AWS configuration"):
        return Aws(manifest)
