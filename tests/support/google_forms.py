"""What Google's APIs refuse although their discovery documents do not say it in a way that a program reads.

Names, labels and members follow https://cloud.google.com/storage/docs/buckets#naming,
https://cloud.google.com/storage/docs/tags-and-labels and
https://cloud.google.com/iam/docs/reference/rest/v1/Policy; which values a plain string of the documents may
have, their descriptions tell. Which fields there are is said in the documents alone.
"""

from __future__ import annotations

from typing import Any

_STORAGE_CLASS = {"enum": ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", None]}
_COUNT = {"minimum": 0}


def _fields(*required: str, **properties: Any) -> dict[str, Any]:
    return {"required": list(required), "properties": properties}


_LABELS = {
    "maxProperties": 64,
    "propertyNames": {"pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "additionalProperties": {"pattern": "^[a-z0-9_-]{0,63}$"},
}

_RULE = _fields(
    "action",
    "condition",
    action=_fields(
        "type",
        type={"enum": ["Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"]},
        storageClass=_STORAGE_CLASS,
    ),
    condition=_fields(
        age=_COUNT,
        daysSinceCustomTime=_COUNT,
        daysSinceNoncurrentTime=_COUNT,
        numNewerVersions=_COUNT,
    ),
)

_BUCKET = _fields(
    name={"pattern": "^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$"},
    storageClass=_STORAGE_CLASS,
    labels=_LABELS,
    softDeletePolicy=_fields(retentionDurationSeconds={"pattern": "^[0-9]+$", "minimum": 0}),
    iamConfiguration=_fields(publicAccessPrevention={"enum": ["enforced", "inherited", None]}),
    logging=_fields("logBucket"),
    lifecycle=_fields(rule={"items": _RULE}),
)

_POLICY = _fields(
    "bindings",
    version={"enum": [1, 3, None]},
    bindings={
        "items": _fields(
            "role",
            "members",
            role={"pattern": "^(roles/[a-zA-Z0-9.]+|(projects|organizations)/.+/roles/.+)$"},
            members={"items": {"pattern": "^(user|group|serviceAccount|domain|principal|principalSet):.+$"}},
            condition=_fields("expression", "title"),
        )
    },
)
_SET_POLICY = _fields(policy=_POLICY)

_TEXT = {"minLength": 1}

STRICTER: dict[str, dict[str, Any]] = {
    "storage.Bucket": _BUCKET,
    "storage.Policy": _POLICY,
    "iam.SetIamPolicyRequest": _SET_POLICY,
    "cloudkms.SetIamPolicyRequest": _SET_POLICY,
    "cloudkms.CryptoKey": _fields(labels=_LABELS),
    "iam.CreateServiceAccountRequest": _fields(
        accountId={"pattern": "^[a-z]([-a-z0-9]{4,28}[a-z0-9])$"},
        serviceAccount=_fields(displayName={"maxLength": 100}),
    ),
    "iam.PatchServiceAccountRequest": _fields("serviceAccount", "updateMask"),
    "iam.CreateServiceAccountKeyRequest": _fields(privateKeyType={"enum": ["TYPE_GOOGLE_CREDENTIALS_FILE"]}),
    "iamcredentials.GenerateAccessTokenRequest": _fields(
        scope={"minItems": 1, "items": _TEXT}, delegates={"items": _TEXT}
    ),
    "sts.GoogleIdentityStsV1ExchangeTokenRequest": _fields(
        grantType={"const": "urn:ietf:params:oauth:grant-type:token-exchange"},
        requestedTokenType={"const": "urn:ietf:params:oauth:token-type:access_token"},
        subjectToken=_TEXT,
    ),
    "sts.GoogleIdentityStsV1Options": _fields(
        "accessBoundary",
        accessBoundary=_fields(
            "accessBoundaryRules",
            accessBoundaryRules={
                "minItems": 1,
                "maxItems": 10,
                "items": _fields(
                    "availablePermissions",
                    "availableResource",
                    availablePermissions={"items": {"pattern": "^inRole:"}},
                    availableResource={
                        "pattern": r"^//storage\.googleapis\.com/projects/_/buckets/[a-z0-9._-]+$"
                    },
                    availabilityCondition=_fields(
                        "expression", expression=_TEXT, title=_TEXT, description=_TEXT
                    ),
                ),
            },
        ),
    ),
    "secretmanager.Secret": _fields("replication", labels=_LABELS),
    "secretmanager.AddSecretVersionRequest": _fields(payload=_fields("data", data=_TEXT)),
}
"""By API and schema. Where nothing is said of a type, the document says it; ``null`` leaves a field out."""
