"""What a local disk has that no bucket has: links, modes, devices, and others who use it at the same time."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from stacks.errors import PathOutsideStoreError
from stacks.stores.local import LocalArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    (tmp_path / "root").mkdir()
    return LocalArtifactStore(tmp_path / "root", name="mine")


@pytest.fixture
def root(store: LocalArtifactStore) -> Path:
    return Path(store.path)


def write(store: LocalArtifactStore, path: Path, text: str = "new", mode: str = "w") -> None:
    with store.open(path, mode) as file:
        file.write(text)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- what is written to ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(store: LocalArtifactStore, root: Path, mode: int) -> None:
    (root / "file").write_text("old")
    (root / "file").chmod(mode)
    write(store, root / "file")
    write(store, root / "file", mode="a")
    store.write_bytes(root / "file", b"last")
    store.write_bytes(root / "copied", b"copied")
    store.copyfile(root / "copied", root / "file", overwrite=True)
    assert mode_of(root / "file") == mode
    assert (root / "file").read_text() == "copied"


def test_what_is_being_written_is_as_private_as_what_it_replaces(
    store: LocalArtifactStore, root: Path
) -> None:
    (root / "file").write_text("old")
    (root / "file").chmod(0o600)
    with store.open(root / "file", "wb") as file:
        file.write(bytes(store.PART_SIZE + 1))
        hidden = next(path for path in root.iterdir() if path.name.startswith(".stacks-tmp-"))
        assert mode_of(hidden) == 0o600


def test_a_copy_of_a_private_file_is_private(store: LocalArtifactStore, root: Path) -> None:
    (root / "file").write_text("secret")
    (root / "file").chmod(0o600)
    store.copyfile(root / "file", root / "copy")
    assert mode_of(root / "copy") == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_that_is_replaced_keeps_its_owner(store: LocalArtifactStore, root: Path) -> None:
    (root / "file").write_text("old")
    os.chown(root / "file", 12345, 23456)
    (root / "file").chmod(0o660)
    write(store, root / "file")
    found = (root / "file").stat()
    assert (found.st_uid, found.st_gid, mode_of(root / "file")) == (12345, 23456, 0o660)


def test_a_link_is_written_through(store: LocalArtifactStore, root: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "target").write_text("old ")
    (root / "link").symlink_to(root / "folder" / "target")
    write(store, root / "link", mode="a")
    assert (root / "folder" / "target").read_text() == "old new"
    write(store, root / "link", "other")
    write(store, root / "source", "copied")
    store.copyfile(root / "source", root / "link", overwrite=True)
    assert (root / "folder" / "target").read_text() == "copied"
    (root / "dangling").symlink_to(root / "later" / "file")
    write(store, root / "dangling", mode="x")
    assert (root / "later" / "file").read_text() == "new"
    assert (root / "link").is_symlink()
    assert (root / "dangling").is_symlink()
    assert sorted(path.name for path in root.rglob("*") if path.name.startswith(".")) == []


def test_two_who_append_through_a_link_and_not_lose_nothing(store: LocalArtifactStore, root: Path) -> None:
    (root / "target").write_text("start ")
    (root / "link").symlink_to("target")
    slow = store.open(root / "link", "a")
    slow.write("slow")
    write(store, root / "target", "fast", "a")
    with pytest.raises(OSError, match="no longer the version"):
        slow.close()
    assert (root / "target").read_text() == "start fast"


def test_a_pipe_is_written_to_and_stays_a_pipe(store: LocalArtifactStore, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("pipe")
    received: list[bytes] = []
    for name in ("pipe", "link"):
        reader = threading.Thread(target=lambda: received.append((root / "pipe").read_bytes()))
        reader.start()
        with store.open(root / name, "wb") as file:
            file.write(b"x" * (3 * store.PART_SIZE))
        reader.join(10)
    with pytest.raises(FileExistsError):
        store.open(root / "pipe", "x")
    assert [len(content) for content in received] == [3 * store.PART_SIZE] * 2
    assert stat.S_ISFIFO((root / "pipe").lstat().st_mode)
    assert (root / "link").is_symlink()


@pytest.mark.parametrize("mode", ["w", "a"])
def test_a_device_stays_a_device(tmp_path: Path, mode: str) -> None:
    """Through a link, as /dev/stdout is one: not even a mistake here can hurt the machine's own /dev/null."""
    (tmp_path / "null").symlink_to("/dev/null")
    plain = LocalArtifactStore("/")
    write(plain, tmp_path / "null", mode=mode)
    plain.write_bytes(tmp_path / "null", b"gone")
    assert (tmp_path / "null").is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


# ---- who is first ---------------------------------------------------------------------------------------


