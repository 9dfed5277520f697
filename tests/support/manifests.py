"""Manifests for tests: short to write, and complete where it matters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provisioner.manifest import LoadedManifest, Manifest, load_manifest, parse_manifest


def manifest(**fields: Any) -> Manifest:
    """A manifest for the local disk, with ``fields`` laid over it."""
    return parse_manifest(json.dumps(_document(fields)))


def loaded(folder: Path, **fields: Any) -> LoadedManifest:
    """The same, from a file in ``folder``."""
    path = folder / "stack.yaml"
    path.write_text(json.dumps(_document(fields)))
    return load_manifest(path)


def aws(**fields: Any) -> Manifest:
    """A manifest for AWS, with ``fields`` laid over it."""
    return manifest(**{"provider": "aws", "region": "eu-west-1", **fields})


def everything() -> Manifest:
    """Every field of the AWS provider set."""
    return aws(
        account="123456789012",
        tags={"team": "ml"},
        artifact_stores=[
            {
                "name": "prod_store",
                "bucket": "acme-ml-prod",
                "prefix": "artifacts/v1",
                "encryption": {"kms_key": "alias/ml"},
                "lifecycle": {"noncurrent_days": 30, "abort_multipart_days": 3, "archive_after_days": 365},
                "storage_class": "standard",
                "connector": "prod_connector",
                "renamed_from": "old_store",
            },
            {"name": "adopted", "bucket": "theirs", "existing": True, "connector": "prod_connector"},
        ],
        connectors=[
            {
                "name": "prod_connector",
                "auth_method": "iam-role",
                "access": "read-only",
                "trusted_principals": ["arn:aws:iam::123456789012:role/ci"],
                "external_id": "acme-ml",
                "session_seconds": 7200,
                "renamed_from": "old_connector",
            }
        ],
    )


def _document(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "demo",
        "provider": "local",
        "artifact_stores": [{"name": "main"}],
        **fields,
    }
