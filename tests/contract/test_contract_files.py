"""The contract of ``open``: modes, streams, and when a write becomes visible."""

from __future__ import annotations

import gc
import io
import os
import random
import zipfile
from pathlib import PurePosixPath
from typing import IO, Any

import pytest
from contract_rigs import Scene

from stacks.errors import PathError

MIB = 1024 * 1024


def write_and_raise(file: IO[Any], content: Any) -> None:
    """What a program does whose step fails while it writes."""
    with file:
        file.write(content)
        raise RuntimeError("midway")


def test_text_and_bytes_come_back(scene: Scene) -> None:
    with scene.store.open(scene.at("a/text.txt"), "w") as file:
        file.write("Grüße\n")
    with scene.store.open(scene.at("a/text.txt")) as file:
        assert file.read() == "Grüße\n"
    with scene.store.open(scene.at("a/text.txt"), "rb") as file:
        assert file.read() == "Grüße\n".encode()
    assert scene.get("a/text.txt") == "Grüße\n".encode()


def test_paths_may_be_text_bytes_or_pathlike(scene: Scene) -> None:
    scene.put("data.bin", b"12")
    for path in (
        scene.at("data.bin"),
        os.fsencode(scene.at("data.bin")),
        PurePosixPath(scene.at("data.bin")),
    ):
        with scene.store.open(path, "rb") as file:
            assert file.read() == b"12"


@pytest.mark.parametrize(
    "name", ["with space", "ümlaut", "a+b&c=d?e#f%20", "quote'\"", "star*", "~tilde", "back\\slash", "x:y@z"]
)
def test_any_name_that_a_disk_can_hold(scene: Scene, name: str) -> None:
    if "\\" in name and "backslashes in names" in scene.rig.lacks:
        with pytest.raises(PathError, match="backslash"):
            scene.store.open(scene.at(name), "wb")
        return
    with scene.store.open(scene.at(f"odd/{name}"), "wb") as file:
        file.write(b"odd")
    assert scene.store.listdir(scene.at("odd")) == [name]
    assert scene.files() == [f"odd/{name}"]
    with scene.store.open(scene.at(f"odd/{name}"), "rb") as file:
        assert file.read() == b"odd"
    scene.store.rename(scene.at(f"odd/{name}"), scene.at(f"odd/{name}2"))
    scene.store.remove(scene.at(f"odd/{name}2"))
    assert not scene.store.exists(scene.at(f"odd/{name}2"))


def test_an_empty_file(scene: Scene) -> None:
    with scene.store.open(scene.at("empty"), "wb"):
        assert not scene.files()
    assert scene.store.size(scene.at("empty")) == 0
    with scene.store.open(scene.at("empty"), "rb") as file:
        assert file.read() == b""
    with scene.store.open(scene.at("empty")) as text:
        assert text.read() == ""


def test_writing_replaces(scene: Scene) -> None:
    scene.put("file", b"a longer old content")
    with scene.store.open(scene.at("file"), "w") as file:
        file.write("new")
    assert scene.get("file") == b"new"


def test_a_write_is_visible_only_after_the_close(scene: Scene) -> None:
    with scene.store.open(scene.at("new"), "wb") as file:
        file.write(b"x" * 1000)
        file.flush()
        assert scene.files() == []
        assert not scene.store.exists(scene.at("new"))
    assert scene.files() == ["new"]


@pytest.mark.parametrize("mode", ["w", "wb", "x", "xb", "a", "ab"])
def test_a_block_that_raises_leaves_nothing(scene: Scene, mode: str) -> None:
    file = scene.store.open(scene.at("half"), mode)
    with pytest.raises(RuntimeError, match="midway"):
        write_and_raise(file, b"half" if "b" in mode else "half")
    assert scene.files() == []
    assert file.closed


def test_a_block_that_raises_leaves_the_old_file(scene: Scene) -> None:
    scene.put("file", b"old")
    for mode in ("w", "a"):
        with pytest.raises(RuntimeError):
            write_and_raise(scene.store.open(scene.at("file"), mode), "new")
        assert scene.get("file") == b"old"


