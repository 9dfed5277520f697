"""`provision init`: the first files of a project, each of which works as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.manifest import load_manifest
from provisioner.scaffold import scaffold
from stacks.state import StateFile


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_scaffolded_is_valid(tmp_path: Path, provider: str) -> None:
    folder = tmp_path / "My Project!"

    written = scaffold(folder, provider)

    manifest = load_manifest(folder / "stack.yaml").manifest
    assert (manifest.name, manifest.provider) == ("my-project", provider)
    assert ".stacks/" in (folder / ".gitignore").read_text().splitlines()
    assert StateFile.locate(folder, {}).location == str(folder / ".stacks" / "state.json")
    assert sorted(path.name for path in written) == [".gitignore", "stack.yaml", "state.json"]


def test_a_region_can_be_chosen(tmp_path: Path) -> None:
    scaffold(tmp_path, "aws", region="us-west-2")

    assert load_manifest(tmp_path / "stack.yaml").manifest.region == "us-west-2"


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    scaffold(tmp_path, "local")
    assert (tmp_path / ".gitignore").read_text() == "mine\n"

    (tmp_path / "stack.yaml").write_text("mine")
    with pytest.raises(InputError, match="is already there"):
        scaffold(tmp_path, "local")
    assert (tmp_path / "stack.yaml").read_text() == "mine"


def test_a_provider_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no provider 'floppy'"):
        scaffold(tmp_path, "floppy")
    assert list(tmp_path.iterdir()) == [tmp_path / "own-home"]


@pytest.mark.parametrize("folder", ["123", "-", "é"])
def test_a_folder_whose_name_is_no_stack_gets_another(tmp_path: Path, folder: str) -> None:
    scaffold(tmp_path / folder, "local")

    assert load_manifest(tmp_path / folder / "stack.yaml").manifest.name == "my-stack"
