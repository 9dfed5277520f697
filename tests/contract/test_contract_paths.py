"""The contract of the root: what is inside, what is refused."""

from __future__ import annotations

import pytest
from contract_rigs import Scene

from stacks.errors import PathOutsideStoreError

CALLS = {
    "open": lambda store, path: store.open(path),
    "open for writing": lambda store, path: store.open(path, "w"),
    "exists": lambda store, path: store.exists(path),
    "isdir": lambda store, path: store.isdir(path),
    "listdir": lambda store, path: store.listdir(path),
    "glob": lambda store, path: store.glob(path),
    "walk": lambda store, path: list(store.walk(path)),
    "mkdir": lambda store, path: store.mkdir(path),
    "makedirs": lambda store, path: store.makedirs(path),
    "remove": lambda store, path: store.remove(path),
    "rmtree": lambda store, path: store.rmtree(path),
    "stat": lambda store, path: store.stat(path),
    "size": lambda store, path: store.size(path),
    "copyfile from": lambda store, path: store.copyfile(path, f"{store.path}/copy"),
    "copyfile to": lambda store, path: store.copyfile(f"{store.path}/file", path),
    "rename from": lambda store, path: store.rename(path, f"{store.path}/moved"),
    "rename to": lambda store, path: store.rename(f"{store.path}/file", path),
    "read_many": lambda store, path: store.read_many([path]),
    "write_many": lambda store, path: store.write_many({path: b""}),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_path_outside_is_refused_by_every_call(scene: Scene, call: str) -> None:
    scene.put("file", b"inside")
    neighbour = f"{scene.store.path}-neighbour/file"
    scene.rig.outside.put(f"{scene.prefix}-neighbour/file", b"not yours")
    for path in (
        neighbour,
        f"{scene.store.path}/../{scene.prefix}-neighbour/file",
        scene.rig.base,
        "nosuch://x/y",
    ):
        with pytest.raises(PathOutsideStoreError) as caught:
            CALLS[call](scene.store, path)
        assert isinstance(caught.value, FileNotFoundError)
        assert caught.value.hint
    assert scene.rig.outside.get(f"{scene.prefix}-neighbour/file") == b"not yours"


def test_a_root_that_ends_in_a_slash(scene: Scene) -> None:
    store = scene.rig.make(f"{scene.store.path}/")
    scene.put("a/file", b"1")
    assert store.path == scene.store.path
    assert store.listdir(f"{store.path}/") == ["a"]
    assert store.listdir(f"{store.path}//a/") == ["file"]
    assert store.read_many([f"{store.path}//a//file"]) == [b"1"]


def test_the_root_is_a_directory_before_anything_is_in_it(scene: Scene) -> None:
    assert scene.store.isdir(scene.store.path)
    assert scene.store.exists(scene.store.path)
    assert scene.store.stat(scene.store.path).is_dir
    assert scene.store.listdir(scene.store.path) == []
    assert list(scene.store.walk(scene.store.path)) == [(scene.store.path, [], [])]
    scene.store.makedirs(scene.store.path)


def test_a_nul_is_refused(scene: Scene) -> None:
    with pytest.raises(ValueError, match="NUL"):
        scene.store.exists(scene.at("a\x00b"))


def test_a_store_shows_its_path_and_name(scene: Scene) -> None:
    assert scene.store.path in repr(scene.store)
    assert "contract" in repr(scene.store)


def test_an_unknown_setting_is_refused(scene: Scene) -> None:
    with pytest.raises(ValueError, match="no_such_setting"):
        scene.rig.make(scene.store.path, no_such_setting=1)