def test_a_file_that_nobody_closed_is_dropped(scene: Scene) -> None:
    file = scene.store.open(scene.at("forgotten"), "w")
    file.write("half")
    del file
    gc.collect()
    assert scene.files() == []


def test_a_large_write_that_raises_leaves_no_parts(scene: Scene) -> None:
    scene.rig.needs("multipart upload")
    with pytest.raises(RuntimeError):
        write_and_raise(scene.store.open(scene.at("large"), "wb"), bytes(40 * MIB))
    assert scene.files() == []
    assert scene.unfinished() == []


def test_a_large_file_streams_and_seeks(scene: Scene) -> None:
    scene.rig.needs("multipart upload")
    content = random.Random(7).randbytes(40 * MIB + 12345)
    with scene.store.open(scene.at("large"), "wb") as file:
        for start in range(0, len(content), 3 * MIB + 1):
            file.write(content[start : start + 3 * MIB + 1])
        assert file.tell() == len(content)
    assert scene.store.size(scene.at("large")) == len(content)
    assert scene.unfinished() == []
    with scene.store.open(scene.at("large"), "rb") as file:
        assert file.read() == content
    with scene.store.open(scene.at("large"), "rb") as file:
        pieces = iter(lambda: file.read(1_000_003), b"")
        assert b"".join(pieces) == content
    with scene.store.open(scene.at("large"), "rb") as file:
        target = bytearray(35 * MIB)
        file.seek(1000)
        assert file.readinto(target) == len(target)
        assert target == content[1000 : 1000 + len(target)]
        file.seek(-7, io.SEEK_END)
        assert file.read() == content[-7:]
        assert file.read() == b""
        for seed in range(20):
            at = random.Random(seed).randrange(len(content))
            file.seek(at)
            assert file.read(5000) == content[at : at + 5000]
            assert file.tell() == min(at + 5000, len(content))


def test_seeking_in_a_small_file(scene: Scene) -> None:
    scene.put("file", b"0123456789")
    with scene.store.open(scene.at("file"), "rb") as file:
        assert file.seekable()
        assert file.readable()
        assert not file.writable()
        file.seek(-3, io.SEEK_END)
        assert file.read(2) == b"78"
        assert file.tell() == 9
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"no")
        file.seek(0)
        assert list(file) == [b"0123456789"]


def test_lines_of_text(scene: Scene) -> None:
    scene.put("lines", b"one\ntwo\nthree")
    with scene.store.open(scene.at("lines")) as file:
        assert [line.strip() for line in file] == ["one", "two", "three"]


def test_appending(scene: Scene) -> None:
    for word in ("one ", "two ", "three"):
        with scene.store.open(scene.at("log"), "a") as file:
            file.write(word)
    assert scene.get("log") == b"one two three"
    with scene.store.open(scene.at("log"), "ab") as file:
        assert file.tell() == 13
        file.write(b"!")
    assert scene.get("log") == b"one two three!"


def test_appending_to_a_large_file(scene: Scene) -> None:
    scene.rig.needs("multipart upload")
    content = random.Random(1).randbytes(17 * MIB)
    scene.put("log", content)
    with scene.store.open(scene.at("log"), "ab") as file:
        file.write(b"end")
    assert scene.get("log") == content + b"end"


def test_two_who_append_at_once_lose_nothing(scene: Scene) -> None:
    scene.rig.needs("conditional writes")
    scene.put("log", b"start ")
    slow = scene.store.open(scene.at("log"), "ab")
    slow.write(b"slow")
    with scene.store.open(scene.at("log"), "ab") as fast:
        fast.write(b"fast")
    with pytest.raises(OSError, match="log"):
        slow.close()
    assert scene.get("log") == b"start fast"


def test_exclusive_creation(scene: Scene) -> None:
    with scene.store.open(scene.at("once"), "x") as file:
        file.write("first")
    with pytest.raises(FileExistsError, match="once"):
        scene.store.open(scene.at("once"), "x")
    assert scene.get("once") == b"first"


