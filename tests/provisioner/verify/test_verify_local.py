"""What the engine asks of the disk by itself."""

from __future__ import annotations

from pathlib import Path

import manifests
import pytest

from provisioner.errors import UpstreamError
from provisioner.verify.base import Places
from provisioner.verify.local import LocalDisk, connect


@pytest.fixture
def disk(tmp_path: Path) -> LocalDisk:
    """The disk of a manifest whose store `main` lies in the folder `data` beside it."""
    manifest = manifests.manifest(artifact_stores=[{"name": "main", "bucket": "data"}])
    return connect(manifest, Places(tmp_path, tmp_path / "home"))


def test_where_stores_lie(tmp_path: Path) -> None:
    stores = [
        {"name": "plain"},
        {"name": "renamed", "renamed_from": "first"},
        {"name": "relative", "bucket": "data/x"},
        {"name": "absolute", "bucket": "/srv/data"},
    ]
    disk = connect(manifests.manifest(artifact_stores=stores), Places(tmp_path, Path("/home/state")))

    assert disk.machine_variables()["directories"] == {
        "plain": "/home/state/local_stores/demo/plain",
        "renamed": "/home/state/local_stores/demo/first",
        "relative": f"{tmp_path}/data/x",
        "absolute": "/srv/data",
    }


def test_what_deviates_and_what_repairs_it(disk: LocalDisk, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert disk.deviations() == [f"main: {data} is missing"]
    data.mkdir(mode=0o700)
    assert disk.deviations() == disk.repairs() == []

    data.chmod(0o750)
    assert disk.deviations() == [f"main: {data} has mode 0750 instead of 0700"]
    assert disk.repairs() == ["module.store_main.terraform_data.permissions[0]"]
    data.rmdir()
    data.write_text("")
    assert disk.deviations() == [f"main: {data} is not a directory"]


def test_what_a_directory_holds(disk: LocalDisk, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert disk.contents(str(data)).empty
    (data / "folder").mkdir(parents=True)
    assert disk.contents(str(data)).examples == ("folder",)
    (data / "folder" / "file").write_text("")
    (data / "link").symlink_to("/")

    contents = disk.contents(str(data))

    assert contents.objects == 2
    assert set(contents.examples) == {"folder/file", "link"}
    with pytest.raises(UpstreamError, match="could not be removed"):
        disk.discard(str(data))
    disk.empty(str(data))
    assert list(data.iterdir()) == []
    disk.discard(str(data))
    disk.discard(str(data))
    assert not data.exists()
    assert Path("/").exists()
