"""Old versions in a bucket of Google's, which fake-gcs-server cannot delete: a project of the tests' own."""

from __future__ import annotations

from pathlib import Path

import pytest
from google_project import running_project

from stacks.stores.gcp import GCPArtifactStore


def test_the_versions_of_deleted_files_can_be_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_project(tmp_path) as project:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(project.key_file(tmp_path)))
        project.add_bucket({"name": "versions", "location": "EU", "versioning": {"enabled": True}})
        store = GCPArtifactStore("gs://versions/root", endpoint_url=project.url)
        for content in (b"1", b"2"):
            store.write_many({f"{store.path}/{name}": content for name in ("d/kept", "d/gone", "dd/gone")})
        for name in ("d/gone", "dd/gone"):
            store.remove(f"{store.path}/{name}")

        assert store.forget_versions(f"{store.path}/d") == 2

        left = [name.removeprefix("root/") for name in sorted(project.objects.names("versions"))]
        assert left == ["d/kept", "d/kept", "dd/gone", "dd/gone"]
        assert store.forget_versions(f"{store.path}/d") == 0
