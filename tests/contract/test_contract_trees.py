"""The contract of directories: listing, making, moving and removing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from contract_rigs import Scene


@pytest.fixture
def tree(scene: Scene) -> Scene:
    for key in ("top.txt", "a/one.txt", "a/two.csv", "a/b/three.txt", "a/b/c/four.txt", "ab/five.txt"):
        scene.put(key, key.encode())
    return scene


def test_listdir_has_names_of_files_and_directories(tree: Scene) -> None:
    assert tree.store.listdir(tree.store.path) == ["a", "ab", "top.txt"]
    assert tree.store.listdir(tree.at("a")) == ["b", "one.txt", "two.csv"]
    assert tree.store.listdir(tree.at("a/")) == ["b", "one.txt", "two.csv"]


def test_listdir_of_a_file_or_of_nothing(tree: Scene) -> None:
    with pytest.raises(NotADirectoryError, match=r"top\.txt"):
        tree.store.listdir(tree.at("top.txt"))
    with pytest.raises(FileNotFoundError, match="missing"):
        tree.store.listdir(tree.at("missing"))


def test_what_is_there(tree: Scene) -> None:
    seen = {
        key: (tree.store.exists(tree.at(key)), tree.store.isdir(tree.at(key)))
        for key in ("a", "a/b", "top.txt", "a/b/c/four.txt", "a/o", "t")
    }
    assert seen == {
        "a": (True, True),
        "a/b": (True, True),
        "top.txt": (True, False),
        "a/b/c/four.txt": (True, False),
        "a/o": (False, False),
        "t": (False, False),
    }


def test_stat(tree: Scene) -> None:
    before = datetime.now(UTC)
    with tree.store.open(tree.at("fresh"), "w") as file:
        file.write("12345")
    found = tree.store.stat(tree.at("fresh"))
    assert (found.path, found.size, found.is_dir) == (tree.at("fresh"), 5, False)
    assert found.modified is not None
    assert abs(found.modified - before) < timedelta(minutes=1)
    assert found.etag
    folder = tree.store.stat(tree.at("a"))
    assert (folder.path, folder.size, folder.is_dir) == (tree.at("a"), 0, True)
    assert tree.store.size(tree.at("fresh")) == 5
    with pytest.raises(FileNotFoundError, match="missing"):
        tree.store.stat(tree.at("missing"))
    with pytest.raises(FileNotFoundError):
        tree.store.size(tree.at("missing"))
    with pytest.raises(IsADirectoryError):
        tree.store.size(tree.at("a"))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["top.txt"]),
        ("*", ["a", "ab", "top.txt"]),
        ("a*/*.txt", ["a/one.txt", "ab/five.txt"]),
        ("a/[ot]*.???", ["a/one.txt", "a/two.csv"]),
        ("a/[!o]*", ["a/b", "a/two.csv"]),
        ("**/*.txt", ["a/b/c/four.txt", "a/b/three.txt", "a/one.txt", "ab/five.txt", "top.txt"]),
        ("a/**/four.txt", ["a/b/c/four.txt"]),
        ("a/**/b", ["a/b"]),
        ("a/b/**", ["a/b/c", "a/b/c/four.txt", "a/b/three.txt"]),
        ("*/b/*/*.txt", ["a/b/c/four.txt"]),
        ("a/one.txt", ["a/one.txt"]),
        ("a/b", ["a/b"]),
        ("nothing/*", []),
        ("a/missing", []),
        ("*.TXT", []),
    ],
)
def test_glob(tree: Scene, pattern: str, found: list[str]) -> None:
    assert tree.store.glob(tree.at(pattern)) == [tree.at(key) for key in found]


def test_walk_top_down_and_bottom_up(tree: Scene) -> None:
    steps = [
        (tree.store.path, ["a", "ab"], ["top.txt"]),
        (tree.at("a"), ["b"], ["one.txt", "two.csv"]),
        (tree.at("a/b"), ["c"], ["three.txt"]),
        (tree.at("a/b/c"), [], ["four.txt"]),
        (tree.at("ab"), [], ["five.txt"]),
    ]
    assert list(tree.store.walk(tree.store.path)) == steps
    assert list(tree.store.walk(tree.store.path, topdown=False)) == [steps[at] for at in (3, 2, 1, 4, 0)]
    assert list(tree.store.walk(tree.at("a/b/"))) == steps[2:4]


def test_walk_leaves_out_what_the_caller_removes(tree: Scene) -> None:
    visited = []
    for directory, names, _ in tree.store.walk(tree.store.path):
        visited.append(directory)
        if "b" in names:
            names.remove("b")
    assert visited == [tree.store.path, tree.at("a"), tree.at("ab")]


def test_walk_of_nothing(tree: Scene) -> None:
    errors: list[OSError] = []
    assert list(tree.store.walk(tree.at("missing"))) == []
    assert list(tree.store.walk(tree.at("missing"), onerror=errors.append)) == []
    assert list(tree.store.walk(tree.at("top.txt"), onerror=errors.append)) == []
    assert [type(error) for error in errors] == [FileNotFoundError, NotADirectoryError]


def test_made_directories_are_there_while_they_are_empty(scene: Scene) -> None:
    scene.rig.needs("directory markers")
    scene.store.makedirs(scene.at("x/y/z"))
    for key in ("x", "x/y", "x/y/z"):
        assert scene.store.isdir(scene.at(key))
        assert scene.store.exists(scene.at(key))
    assert scene.store.listdir(scene.at("x/y/z")) == []
    assert list(scene.store.walk(scene.at("x/y"))) == [
        (scene.at("x/y"), ["z"], []),
        (scene.at("x/y/z"), [], []),
    ]
    assert scene.store.glob(scene.at("**")) == [scene.at("x"), scene.at("x/y"), scene.at("x/y/z")]
    assert scene.store.stat(scene.at("x/y/z")).is_dir
    with pytest.raises(IsADirectoryError):
        scene.store.open(scene.at("x/y/z"))
    assert scene.files() == []
    scene.store.makedirs(scene.at("x/y/z"))
    with scene.store.open(scene.at("x/y/z/file"), "w") as file:
        file.write("1")
    scene.store.remove(scene.at("x/y/z/file"))
    assert scene.store.isdir(scene.at("x/y/z"))


def test_mkdir_needs_the_parent_and_a_free_name(scene: Scene) -> None:
    scene.rig.needs("directory markers")
    with pytest.raises(FileNotFoundError, match="one"):
        scene.store.mkdir(scene.at("one/two"))
    scene.store.mkdir(scene.at("one"))
    scene.store.mkdir(scene.at("one/two"))
    assert scene.store.listdir(scene.at("one")) == ["two"]
    with pytest.raises(FileExistsError, match="two"):
        scene.store.mkdir(scene.at("one/two"))
    scene.put("file")
    with pytest.raises(FileExistsError):
        scene.store.mkdir(scene.at("file"))
    with pytest.raises(NotADirectoryError):
        scene.store.mkdir(scene.at("file/below"))


def test_makedirs_over_a_file(scene: Scene) -> None:
    scene.put("file")
    with pytest.raises(FileExistsError):
        scene.store.makedirs(scene.at("file"))
    with pytest.raises(NotADirectoryError):
        scene.store.makedirs(scene.at("file/below"))


def test_copyfile(tree: Scene) -> None:
    tree.store.copyfile(tree.at("a/one.txt"), tree.at("copies/one.txt"))
    assert tree.get("copies/one.txt") == b"a/one.txt"
    assert tree.get("a/one.txt") == b"a/one.txt"
    with pytest.raises(FileExistsError, match="five"):
        tree.store.copyfile(tree.at("a/one.txt"), tree.at("ab/five.txt"))
    tree.store.copyfile(tree.at("a/one.txt"), tree.at("ab/five.txt"), overwrite=True)
    assert tree.get("ab/five.txt") == b"a/one.txt"
    tree.store.copyfile(tree.at("a/one.txt"), tree.at("a/one.txt"), overwrite=True)
    assert tree.get("a/one.txt") == b"a/one.txt"
    with pytest.raises(FileNotFoundError, match="missing"):
        tree.store.copyfile(tree.at("missing"), tree.at("copies/missing"))
    with pytest.raises(FileNotFoundError):
        tree.store.copyfile(tree.at("missing"), tree.at("missing"), overwrite=True)
    with pytest.raises(IsADirectoryError):
        tree.store.copyfile(tree.at("a"), tree.at("copies/a"))
    with pytest.raises(FileExistsError):
        tree.store.copyfile(tree.at("top.txt"), tree.at("a"))


def test_rename_a_file(tree: Scene) -> None:
    tree.store.rename(tree.at("top.txt"), tree.at("new/place.txt"))
    assert tree.get("new/place.txt") == b"top.txt"
    assert "top.txt" not in tree.files()
    with pytest.raises(FileExistsError, match="one"):
        tree.store.rename(tree.at("new/place.txt"), tree.at("a/one.txt"))
    tree.store.rename(tree.at("new/place.txt"), tree.at("a/one.txt"), overwrite=True)
    assert tree.get("a/one.txt") == b"top.txt"
    with pytest.raises(FileNotFoundError):
        tree.store.rename(tree.at("top.txt"), tree.at("again"))


def test_rename_onto_itself_keeps_the_file(tree: Scene) -> None:
    tree.store.rename(tree.at("top.txt"), tree.at("top.txt"), overwrite=True)
    assert tree.get("top.txt") == b"top.txt"
    with pytest.raises(FileExistsError):
        tree.store.rename(tree.at("top.txt"), tree.at("top.txt"))


def test_rename_moves_a_whole_directory(tree: Scene) -> None:
    tree.rig.needs("directory markers")
    tree.store.makedirs(tree.at("a/empty"))
    tree.store.rename(tree.at("a"), tree.at("moved/here"))
    assert tree.files() == [
        "ab/five.txt",
        "moved/here/b/c/four.txt",
        "moved/here/b/three.txt",
        "moved/here/one.txt",
        "moved/here/two.csv",
        "top.txt",
    ]
    assert tree.get("moved/here/b/c/four.txt") == b"a/b/c/four.txt"
    assert tree.store.isdir(tree.at("moved/here/empty"))
    assert not tree.store.exists(tree.at("a"))


def test_rename_of_a_directory_to_what_is_there(tree: Scene) -> None:
    tree.rig.needs("directory markers")
    with pytest.raises(FileExistsError):
        tree.store.rename(tree.at("a"), tree.at("ab"))
    with pytest.raises(NotADirectoryError):
        tree.store.rename(tree.at("a"), tree.at("top.txt"), overwrite=True)
    with pytest.raises(IsADirectoryError):
        tree.store.rename(tree.at("top.txt"), tree.at("a"), overwrite=True)
    with pytest.raises(OSError, match="into itself"):
        tree.store.rename(tree.at("a"), tree.at("a/b/new"))
    with pytest.raises(OSError, match="would replace"):
        tree.store.rename(tree.at("a/b"), tree.at("a"), overwrite=True)
    tree.store.rename(tree.at("a/b"), tree.at("ab"), overwrite=True)
    assert tree.files() == ["a/one.txt", "a/two.csv", "ab/c/four.txt", "ab/three.txt", "top.txt"]


def test_remove(tree: Scene) -> None:
    tree.store.remove(tree.at("a/one.txt"))
    assert "a/one.txt" not in tree.files()
    with pytest.raises(FileNotFoundError, match="one"):
        tree.store.remove(tree.at("a/one.txt"))
    with pytest.raises(IsADirectoryError, match="b"):
        tree.store.remove(tree.at("a/b"))
    with pytest.raises(IsADirectoryError):
        tree.store.remove(tree.store.path)


def test_rmtree(tree: Scene) -> None:
    tree.rig.needs("directory markers")
    tree.store.makedirs(tree.at("a/empty/deep"))
    tree.store.rmtree(tree.at("a"))
    assert tree.files() == ["ab/five.txt", "top.txt"]
    assert not tree.store.exists(tree.at("a"))
    with pytest.raises(FileNotFoundError):
        tree.store.rmtree(tree.at("a"))
    with pytest.raises(NotADirectoryError):
        tree.store.rmtree(tree.at("top.txt"))
    tree.store.rmtree(tree.store.path)
    assert tree.files() == []
    assert tree.store.isdir(tree.store.path)


def test_more_files_than_one_request_holds(scene: Scene) -> None:
    scene.store.write_many({scene.at(f"many/{number:05}"): b"" for number in range(2100)})
    assert len(scene.store.listdir(scene.at("many"))) == 2100
    assert len(next(iter(scene.store.walk(scene.at("many"))))[2]) == 2100
    scene.store.rmtree(scene.at("many"))
    assert scene.files() == []


def test_copytree(tree: Scene) -> None:
    tree.rig.needs("directory markers")
    tree.store.makedirs(tree.at("a/empty"))
    tree.store.copytree(tree.at("a"), tree.at("copy"))
    assert [key for key in tree.files() if key.startswith("copy")] == [
        "copy/b/c/four.txt",
        "copy/b/three.txt",
        "copy/one.txt",
        "copy/two.csv",
    ]
    assert tree.store.isdir(tree.at("copy/empty"))
    with pytest.raises(FileExistsError):
        tree.store.copytree(tree.at("a"), tree.at("copy"))
    tree.store.copytree(tree.at("a"), tree.at("copy"), overwrite=True)
    with pytest.raises(FileNotFoundError):
        tree.store.copytree(tree.at("missing"), tree.at("copy2"))
    with pytest.raises(NotADirectoryError):
        tree.store.copytree(tree.at("top.txt"), tree.at("copy2"))


def test_no_copy_puts_a_file_where_a_directory_is_or_the_reverse(tree: Scene) -> None:
    with pytest.raises(IsADirectoryError, match="ab"):
        tree.store.copyfile(tree.at("top.txt"), tree.at("ab"), overwrite=True)
    tree.put("file-over-directory/b/one.txt")
    tree.put("file-over-directory/ab")
    tree.put("target/ab/x")
    with pytest.raises(IsADirectoryError, match="target/ab"):
        tree.store.copytree(tree.at("file-over-directory"), tree.at("target"), overwrite=True)
    tree.put("target2/b")
    with pytest.raises(NotADirectoryError, match="target2/b"):
        tree.store.copytree(tree.at("file-over-directory"), tree.at("target2"), overwrite=True)
    assert [key for key in tree.files() if key.startswith("target")] == ["target/ab/x", "target2/b"]
    assert tree.store.isdir(tree.at("ab"))
    assert not tree.store.isdir(tree.at("target2/b"))


def test_copying_to_another_store(tree: Scene) -> None:
    tree.rig.needs("directory markers")
    other, prefix = tree.rig.fresh()
    tree.store.copytree_to(tree.at("a"), other, f"{other.path}/from-a")
    assert tree.rig.outside.get(f"{prefix}/from-a/b/c/four.txt") == b"a/b/c/four.txt"
    with pytest.raises(FileExistsError):
        tree.store.copy_to(tree.at("top.txt"), other, f"{other.path}/from-a/one.txt")
    tree.store.copy_to(tree.at("top.txt"), other, f"{other.path}/from-a/one.txt", overwrite=True)
    assert tree.rig.outside.get(f"{prefix}/from-a/one.txt") == b"top.txt"


def test_what_another_program_did_is_seen_at_once(scene: Scene) -> None:
    folder, file = scene.at("shared"), scene.at("shared/file")
    assert not scene.store.exists(file)
    assert not scene.store.isdir(folder)
    scene.put("shared/file", b"1")
    assert scene.store.exists(file)
    assert scene.store.listdir(folder) == ["file"]
    scene.put("shared/second", b"1")
    assert scene.store.listdir(folder) == ["file", "second"]
    assert len(scene.store.glob(f"{folder}/*")) == 2
    scene.put("shared/file", b"22")
    assert scene.store.size(file) == 2
    scene.delete("shared/file")
    assert not scene.store.exists(file)
    assert scene.store.listdir(folder) == ["second"]
