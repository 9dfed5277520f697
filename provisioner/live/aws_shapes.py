"""What S3 and IAM answer, in the shapes of the AWS provider's schema; only what the modules set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from provisioner.live.compare import Document, Tags


def tags(answer: Mapping[str, Any] | None, key: str) -> Tags:
    """The tags of a bucket or a role."""
    return Tags({tag["Key"]: tag["Value"] for tag in (answer or {}).get(key, [])})


def document(policy: Any) -> Document:
    """boto3 decodes IAM's policies; a service that quotes them in a way of its own leaves the text."""
    return Document(unquote(policy) if isinstance(policy, str) else json.dumps(policy))


def encryption_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """How new objects are encrypted."""
    default = rule["ApplyServerSideEncryptionByDefault"]
    return {
        "bucket_key_enabled": bool(rule.get("BucketKeyEnabled")),
        "apply_server_side_encryption_by_default": [
            {
                "sse_algorithm": default["SSEAlgorithm"],
                "kms_master_key_id": default.get("KMSMasterKeyID", ""),
            }
        ],
    }


def lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What is deleted or moved after how many days."""
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
        "expiration": [_expiration(expiration)] if expiration else [],
        "transition": [
            {"days": transition.get("Days"), "storage_class": transition["StorageClass"]}
            for transition in rule.get("Transitions", [])
        ],
    }


def _expiration(expiration: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "days": expiration.get("Days"),
        "expired_object_delete_marker": expiration.get("ExpiredObjectDeleteMarker"),
    }


def replication_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What is copied where, and with which key."""
    destination = rule["Destination"]
    key = destination.get("EncryptionConfiguration", {}).get("ReplicaKmsKeyID")
    return {
        "id": rule.get("ID", ""),
        "status": rule["Status"],
        "priority": rule.get("Priority"),
        "delete_marker_replication": [
            {"status": rule.get("DeleteMarkerReplication", {}).get("Status", "Disabled")}
        ],
        "destination": [
            {
                "bucket": destination["Bucket"],
                "storage_class": destination.get("StorageClass", ""),
                "encryption_configuration": [{"replica_kms_key_id": key}] if key else [],
            }
        ],
    }
