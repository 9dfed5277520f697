"""Moving all artifacts to another store: complete, proven, and gone on with after a cut."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import pytest

from stacks.errors import StoreServiceError
from stacks.migration import Progress, migrate
from stacks.stores.local import LocalArtifactStore
from stacks.stores.types import PathType


@pytest.fixture
def source(tmp_path: Path) -> LocalArtifactStore:
    """A store of thirty files in three folders."""
    for number in range(30):
        path = tmp_path / "old" / f"run{number % 3}" / f"{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * (number * 1000))
    return LocalArtifactStore(str(tmp_path / "old"), name="old")


class Faulty(LocalArtifactStore):
    """A store that fails for some of its files."""

    def __init__(self, path: PathType, *, breaks: str = "", rots: str = "", **config: Any) -> None:
        super().__init__(path, **config)
        self.breaks, self.rots = breaks, rots

    def open(self, path: PathType, mode: str = "r") -> IO[Any]:
        """Refuses to write what ends in ``breaks``; gives back something else for what ends in ``rots``."""
        if self.breaks and "r" not in mode and str(path).endswith(self.breaks):
            raise ConnectionResetError(f"broken: {path!s}")
        if self.rots and mode == "rb" and str(path).endswith(self.rots):
            Path(str(path)).write_bytes(b"rotten")
        return super().open(path, mode)


def content(root: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_everything_arrives_and_the_source_stays(source: LocalArtifactStore, tmp_path: Path) -> None:
    before = content(tmp_path / "old")
    told: list[Progress] = []

    done = migrate(source, LocalArtifactStore(str(tmp_path / "new")), on_progress=told.append)

    assert content(tmp_path / "new") == before == content(tmp_path / "old")
    assert (done.copied, done.present) == (30, 0)
    assert done.copied_bytes == sum(map(len, before.values()))
    assert [one.files for one in told] == list(range(1, 31))


def test_a_run_that_was_cut_off_goes_on(source: LocalArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        migrate(source, Faulty(str(tmp_path / "new"), breaks="17.bin"))
    arrived = len(content(tmp_path / "new"))
    assert arrived < 30

    done = migrate(source, LocalArtifactStore(str(tmp_path / "new")))

    assert content(tmp_path / "new") == content(tmp_path / "old")
    assert done.present == arrived
    assert done.copied == 30 - arrived


def test_a_copy_that_reads_otherwise_is_told_and_removed(source: LocalArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(StoreServiceError, match=r"7\.bin does not read as it was written"):
        migrate(source, Faulty(str(tmp_path / "new"), rots="/7.bin"))

    assert not (tmp_path / "new" / "run1" / "7.bin").exists()


def test_a_file_of_the_same_size_and_other_content_is_no_copy(
    source: LocalArtifactStore, tmp_path: Path
) -> None:
    other = tmp_path / "new" / "run1" / "1.bin"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x" * 1000)

    with pytest.raises(FileExistsError, match=r"1\.bin"):
        migrate(source, LocalArtifactStore(str(tmp_path / "new")))
    assert other.read_bytes() == b"x" * 1000

    migrate(source, LocalArtifactStore(str(tmp_path / "new")), overwrite=True)
    assert content(tmp_path / "new") == content(tmp_path / "old")


@pytest.mark.parametrize(("one", "other"), [("a", "a/b"), ("a/b", "a"), ("a", "a")])
def test_stores_within_each_other_are_refused(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(ValueError, match="lie within each other"):
        migrate(LocalArtifactStore(str(tmp_path / one)), LocalArtifactStore(str(tmp_path / other)))
