"""fileio: any path, in whichever registered store it lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flavor_for_tests import MemoArtifactStore

from stacks import Client, fileio
from stacks.errors import PathOutsideStoreError, UnknownSchemeError


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Two local stores, one inside the other, and one of a flavor of its own; ``outer`` is active."""
    monkeypatch.setenv("STACKS_STATE", str(tmp_path / "state.json"))
    client = Client()
    client.register_artifact_store("outer", "local", str(tmp_path / "data"))
    client.register_artifact_store("inner", "local", str(tmp_path / "data" / "inner"))
    client.register_flavor("flavor_for_tests.MemoArtifactStore")
    client.register_artifact_store("memo", "memo", "memo://notes")
    client.register_artifact_store("memo2", "memo", "memo://notes2")
    client.register_stack("dev", "outer", activate=True)
    return client


@pytest.fixture
def used(client: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Which store a path goes to."""
    from stacks.stores.local import LocalArtifactStore

    seen: list[str] = []
    original = LocalArtifactStore.exists

    def watched(self: LocalArtifactStore, path: str) -> bool:
        seen.append(self.name)
        return original(self, path)

    monkeypatch.setattr(LocalArtifactStore, "exists", watched)

    def which(path: str) -> str:
        fileio.exists(path)
        return seen[-1]

    return which


def write(path: Path | str, text: str = "hello") -> str:
    with fileio.open(path, "w") as file:
        file.write(text)
    return str(path)


def read(path: Path | str) -> str:
    with fileio.open(path) as file:
        return str(file.read())


# -- where a path goes


def test_the_longest_root_wins(used: Callable[[str], str], tmp_path: Path) -> None:
    assert used(str(tmp_path / "data" / "x")) == "outer"
    assert used(str(tmp_path / "data" / "inner" / "x")) == "inner"
    assert used((tmp_path / "data" / "inner" / "x").as_uri()) == "inner"
    assert used("memo://notes/x") == "memo"
    assert used("memo://notes2/x") == "memo2"


def test_a_root_ends_at_a_separator(used: Callable[[str], str], tmp_path: Path) -> None:
    assert used(str(tmp_path / "database" / "x")) == "local files"
    assert used(str(tmp_path / "data" / "inner2" / "x")) == "outer"
    assert used(str(tmp_path / "data" / ".." / "x")) == "local files"


def test_of_two_stores_at_one_place_it_is_the_active_stacks(
    client: Client, used: Callable[[str], str], tmp_path: Path
) -> None:
    client.register_artifact_store("another", "local", str(tmp_path / "data"))
    client.register_stack("other", "another")
    assert used(str(tmp_path / "data" / "x")) == "outer"
    client.set_active_stack("other")
    assert used(str(tmp_path / "data" / "x")) == "another"


def test_a_relative_path_is_one_of_the_working_directory(
    used: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "data" / "inner")
    assert used("x") == "inner"
    assert used("../x") == "outer"
    assert used("../../x") == "local files"


def test_an_unknown_scheme_lists_the_known_ones(client: Client) -> None:
    with pytest.raises(UnknownSchemeError, match="serves ftp://") as caught:
        fileio.exists("ftp://host/x")
    assert caught.value.known == ("file://", "memo://")
    assert "file://, memo://" in (caught.value.hint or "")


def test_a_known_scheme_outside_every_store_names_the_stores(client: Client) -> None:
    with pytest.raises(PathOutsideStoreError, match="none of the registered") as caught:
        fileio.exists("memo://elsewhere/x")
    assert "memo, memo2" in (caught.value.hint or "")


def test_a_store_registered_meanwhile_is_found(
    client: Client, used: Callable[[str], str], tmp_path: Path
) -> None:
    assert used(str(tmp_path / "later" / "x")) == "local files"
    client.register_artifact_store("later", "local", str(tmp_path / "later"))
    assert used(str(tmp_path / "later" / "x")) == "later"


def test_without_any_state_file_local_paths_work(tmp_path: Path) -> None:
    fileio.makedirs(tmp_path / "plain")
    write(tmp_path / "plain" / "x.txt")
    assert fileio.glob(tmp_path / "plain" / "*.txt") == [str(tmp_path / "plain" / "x.txt")]
    assert list(fileio.walk(tmp_path / "plain")) == [(str(tmp_path / "plain"), [], ["x.txt"])]
    assert fileio.stat(tmp_path / "plain" / "x.txt").path == str(tmp_path / "plain" / "x.txt")


def test_one_flavor_that_is_gone_spoils_nothing(
    client: Client, used: Callable[[str], str], tmp_path: Path
) -> None:
    path = tmp_path / "state.json"
    path.write_text(path.read_text().replace("flavor_for_tests.Memo", "not_installed.Memo"))
    assert used(str(tmp_path / "data" / "x")) == "outer"
    with pytest.raises(Exception, match="cannot be loaded"):
        fileio.exists("memo://notes/x")


# -- what the functions do


def test_every_function_reaches_the_store(client: Client, tmp_path: Path) -> None:
    base = tmp_path / "data"
    fileio.makedirs(base / "a" / "b")
    fileio.mkdir(base / "a" / "c")
    path = write(base / "a" / "b" / "x.txt")
    assert read(path) == "hello"
    assert fileio.exists(path)
    assert fileio.isdir(base / "a")
    assert fileio.listdir(base / "a") == ["b", "c"]
    assert fileio.size(path) == 5
    assert fileio.stat(path).size == 5
    assert fileio.glob(base / "**" / "*.txt") == [path]
    assert [folders for _, folders, _ in fileio.walk(base / "a")] == [["b", "c"], [], []]
    fileio.copy(path, base / "a" / "y.txt")
    fileio.rename(path, base / "a" / "z.txt")
    fileio.copytree(base / "a", base / "a2")
    assert fileio.listdir(base / "a2") == fileio.listdir(base / "a") == ["b", "c", "y.txt", "z.txt"]
    fileio.remove(base / "a" / "y.txt")
    fileio.rmtree(base / "a")
    assert not fileio.exists(base / "a")


def test_files_and_folders_move_between_stores(client: Client, tmp_path: Path) -> None:
    write(tmp_path / "data" / "x.txt")
    fileio.copy(tmp_path / "data" / "x.txt", "memo://notes/x.txt")
    assert read("memo://notes/x.txt") == "hello"
    with pytest.raises(FileExistsError):
        fileio.copy(tmp_path / "data" / "x.txt", "memo://notes/x.txt")
    write(tmp_path / "data" / "x.txt", "again")
    fileio.copy(tmp_path / "data" / "x.txt", "memo://notes/x.txt", overwrite=True)
    assert read("memo://notes/x.txt") == "again"

    fileio.rename("memo://notes/x.txt", tmp_path / "plain.txt")
    assert read(tmp_path / "plain.txt") == "again"
    assert not fileio.exists("memo://notes/x.txt")

    write("memo://notes/tree/a/1.txt", "1")
    write("memo://notes/tree/2.txt", "2")
    fileio.rename("memo://notes/tree", tmp_path / "data" / "tree")
    assert read(tmp_path / "data" / "tree" / "a" / "1.txt") == "1"
    assert not fileio.exists("memo://notes/tree")
    write("memo://notes/tree/2.txt", "new")
    with pytest.raises(FileExistsError):
        fileio.rename("memo://notes/tree", tmp_path / "data" / "tree")
    assert read("memo://notes/tree/2.txt") == "new"


def test_a_copy_that_fails_in_the_middle_leaves_no_target(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data" / "x.bin", "x" * 100)
    source = client.get_artifact_store("outer")
    opened = type(source).open

    def broken(self: object, path: str, mode: str = "r") -> object:
        file = opened(self, path, mode)  # type: ignore[arg-type] # the method of the class it is taken from
        if mode == "rb":
            file.close()  # the next read fails, as when the line breaks
        return file

    monkeypatch.setattr(type(source), "open", broken)
    with pytest.raises(ValueError, match="closed"):
        fileio.copy(tmp_path / "data" / "x.bin", "memo://notes/x.bin")
    with pytest.raises(ValueError, match="closed"):
        fileio.rename(tmp_path / "data" / "x.bin", "memo://notes/x.bin")
    assert not fileio.exists("memo://notes/x.bin")
    assert fileio.exists(tmp_path / "data" / "x.bin")


# -- two stores at one place


def tree(top: Path) -> dict[str, str]:
    """The files below a directory, past the library."""
    return {str(file.relative_to(top)): file.read_text() for file in top.rglob("*") if file.is_file()}


@pytest.fixture
def project(client: Client, tmp_path: Path) -> Path:
    """A plain directory in which a store lies, and one that the store is reached through by another name."""
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "data" / "precious.txt").write_text("precious")
    client.register_artifact_store("within", "local", str(project / "store"))
    write(project / "store" / "a.txt", "a")
    write(project / "store" / "folder" / "folder" / "b.txt", "b")
    (tmp_path / "link").symlink_to(project / "store")
    return project


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("call", [fileio.rename, fileio.copytree])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("project", "project/store/backup"),
        ("project", "link/backup"),
        ("project/store/folder", "link/folder/deeper"),
        ("link/folder", "project/store/folder/deeper"),
    ],
)
def test_a_directory_goes_into_no_store_that_lies_in_it(
    project: Path, tmp_path: Path, call: Callable[..., None], source: str, target: str, overwrite: bool
) -> None:
    before = tree(project)
    with pytest.raises(OSError, match="into itself"):
        call(tmp_path / source, tmp_path / target, overwrite=overwrite)
    assert tree(project) == before


def test_what_is_moved_does_not_replace_the_directory_that_it_is_in(project: Path, tmp_path: Path) -> None:
    before = tree(project)
    with pytest.raises(OSError, match="would replace"):
        fileio.rename(project / "store" / "folder" / "folder", tmp_path / "link" / "folder", overwrite=True)
    with pytest.raises(FileExistsError):
        fileio.rename(project / "store" / "folder" / "folder", tmp_path / "link" / "folder")
    assert tree(project) == before


@pytest.mark.parametrize("call", [fileio.rename, fileio.copy])
@pytest.mark.parametrize(("source", "target"), [("link", "project/store"), ("project/store", "link")])
def test_a_file_that_is_its_own_target_stays(
    project: Path, tmp_path: Path, call: Callable[..., None], source: str, target: str
) -> None:
    before = tree(project)
    call(tmp_path / source / "a.txt", tmp_path / target / "a.txt", overwrite=True)
    assert tree(project) == before
    with pytest.raises(FileExistsError):
        call(tmp_path / source / "a.txt", tmp_path / target / "a.txt")
    with pytest.raises(FileNotFoundError):
        call(tmp_path / source / "none.txt", tmp_path / target / "none.txt", overwrite=True)
    assert tree(project) == before


def test_a_link_does_not_replace_what_it_means(project: Path) -> None:
    (project / "store" / "to-a").symlink_to("a.txt")
    fileio.rename(project / "store" / "to-a", project / "store" / "a.txt", overwrite=True)
    assert (project / "store" / "a.txt").read_text() == "a"


def test_neighbours_are_not_in_each_other(project: Path, tmp_path: Path) -> None:
    fileio.rename(project / "store" / "folder", project / "store-2")
    assert tree(project / "store-2") == {"folder/b.txt": "b"}
    fileio.rename(project / "data", "memo://notes/data")
    fileio.rename("memo://notes/data", "memo://notes2/data")
    assert read("memo://notes2/data/precious.txt") == "precious"


class _Elsewhere(MemoArtifactStore):
    """As a bucket, of which nobody can tell where it really is."""

    FLAVOR = "elsewhere"
    SUPPORTED_SCHEMES = frozenset({"memo://", "note://"})

    def place_of(self, path: object) -> None:
        return None


def test_of_buckets_the_paths_are_compared(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flavor_for_tests.ElsewhereArtifactStore", _Elsewhere, raising=False)
    client.register_flavor("flavor_for_tests.ElsewhereArtifactStore")
    client.register_artifact_store("bucket", "elsewhere", "memo://bucket")
    client.register_artifact_store("deep", "elsewhere", "memo://bucket/deep")
    write("memo://bucket/a/file")
    write("memo://bucket/deep/b/file")
    for call in (fileio.rename, fileio.copytree):
        with pytest.raises(OSError, match="into itself"):
            call("memo://bucket", "memo://bucket/deep/copy")
    with pytest.raises(OSError, match="would replace"):
        fileio.rename("memo://bucket/deep/b", "memo://bucket", overwrite=True)
    fileio.rename("memo://bucket/a", "memo://bucket/deep/a")
    assert read("memo://bucket/deep/a/file") == "hello"
