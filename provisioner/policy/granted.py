"""What the modules grant, and nothing else: the twin of their READMEs, to which a test holds it."""

from __future__ import annotations

from collections.abc import Mapping

AWS_ACTIONS = frozenset(
    {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
    }
)

ROLES: Mapping[str, frozenset[str]] = {
    "google_storage_bucket_iam_member": frozenset(
        {
            "roles/storage.objectUser",
            "roles/storage.objectViewer",
            "roles/storage.objectCreator",
            "roles/storage.legacyBucketReader",
        }
    ),
    "google_service_account_iam_member": frozenset(
        {"roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"}
    ),
    "google_kms_crypto_key_iam_member": frozenset({"roles/cloudkms.cryptoKeyEncrypterDecrypter"}),
    "azurerm_role_assignment": frozenset(
        {
            "Storage Blob Data Contributor",
            "Storage Blob Data Reader",
            "Storage Blob Delegator",
            "Key Vault Crypto Service Encryption User",
        }
    ),
}
"""The roles that are given, by the type of the resource that gives them."""

GRANTING = ("iam", "role_assignment", "policy_attachment", "_acl")
"""What is in the name of a resource type that grants something; those not known here are too wide."""

KNOWN = frozenset({"aws_iam_role", "aws_iam_role_policy", "azurerm_storage_management_policy", *ROLES})