def test_exclusive_creation_is_decided_at_the_close(scene: Scene) -> None:
    scene.rig.needs("conditional writes")
    late = scene.store.open(scene.at("once"), "xb")
    late.write(b"late")
    scene.put("once", b"early")
    with pytest.raises(FileExistsError, match="once"):
        late.close()
    assert scene.get("once") == b"early"


def test_reading_what_is_not_there(scene: Scene) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        scene.store.open(scene.at("missing"))


@pytest.mark.parametrize("mode", ["r", "rb", "w", "wb", "x", "a"])
def test_a_directory_is_not_opened(scene: Scene, mode: str) -> None:
    scene.put("folder/file")
    with pytest.raises(IsADirectoryError, match="folder"):
        scene.store.open(scene.at("folder"), mode)
    with pytest.raises(IsADirectoryError):
        scene.store.open(scene.store.path, mode)


@pytest.mark.parametrize("mode", ["", "rw", "r+", "wbb", "z", "rbt", "b"])
def test_other_modes_are_refused(scene: Scene, mode: str) -> None:
    with pytest.raises(ValueError, match="mode"):
        scene.store.open(scene.at("file"), mode)


def test_what_libraries_do_with_a_file(scene: Scene) -> None:
    """zipfile seeks, tells and reads backwards from the end."""
    with scene.store.open(scene.at("a.zip"), "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner.txt", "hello")
    with scene.store.open(scene.at("a.zip"), "rb") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("inner.txt") == b"hello"


def test_conditional_writes(scene: Scene) -> None:
    scene.rig.needs("conditional writes")
    from stacks.errors import ObjectChangedError

    first = scene.store.write_bytes(scene.at("record"), b"1", if_absent=True)
    with pytest.raises(FileExistsError):
        scene.store.write_bytes(scene.at("record"), b"other", if_absent=True)
    content, found = scene.store.read_bytes(scene.at("record"))
    assert (content, found.etag) == (b"1", first)
    second = scene.store.write_bytes(scene.at("record"), b"2", if_match=first)
    assert second != first
    with pytest.raises(ObjectChangedError, match="record"):
        scene.store.write_bytes(scene.at("record"), b"3", if_match=first)
    assert scene.get("record") == b"2"
    with pytest.raises(ObjectChangedError):
        scene.store.write_bytes(scene.at("not-there"), b"3", if_match=first)
    assert scene.files() == ["record"]


def test_many_files_at_once(scene: Scene) -> None:
    files = {scene.at(f"many/{number:03}"): b"%d" % number for number in range(60)}
    scene.store.write_many(files)
    assert scene.store.read_many(reversed(list(files))) == list(reversed(files.values()))
    with pytest.raises(FileNotFoundError, match="absent"):
        scene.store.read_many([*files, scene.at("many/absent")])


# ---- a file where a directory is ------------------------------------------------------------------------


def test_writing_whole_files_refuses_the_name_of_a_directory(scene: Scene) -> None:
    store = scene.store
    scene.put("taken/file")
    names = ["taken", "new/"]
    if "directory markers" not in scene.rig.lacks:
        store.makedirs(scene.at("empty"))
        names.append("empty")
    for name in names:
        for write in (
            lambda path: store.write_bytes(path, b"x"),
            lambda path: store.write_bytes(path, b"x", if_absent=True),
            lambda path: store.write_many({path: b"x"}),
            lambda path: store.write_many({scene.at("one"): b"x", path: b"x", scene.at("two"): b"x"}),
        ):
            with pytest.raises(IsADirectoryError):
                write(scene.at(name))
    assert scene.files() == ["taken/file"]


def test_files_that_would_be_in_each_others_way_are_not_written(scene: Scene) -> None:
    with pytest.raises(IsADirectoryError):
        scene.store.write_many({scene.at("a"): b"x", scene.at("a/b/c"): b"x"})
    assert scene.files() == []
