"""Where the state file is found, and which is not believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.errors import StateError
from stacks.state import ArtifactStoreRecord, State, StateFile


def add_store(name: str) -> Callable[[State], State]:
    return lambda state: state.with_artifact_store(ArtifactStoreRecord(name, "local", f"/data/{name}"))


def test_the_variable_names_it(tmp_path: Path) -> None:
    found = StateFile.locate(tmp_path, environ={"STACKS_STATE": str(tmp_path / "named.json")})
    assert found.location == str(tmp_path / "named.json")
    assert found.home == tmp_path / "named.json.d"


def test_two_files_in_one_folder_share_nothing(tmp_path: Path) -> None:
    """Else one stack's workspace, and so its buckets, would be taken for another's of the same name."""
    homes = {StateFile(tmp_path / name).home for name in ("dev.json", "prod.json", "state.json")}
    assert homes == {tmp_path / "dev.json.d", tmp_path / "prod.json.d", tmp_path}


def test_the_nearest_folder_upwards_has_it(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "src" / "deep"
    inner.mkdir(parents=True)
    StateFile(tmp_path / ".stacks" / "state.json").update(add_store("outer"))
    StateFile(tmp_path / "project" / ".stacks" / "state.json").update(add_store("inner"))
    assert set(StateFile.locate(inner, environ={}).read().artifact_stores) == {"inner"}


def test_else_it_is_in_the_users_configuration(tmp_path: Path) -> None:
    found = StateFile.locate(tmp_path, environ={"XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert found.location == str(tmp_path / "config" / "stacks" / "state.json")
    assert found.read() == State()


def test_a_folder_that_may_not_be_looked_into_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / ".stacks" / "state.json"
    StateFile(hidden).update(add_store("ours"))
    lstat = Path.lstat

    def refused(path: Path) -> os.stat_result:  # to root every folder is open
        if path == hidden:
            raise PermissionError(13, "Permission denied", str(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", refused)
    with pytest.raises(StateError, match="may not be looked into"):
        StateFile.locate(tmp_path, environ={"XDG_CONFIG_HOME": str(tmp_path / "config")})


@pytest.mark.parametrize("named", [".", "{0}", "file://{0}"])
def test_a_folder_is_no_state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    folder = tmp_path / "above" / "here"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    file = StateFile.locate(environ={"STACKS_STATE": named.format(folder)})

    for attempt in (file.read, file.create, lambda: file.update(add_store("main"))):
        with pytest.raises(StateError, match="is a folder, and a state file is a file") as refused:
            attempt()
        assert refused.value.hint == f"name the file in it, such as {folder / 'state.json'}"
    assert list(folder.parent.iterdir()) == [folder], "nothing is left beside it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_that_somebody_else_slipped_in_is_not_believed(tmp_path: Path) -> None:
    planted = tmp_path / ".stacks" / "state.json"
    StateFile(planted).update(add_store("evil"))
    os.chown(planted, 12345, 12345)
    with pytest.raises(StateError, match="belongs to another user") as caught:
        StateFile.locate(tmp_path, environ={})
    assert caught.value.hint == f"set STACKS_STATE={planted} if you trust it"
    assert StateFile.locate(tmp_path, environ={"STACKS_STATE": str(planted)}).read().artifact_stores
