"""A folder to put stacks into."""

from __future__ import annotations

from pathlib import Path

import pytest
from stacks_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty one."""
    (tmp_path / "repository").mkdir()
    return Folder(tmp_path / "repository")


@pytest.fixture
def repository(folder: Folder) -> Folder:
    """The same as a git repository with one commit: two stacks on one base."""
    folder.git("init", "--quiet", "--initial-branch=main")
    folder.write("stacks/base.yaml", "version: 1\nprovider: local\n")
    for name in ("one", "two"):
        folder.write(
            f"stacks/{name}.yaml", f"extends: base.yaml\nname: {name}\nartifact_stores: [{{name: {name}}}]\n"
        )
    folder.stack("stacks/alone.yaml")
    folder.commit()
    return folder
