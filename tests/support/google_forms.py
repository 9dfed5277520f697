"""The bodies that Google's APIs take, as their discovery documents have them; an unknown field is refused.

https://storage.googleapis.com/$discovery/rest?version=v1 (Bucket, Policy),
https://iam.googleapis.com/$discovery/rest?version=v1 (CreateServiceAccountRequest, Policy) and
https://cloudkms.googleapis.com/$discovery/rest?version=v1 (CryptoKey), as far as anything here sends it.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_INT64 = {"type": ["string", "integer"], "pattern": "^[0-9]+$"}
"""A 64-bit number stands as text in Google's JSON, and is taken as a number too."""


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": properties,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_LABELS = {
    "type": "object",
    "maxProperties": 64,
    "propertyNames": {"pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "additionalProperties": {"type": ["string", "null"], "pattern": "^[a-z0-9_-]{0,63}$"},
}

_LIFECYCLE = _object(
    rule=_list(
        _object(
            ("action", "condition"),
            action=_object(
                ("type",),
                type={"enum": ["Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"]},
                storageClass={"enum": ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"]},
            ),
            condition=_object(
                age=_COUNT,
                createdBefore=_TEXT,
                customTimeBefore=_TEXT,
                daysSinceCustomTime=_COUNT,
                daysSinceNoncurrentTime=_COUNT,
                isLive=_FLAG,
                matchesPrefix=_list(_TEXT),
                matchesStorageClass=_list(_TEXT),
                matchesSuffix=_list(_TEXT),
                noncurrentTimeBefore=_TEXT,
                numNewerVersions=_COUNT,
            ),
        )
    )
)

BUCKET = _object(
    name={"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$"},
    location=_TEXT,
    storageClass={"enum": ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"]},
    labels=_LABELS,
    versioning=_object(enabled=_FLAG),
    softDeletePolicy=_object(retentionDurationSeconds=_INT64),
    iamConfiguration=_object(
        uniformBucketLevelAccess=_object(enabled=_FLAG),
        publicAccessPrevention={"enum": ["enforced", "inherited"]},
    ),
    encryption={"anyOf": [_object(defaultKmsKeyName=_TEXT), {"type": "null"}]},
    logging={"anyOf": [_object(("logBucket",), logBucket=_TEXT, logObjectPrefix=_TEXT), {"type": "null"}]},
    lifecycle={"anyOf": [_LIFECYCLE, {"type": "null"}]},
)

POLICY = _object(
    ("bindings",),
    kind=_TEXT,
    resourceId=_TEXT,
    version={"enum": [1, 3]},
    etag=_TEXT,
    bindings=_list(
        _object(
            ("role", "members"),
            role={
                "type": "string",
                "pattern": "^(roles/[a-zA-Z0-9.]+|(projects|organizations)/.+/roles/.+)$",
            },
            members=_list(
                {
                    "type": "string",
                    "pattern": "^(user|group|serviceAccount|domain|principal|principalSet):.+$",
                }
            ),
            condition=_object(("expression", "title"), expression=_TEXT, title=_TEXT, description=_TEXT),
        )
    ),
)

SERVICE_ACCOUNT = _object(
    ("accountId",),
    accountId={"type": "string", "pattern": "^[a-z]([-a-z0-9]{4,28}[a-z0-9])$"},
    serviceAccount=_object(displayName={"type": "string", "maxLength": 100}, description=_TEXT),
)

CRYPTO_KEY = _object(
    purpose={"enum": ["ENCRYPT_DECRYPT"]},
    rotationPeriod={"type": "string", "pattern": "^[0-9]+s$"},
    nextRotationTime=_TEXT,
    labels=_LABELS,
    versionTemplate=_object(
        ("algorithm",),
        algorithm={"enum": ["GOOGLE_SYMMETRIC_ENCRYPTION"]},
        protectionLevel={"enum": ["SOFTWARE"]},
    ),
)
