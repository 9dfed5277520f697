"""A project's own state file, made before anything is registered."""

from __future__ import annotations

from pathlib import Path

from stacks.state import StateFile


def test_a_created_state_file_is_found_from_a_folder_below(tmp_path: Path) -> None:
    file = StateFile(tmp_path / ".stacks" / "state.json")
    below = tmp_path / "src" / "package"
    below.mkdir(parents=True)

    assert file.create() is True
    assert StateFile.locate(below, environ={}).location == file.location
    assert file.read().serial == 1


def test_creating_a_state_file_never_replaces_one(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.json")
    file.create()
    before = Path(file.location).read_bytes()

    assert file.create() is False
    assert Path(file.location).read_bytes() == before
