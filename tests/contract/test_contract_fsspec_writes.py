"""Writing through fsspec: with its codecs, as text, in its transactions. Only an orderly end makes a file."""

from __future__ import annotations

import gc
import gzip
import os
import zipfile
from collections.abc import Callable
from typing import IO, Any

import pyarrow as pa
import pytest
from contract_rigs import Rig, Scene
from pyarrow import parquet

CODECS = ["gzip", "bz2", "xz", "lzma", "zip"]
WAYS: dict[str, dict[str, Any]] = {
    "text": {"mode": "w"},
    "bytes": {"mode": "wb"},
    "latin text": {"mode": "wt", "encoding": "latin-1"},
    **{f"{codec} text": {"mode": "wt", "compression": codec} for codec in CODECS},
    **{f"{codec} bytes": {"mode": "wb", "compression": codec} for codec in CODECS},
    "new": {"mode": "x"},
    "new in gzip": {"mode": "xb", "compression": "gzip"},
    "more": {"mode": "a"},
    "more in gzip": {"mode": "at", "compression": "gzip"},
}


@pytest.fixture(params=["local", "custom", "moto"])
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    return WAYS[request.param]


def content(way: dict[str, Any], text: str = "Grüße\n") -> Any:
    return text if "b" not in way["mode"] else text.encode()


def write(file: IO[Any], what: Any, *, fail: bool = False) -> None:
    with file:
        file.write(what)
        if fail:
            raise RuntimeError("midway")


def read(scene: Scene, way: dict[str, Any]) -> Any:
    mode = "rb" if "b" in way["mode"] else "r"
    with scene.store.fs.open(scene.at("file"), **{**way, "mode": mode}) as file:
        return file.read()


def test_what_is_written_comes_back(scene: Scene, way: dict[str, Any]) -> None:
    with scene.store.fs.open(scene.at("file"), **way) as file:
        file.write(content(way))
        assert scene.files() == []
    assert read(scene, way) == content(way)
    assert scene.unfinished() == []


def test_a_block_that_raises_leaves_what_was_there(scene: Scene, way: dict[str, Any]) -> None:
    if "x" not in way["mode"]:
        scene.put("file", b"good")
    with pytest.raises(RuntimeError, match="midway"):
        write(scene.store.fs.open(scene.at("file"), **way), content(way), fail=True)
    gc.collect()
    assert scene.files() == ([] if "x" in way["mode"] else ["file"])
    assert "x" in way["mode"] or scene.get("file") == b"good"


def test_what_nobody_closed_is_dropped(scene: Scene, way: dict[str, Any]) -> None:
    file = scene.store.fs.open(scene.at("file"), **way)
    file.write(content(way))
    del file
    gc.collect()
    assert scene.files() == []


def test_a_transaction_ends_all_or_none(scene: Scene, way: dict[str, Any]) -> None:
    fs = scene.store.fs
    with fs.transaction:
        write(fs.open(scene.at("file"), **way), content(way))
        fs.pipe_file(scene.at("other"), b"other")
        assert scene.files() == []
    assert scene.files() == ["file", "other"]
    assert read(scene, way) == content(way)
    scene.delete("file")
    scene.delete("other")

    def fail() -> None:
        with fs.transaction:
            write(fs.open(scene.at("file"), **way), content(way))
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    assert scene.files() == []
    write(fs.open(scene.at("file"), **way), content(way))
    assert scene.files() == ["file"]


def test_in_a_transaction_only_what_was_closed_is_written(scene: Scene) -> None:
    fs = scene.store.fs

    def forget() -> None:
        with fs.transaction:
            with pytest.raises(RuntimeError, match="midway"):
                write(fs.open(scene.at("failed"), "w"), "x", fail=True)
            open_file = fs.open(scene.at("forgotten"), "wb")
            open_file.write(b"x")

    with pytest.raises(ValueError, match=r"forgotten was not closed"):
        forget()
    assert scene.files() == []


def test_the_codec_is_named_or_told_by_the_name(scene: Scene) -> None:
    fs = scene.store.fs
    write(fs.open(scene.at("a.csv.gz"), "wt", compression="infer", newline=""), "a,b\r\n")
    write(fs.open(scene.at("b.csv"), "w", compression="infer"), "a,b\n")
    assert gzip.decompress(scene.get("a.csv.gz")) == b"a,b\r\n"
    assert scene.get("b.csv") == b"a,b\n"
    with pytest.raises(ValueError, match="nonsense"):
        fs.open(scene.at("c"), "w", compression="nonsense")
    with pytest.raises(ValueError, match="appended"):
        fs.open(scene.at("c"), "a", compression="zip")
    with pytest.raises(zipfile.BadZipFile):
        fs.open(scene.at("b.csv"), compression="zip")
    assert scene.files() == ["a.csv.gz", "b.csv"]


def test_more_is_appended_to_what_is_packed(scene: Scene) -> None:
    for word in ("one ", "two"):
        write(scene.store.fs.open(scene.at("log.gz"), "ab", compression="gzip"), word.encode())
    assert gzip.decompress(scene.get("log.gz")) == b"one two"


def test_a_large_file_through_a_codec(scene: Scene) -> None:
    data = os.urandom(getattr(scene.store, "PART_SIZE", 0) * 2 + 12345)
    write(scene.store.fs.open(scene.at("file"), "wb", compression="gzip"), data)
    assert gzip.decompress(scene.get("file")) == data
    with pytest.raises(RuntimeError):
        write(scene.store.fs.open(scene.at("file"), "wb", compression="gzip"), data[::-1], fail=True)
    assert gzip.decompress(scene.get("file")) == data
    assert scene.unfinished() == []


def test_a_table_that_is_written_in_pieces_and_fails(scene: Scene) -> None:
    """As the documents say it: pyarrow ends the files that it opens itself, whatever happens."""
    scene.put("table", b"good")
    table = pa.table({"a": [1]})

    def fail() -> None:
        with (
            scene.store.open(scene.at("table"), "wb") as file,
            parquet.ParquetWriter(file, table.schema) as writer,
        ):
            writer.write_table(table)
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        fail()
    assert scene.get("table") == b"good"


def test_files_of_other_flavors_are_dropped_as_well(
    scene: Scene, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = type(scene.store).open
    monkeypatch.setattr(type(scene.store), "open", lambda *args: Wrapped(opened(*args)))
    with pytest.raises(RuntimeError, match="midway"):
        write(scene.store.fs.open(scene.at("file"), **way), content(way), fail=True)
    assert scene.files() == []
    write(scene.store.fs.open(scene.at("file"), **way), content(way))
    assert scene.files() == ["file"]


class Wrapped:
    """A file of a flavor of a user's own, which knows of no way to be dropped but a block that raises."""

    def __init__(self, file: Any) -> None:
        self._file, self.name = file, file.name
        self.write, self.close, self.__exit__ = file.write, file.close, file.__exit__

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)
