"""Buckets and roles as ``modules/aws`` makes them, read through boto3.

The attributes have the names and shapes of the AWS provider's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config

from provisioner.catalog import PROVIDERS
from provisioner.live import aws_shapes as shapes
from provisioner.live.aws_look import FLAGS, look
from provisioner.live.base import Found
from provisioner.live.compare import Document, Tags
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest
from provisioner.verify.aws_errors import setting, translated


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
        self._client = partial(session.client, endpoint_url=manifest.endpoint_url, config=config)
        self._s3, self._iam, self._sts = (self._client(name) for name in ("s3", "iam", "sts"))
        self._keys: dict[str, Any] = {}
        self._making = Lock()

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
            "aws_s3_bucket_logging": self._logging,
            "aws_s3_bucket_notification": self._notification,
            "aws_s3_bucket_replication_configuration": self._replication,
            "aws_kms_key": self._key,
            "aws_kms_alias": self._alias,
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
        return {"tags": shapes.tags(self._ask("s3", "get_bucket_tagging", Bucket=bucket), "TagSet")}

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
        return {name: bool(flags.get(flag)) for name, flag in FLAGS.items()}

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
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
        return {"rule": [shapes.encryption_rule(rule) for rule in rules]}

    def _policy(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_policy", Bucket=noted["bucket"])
        return None if answer is None else {"policy": Document(answer["Policy"])}

    def _lifecycle(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_lifecycle_configuration", Bucket=noted["bucket"])
        return None if answer is None else {"rule": [shapes.lifecycle_rule(rule) for rule in answer["Rules"]]}

    # --- what the profile strict adds ---------------------------------------------------------------------

    def _logging(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_logging", Bucket=noted["bucket"])
        enabled = (answer or {}).get("LoggingEnabled")
        if enabled is None:
            return None
        return {"target_bucket": enabled["TargetBucket"], "target_prefix": enabled.get("TargetPrefix", "")}

    def _notification(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_notification_configuration", Bucket=noted["bucket"])
        return None if answer is None else {"eventbridge": "EventBridgeConfiguration" in answer}

    def _replication(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("s3", "get_bucket_replication", Bucket=noted["bucket"])
        if answer is None:
            return None
        configuration = answer["ReplicationConfiguration"]
        return {
            "role": configuration["Role"],
            "rule": [shapes.replication_rule(rule) for rule in configuration["Rules"]],
        }

    def _key(self, noted: Mapping[str, Any]) -> Found:
        name, kms = noted["key_id"], self._kms(noted["arn"])
        answer = setting(lambda: kms.describe_key(KeyId=name))
        if answer is None or answer["KeyMetadata"]["KeyState"] == "PendingDeletion":
            return None
        rotation = setting(lambda: kms.get_key_rotation_status(KeyId=name)) or {}
        policy = setting(lambda: kms.get_key_policy(KeyId=name, PolicyName="default")) or {}
        tags = setting(lambda: kms.list_resource_tags(KeyId=name)) or {}
        return {
            "description": answer["KeyMetadata"].get("Description", ""),
            "is_enabled": answer["KeyMetadata"]["Enabled"],
            "enable_key_rotation": bool(rotation.get("KeyRotationEnabled")),
            "policy": Document(policy.get("Policy", "")),
            "tags": Tags({tag["TagKey"]: tag["TagValue"] for tag in tags.get("Tags", [])}),
        }

    def _alias(self, noted: Mapping[str, Any]) -> Found:
        kms = self._kms(noted["arn"])
        answer = setting(lambda: kms.describe_key(KeyId=noted["name"]))
        return None if answer is None else {"target_key_id": answer["KeyMetadata"]["KeyId"]}

    def _kms(self, arn: str) -> Any:
        """A client for the region of a key: that of a copy is another than the stack's."""
        region = arn.split(":")[3]
        with self._making:
            if region not in self._keys:
                self._keys[region] = self._client("kms", region_name=region)
            return self._keys[region]

    # --- roles --------------------------------------------------------------------------------------------

    def _role(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("iam", "get_role", RoleName=noted["name"])
        if answer is None:
            return None
        role = answer["Role"]
        return {
            "assume_role_policy": shapes.document(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description", ""),
            "max_session_duration": role.get("MaxSessionDuration"),
            "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
            "tags": shapes.tags(role, "Tags"),
        }

    def _role_policy(self, noted: Mapping[str, Any]) -> Found:
        answer = self._ask("iam", "get_role_policy", RoleName=noted["role"], PolicyName=noted["name"])
        return None if answer is None else {"policy": shapes.document(answer["PolicyDocument"])}


def connect(manifest: Manifest) -> Aws:
    """The account or service that the manifest names."""
    with translated("reading the AWS configuration"):
        return Aws(manifest)


__all__ = ["Aws", "connect", "look"]