def winners(calls: list[Callable[[], object]]) -> int:
    """How many of the calls, all made at the same moment, were not told that the name is taken."""
    start, told = threading.Barrier(len(calls)), []

    def attempt(call: Callable[[], object]) -> None:
        start.wait()
        try:
            call()
        except FileExistsError as error:
            told.append(error)

    threads = [threading.Thread(target=attempt, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(calls) - len(told)


@pytest.mark.parametrize("verb", ["rename", "copyfile", "copytree", "mkdir"])
def test_one_of_many_gets_the_name(store: LocalArtifactStore, root: Path, verb: str) -> None:
    won = []
    for turn in range(100):
        for name in "abcd":
            (root / f"{turn}{name}").mkdir()
            (root / f"{turn}{name}" / "file").write_text(name)
        target = root / f"target{turn}"

        sources = [root / f"{turn}{name}" for name in "abcd"]
        calls: dict[str, list[Callable[[], object]]] = {
            "rename": [partial(store.rename, source / "file", target) for source in sources],
            "copyfile": [partial(store.copyfile, source / "file", target) for source in sources],
            "copytree": [partial(store.copytree, source, target) for source in sources],
            "mkdir": [partial(store.mkdir, target) for _ in sources],
        }
        won.append(winners(calls[verb]))
    assert won == [1] * 100


def test_of_renamed_directories_one_gets_the_name(store: LocalArtifactStore, root: Path) -> None:
    for turn in range(100):
        for name in "ab":
            (root / f"{turn}{name}").mkdir()
        moves = [partial(store.rename, root / f"{turn}{name}", root / f"to{turn}") for name in "ab"]
        assert winners([*moves, partial(store.mkdir, root / f"to{turn}")]) == 1


def test_a_filesystem_without_hard_links_is_enough(
    store: LocalArtifactStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("stacks.stores.local_upload.os.link", refuse)
    write(store, root / "file", mode="x")
    with pytest.raises(FileExistsError):
        store.write_bytes(root / "file", b"other", if_absent=True)
    assert (root / "file").read_text() == "new"


def test_a_refusal_names_the_file_and_not_the_hidden_one(store: LocalArtifactStore, root: Path) -> None:
    file = store.open(root / "file", "wb")
    file.write(bytes(store.PART_SIZE + 1))
    (root / "file").mkdir()
    with pytest.raises(IsADirectoryError, match="mine") as caught:
        file.close()
    assert caught.value.filename == str(root / "file")
    assert list(root.iterdir()) == [root / "file"]


# ---- links in what is copied ----------------------------------------------------------------------------

Copy = Callable[[LocalArtifactStore, Path, Path], object]


def within(store: LocalArtifactStore, source: Path, target: Path) -> None:
    store.copytree(source, target)


def between(store: LocalArtifactStore, source: Path, target: Path) -> None:
    store.copytree_to(source, LocalArtifactStore(store.path), target)


@pytest.mark.parametrize("copy", [within, between])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_that_leave_the_root_are_not_copied(
    store: LocalArtifactStore, root: Path, tmp_path: Path, copy: Copy, what: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("no")
    (root / "tree").mkdir()
    (root / "tree" / "a").write_text("a")
    (root / "tree" / "leak").symlink_to(outside / "secret" if what == "file" else outside)
    with pytest.raises(PathOutsideStoreError, match="leak"):
        copy(store, root / "tree", root / "copy")
    assert not (root / "copy" / "leak").exists()
    assert not (root / "copy" / "a").exists(), "it is refused before anything is copied"


def test_nothing_is_copied_through_a_link_that_leaves_the_root(
    store: LocalArtifactStore, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (root / "tree" / "sub" / "deep").mkdir(parents=True)
    (root / "tree" / "sub" / "file").write_text("mine")
    (root / "copy").mkdir()
    (root / "copy" / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(PathOutsideStoreError, match="sub"):
        store.copytree(root / "tree", root / "copy", overwrite=True)
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize("copy", [within, between])
def test_a_linked_directory_is_copied_with_what_is_in_it(
    store: LocalArtifactStore, root: Path, copy: Copy
) -> None:
    (root / "real" / "sub").mkdir(parents=True)
    (root / "real" / "sub" / "x").write_text("x")
    (root / "tree").mkdir()
    (root / "tree" / "first").symlink_to(root / "real")
    (root / "tree" / "second").symlink_to("../real/sub")
    (root / "tree" / "file").symlink_to("second/x")
    copy(store, root / "tree", root / "copy")
    found = {str(path.relative_to(root / "copy")) for path in (root / "copy").rglob("*") if path.is_file()}
    assert found == {"first/sub/x", "second/x", "file"}
    assert not [path for path in (root / "copy").rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("copy", [within, between])
@pytest.mark.parametrize("links", [{"a/up": ".."}, {"a/self": "."}, {"a/l": "../b", "b/l": "../a"}])
def test_a_link_to_where_it_is_in_is_refused(
    store: LocalArtifactStore, root: Path, copy: Copy, links: dict[str, str]
) -> None:
    for name in ("a", "b"):
        (root / "tree" / name).mkdir(parents=True)
    for name, to in links.items():
        (root / "tree" / name).symlink_to(to)
    with pytest.raises(OSError, match="that it is in"):
        copy(store, root / "tree", root / "copy")
