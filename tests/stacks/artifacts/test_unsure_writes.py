"""Writes of which nobody knows whether they arrived: no artifact without its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stacks.artifacts import History, layout
from stacks.artifacts.writing import save_version
from stacks.errors import ArtifactNotFoundError, StoreNetworkError
from stacks.stores.local import LocalArtifactStore
from stacks.stores.types import PathType


class Unsure(LocalArtifactStore):
    """Writes what ends in ``at``, and then says that it did not work, or that the file was there before."""

    at = ""
    says: type[OSError] = FileExistsError
    also_broken: frozenset[str] = frozenset()

    def write_bytes(self, path: PathType, content: bytes, **conditions: Any) -> str | None:
        etag = super().write_bytes(path, content, **conditions)
        if self.at and str(path).endswith(self.at):
            raise self.says("the answer was lost")
        return etag

    def remove(self, path: PathType) -> None:
        if "remove" in self.also_broken:
            raise StoreNetworkError("no network")
        super().remove(path)


@pytest.fixture
def store(tmp_path: Path) -> Unsure:
    return Unsure(str(tmp_path / "store"))


@pytest.mark.parametrize("at", [layout.claim("n", 1), layout.record("n", 1)])
def test_what_was_there_before_and_is_ours_was_written_by_us(store: Unsure, at: str) -> None:
    """The service was asked twice, because its first answer was lost; the second one says: it is there."""
    store.at = at

    assert save_version(store, "n", 7, ("p", "s")).version == 1
    assert History(store).version("n").load() == 7


def test_a_record_that_may_have_arrived_goes_before_its_files_do(store: Unsure) -> None:
    store.at, store.says = layout.record("n", 1), StoreNetworkError

    with pytest.raises(StoreNetworkError):
        save_version(store, "n", 7, ("p", "s"))

    with pytest.raises(ArtifactNotFoundError):
        History(store).version("n")
    assert not store.exists(f"{store.path}/p/s/n/1")


def test_files_stay_while_there_may_be_a_record(store: Unsure) -> None:
    store.at, store.says, store.also_broken = layout.record("n", 1), StoreNetworkError, frozenset({"remove"})

    with pytest.raises(StoreNetworkError):
        save_version(store, "n", 7, ("p", "s"))

    assert History(store).version("n").load() == 7  # it did arrive: whole, or not at all


def test_a_claim_that_is_anothers_is_not_ours(store: Unsure, tmp_path: Path) -> None:
    other = LocalArtifactStore(str(tmp_path / "store"))
    first = save_version(other, "n", 1, ("p", "s"))

    assert (first.version, save_version(store, "n", 1, ("p", "s")).version) == (1, 2)
