"""fsspec's own test suites over ``store.fs``, and what tables are read with."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from contract_rigs import Rig, Scene
from fsspec import AbstractFileSystem
from fsspec.tests.abstract import AbstractFixtures
from fsspec.tests.abstract.copy import AbstractCopyTests
from fsspec.tests.abstract.get import AbstractGetTests
from fsspec.tests.abstract.open import AbstractOpenTests
from fsspec.tests.abstract.pipe import AbstractPipeTests
from fsspec.tests.abstract.put import AbstractPutTests

RIGS = ["local", "custom", pytest.param("moto", marks=pytest.mark.slow)]


class StoreFixtures(AbstractFixtures):
    """Where fsspec's suites run: a fresh store for each test."""

    @pytest.fixture(params=RIGS)
    def fs(self, request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> AbstractFileSystem:
        return start(request.param).fresh()[0].fs

    @pytest.fixture
    def fs_path(self, fs: Any) -> str:
        return str(fs.store.path)

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return True


class TestCopy(AbstractCopyTests, StoreFixtures):
    pass


class TestGet(AbstractGetTests, StoreFixtures):
    pass


class TestPut(AbstractPutTests, StoreFixtures):
    pass


class TestPipe(AbstractPipeTests, StoreFixtures):
    pass


class TestOpen(AbstractOpenTests, StoreFixtures):
    pass


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


def test_what_a_reader_of_tables_asks(scene: Scene) -> None:
    fs = scene.store.fs
    scene.put("table/part-0", b"0123456789")
    scene.put("table/part-1", b"ab")
    path = scene.at("table")
    assert [(one["name"], one["size"], one["type"]) for one in fs.ls(path)] == [
        (scene.at("table/part-0"), 10, "file"),
        (scene.at("table/part-1"), 2, "file"),
    ]
    assert fs.find(scene.store.path) == [scene.at("table/part-0"), scene.at("table/part-1")]
    assert fs.glob(scene.at("*/part-*")) == fs.find(path)
    assert fs.info(path)["type"] == "directory"
    assert fs.cat(fs.find(path)) == {one: scene.get(f"table/{one[-6:]}") for one in fs.find(path)}
    assert fs.cat_file(scene.at("table/part-0"), start=-4, end=-1) == b"678"
    assert fs.size(scene.at("table/part-0")) == 10
    with fs.open(scene.at("table/part-0")) as file:
        file.seek(-3, 2)
        assert file.read() == b"789"


def test_changes_through_fsspec(scene: Scene) -> None:
    fs = scene.store.fs
    fs.pipe({scene.at("a/1"): b"1", scene.at("a/2"): b"2"})
    fs.mv(scene.at("a"), scene.at("b"))
    fs.touch(scene.at("b/3"))
    with fs.open(scene.at("b/1"), "ab") as file:
        file.write(b"!")
    assert scene.get("b/1") == b"1!"
    fs.rm(scene.at("b/2"))
    with pytest.raises(IsADirectoryError):
        fs.rm(scene.at("b"))
    assert scene.files() == ["b/1", "b/3"]
    with pytest.raises(OSError, match="not empty"):
        fs.rmdir(scene.at("b"))
    fs.rm(scene.at("b"), recursive=True)
    assert scene.files() == []
    with pytest.raises(FileNotFoundError):
        fs.ls(scene.at("b"))


def test_nothing_is_cached(scene: Scene) -> None:
    fs = scene.store.fs
    scene.put("x/1")
    assert len(fs.ls(scene.at("x"))) == 1
    scene.put("x/2")
    assert len(fs.ls(scene.at("x"))) == 2
    assert pickle.loads(pickle.dumps(fs)) == fs


def test_storage_options_have_what_s3fs_takes(scene: Scene) -> None:
    options = scene.store.storage_options
    if not scene.store.path.startswith("s3://"):
        assert options == {}
        return
    assert (options["key"], options["secret"]) == ("test", "testtest")
    assert options["client_kwargs"]["endpoint_url"].startswith("http://127.0.0.1")
