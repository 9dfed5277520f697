"""A world whose Google is a project of the tests' own, and the stacks that its tests apply there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google_identities import OWNER, PROJECT
from google_project import Project
from standin.mirror import Mirror
from world import World

from provisioner.manifest import generated_bucket
from provisioner.verify.gcp_identity import account_id

CI = f"ci@{PROJECT}.iam.gserviceaccount.com"
PLAIN = {"name": "plain"}
KEPT = {
    "name": "kept",
    "bucket": "acme-kept",
    "prefix": "artifacts",
    "lifecycle": {"noncurrent_days": 30, "abort_multipart_days": None, "archive_after_days": 365},
    "storage_class": "nearline",
    "connector": "sharing",
}
ADOPTED = {"name": "adopted", "bucket": "theirs", "existing": True, "prefix": "ours"}
SHARING = {
    "name": "sharing",
    "access": "read-only",
    "trusted_principals": [f"serviceAccount:{OWNER}", f"serviceAccount:{CI}", "group:ml@example.com"],
}
PLAIN_BUCKET = generated_bucket("demo", "plain", PROJECT)


@contextmanager
def gcp_world(folder: Path, terraform: Path | None, mirror: Mirror, project: Project) -> Iterator[World]:
    """A world in which Google is the project's server."""
    own = World.create(
        folder / "world",
        terraform,
        PROVISION_PLUGIN_MIRROR=str(mirror.folder),
        GOOGLE_APPLICATION_CREDENTIALS=str(project.key_file(folder)),
        STORAGE_EMULATOR_HOST=project.url,
        GOOGLE_STORAGE_CUSTOM_ENDPOINT=f"{project.url}/storage/v1/",
        GOOGLE_IAM_CUSTOM_ENDPOINT=f"{project.url}/v1/",
        GOOGLE_KMS_CUSTOM_ENDPOINT=f"{project.url}/v1/",
        CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=project.url,
        CLOUDSDK_API_ENDPOINT_OVERRIDES_STS=project.url,
    )
    yield own
    own.close()


def write(gcp: World, *stores: dict[str, Any], file: str = "stack.yaml", **fields: Any) -> Path:
    """A manifest for the project."""
    return gcp.manifest(
        file,
        **{
            "provider": "gcp",
            "region": "europe-west1",
            "account": PROJECT,
            "tags": {"team": "ml"},
            "artifact_stores": list(stores),
            **fields,
        },
    )


def whole(gcp: World, *stores: dict[str, Any], **fields: Any) -> Path:
    """The stack that most of the tests share."""
    return write(gcp, *(stores or (PLAIN, KEPT, ADOPTED)), connectors=[SHARING], **fields)


def email(connector: str) -> str:
    """The service account of a connector."""
    return f"{account_id('demo', connector)}@{PROJECT}.iam.gserviceaccount.com"


def run(gcp: World, *argv: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """A program of the user's own, in the same world."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *argv],
        env=gcp.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stderr
    return done


PROGRAM = """
import json, sys
from stacks import Client
store = Client().get_artifact_store(sys.argv[1])
with store.open(f"{store.path}/{sys.argv[2]}", "w") as stream:
    stream.write(sys.argv[3])
with store.open(f"{store.path}/{sys.argv[2]}") as stream:
    print(json.dumps({"read": stream.read(), "listed": sorted(map(str, store.listdir(store.path)))}))
"""
