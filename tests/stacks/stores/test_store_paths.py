"""Which paths are inside a root, and the key that they name."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from stacks.errors import PathError, PathOutsideStoreError, StoreConfigError
from stacks.stores.local import LocalArtifactStore
from stacks.stores.paths import is_plain, key_below, normalise_root

S3 = frozenset({"s3://"})


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("s3://data/p/a", "a"),
        ("s3://data/p", ""),
        ("s3://data/p/", ""),
        ("s3://data//p//a//b/", "a/b"),
        ("s3:/data/p/a", "a"),
        ("S3://data/p/a", "a"),
        (b"s3://data/p/a b", "a b"),
        (PurePosixPath("s3://data/p/a"), "a"),
        ("s3://data/p/..a/.b", "..a/.b"),
        ("s3://data/p/s3://x", "s3:/x"),
    ],
)
def test_keys_below_a_root(path: str | bytes | os.PathLike[str], key: str) -> None:
    assert key_below(path, "s3://data/p", S3) == key


@pytest.mark.parametrize(
    "path",
    [
        "s3://data/pq",
        "s3://database/p/a",
        "s3://data",
        "s3://data/p/../q",
        "s3://data/p/..",
        "s3://data/p/./a",
        "gs://data/p/a",
        "/data/p/a",
        "data/p/a",
        "",
        "s3://",
        "s3://DATA/p/a",
    ],
)
def test_paths_outside_a_root(path: str) -> None:
    with pytest.raises(PathOutsideStoreError) as caught:
        key_below(path, "s3://data/p", S3)
    assert caught.value.path == path
    assert caught.value.root == "s3://data/p"


def test_what_is_no_path() -> None:
    with pytest.raises(PathError, match="NUL"):
        key_below("s3://data/p/\x00", "s3://data/p", S3)
    with pytest.raises(PathError, match="int"):
        key_below(7, "s3://data/p", S3)  # type: ignore[arg-type] # what the test is about


@pytest.mark.parametrize(
    ("path", "root"), [("s3://b", "s3://b"), ("s3://b/", "s3://b"), ("S3://b//p/", "s3://b/p")]
)
def test_roots(path: str, root: str) -> None:
    assert normalise_root(path, S3) == root


@pytest.mark.parametrize("path", ["gs://b", "/b", "s3://", "s3:///", "s3://b/../c", "b"])
def test_what_is_no_root(path: str) -> None:
    with pytest.raises(StoreConfigError):
        normalise_root(path, S3)


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("a/b", True),
        ("...", True),
        (".a", True),
        ("a..", True),
        ("a//b", False),
        ("/a", False),
        ("a/", False),
        ("a/../b", False),
        ("./a", False),
        ("..", False),
        ("", False),
    ],
)
def test_keys_that_a_path_can_name(key: str, plain: bool) -> None:
    assert is_plain(key) is plain


# ---- local roots ----------------------------------------------------------------------------------------


def test_a_relative_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = LocalArtifactStore("artifacts/")
    with store.open("artifacts/a.txt", "w") as file:
        file.write("1")
    assert store.path == str(tmp_path / "artifacts")
    assert store.listdir("artifacts") == ["a.txt"]
    monkeypatch.chdir("/")
    assert store.exists(tmp_path / "artifacts" / "a.txt")


def test_a_symlinked_root_by_both_of_its_names(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    for root in (link, real, f"{link}/", f"file://{link}"):
        store = LocalArtifactStore(root)
        for way in (link, real):
            store.write_bytes(f"{way}/file", b"1")
            assert store.read_many([f"{way}/file"]) == [b"1"]
        assert [step[0] for step in store.walk(real)] == [store.path]


def test_dots_are_resolved_and_must_stay_inside(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path / "root")
    store.write_bytes(f"{store.path}/a/../b/./c", b"1")
    assert store.exists(f"{store.path}/b/c")
    with pytest.raises(PathOutsideStoreError):
        store.open(f"{store.path}/../outside", "w")


def test_symlinks_that_leave_the_root_are_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("no")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "outside" / "secret")
    (root / "dangling").symlink_to(tmp_path / "outside" / "new")
    store = LocalArtifactStore(root)
    for path, mode in (("folder/secret", "r"), ("file", "r"), ("dangling", "w"), ("folder/new", "w")):
        with pytest.raises(PathOutsideStoreError):
            store.open(f"{store.path}/{path}", mode)
    for call in (store.rmtree, store.listdir, store.stat, store.remove):
        with pytest.raises(PathOutsideStoreError):
            call(f"{store.path}/folder")
    assert list((tmp_path / "outside").iterdir()) == [tmp_path / "outside" / "secret"]


def test_symlinks_inside_are_followed_but_not_walked_into(tmp_path: Path) -> None:
    root = tmp_path / "root"
    store = LocalArtifactStore(root)
    store.write_bytes(root / "a" / "file", b"1")
    (root / "a" / "loop").symlink_to(root)
    assert store.read_many([root / "a" / "loop" / "a" / "file"]) == [b"1"]
    assert sum(1 for _ in store.walk(root)) == 3
    store.rmtree(root / "a")
    assert store.listdir(root) == []


def test_uris_of_files(tmp_path: Path) -> None:
    store = LocalArtifactStore((tmp_path / "with space").as_uri())
    assert store.path == str(tmp_path / "with space")
    store.write_bytes((tmp_path / "with space" / "x").as_uri(), b"1")
    assert store.exists(f"file://localhost{tmp_path.as_posix()}/with%20space/x")
    with pytest.raises(PathError, match="another machine"):
        store.exists("file://elsewhere/x")


def test_the_default_root_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    store = LocalArtifactStore(name="mine")
    assert "mine" in store.path
    store.write_bytes(f"{store.path}/x", b"1")
    assert Path(store.path).stat().st_mode & 0o777 == 0o700


def test_names_of_the_stores_own_are_refused(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    with pytest.raises(PathError):
        store.open(tmp_path / ".stacks-tmp-1", "w")


def test_a_killed_writer_leaves_nothing_in_the_listing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / ".stacks-tmp-0123").write_text("half")
    store = LocalArtifactStore(root)
    assert store.listdir(root) == []
    assert store.glob(f"{root}/**") == []
    assert list(store.walk(root)) == [(str(root), [], [])]
