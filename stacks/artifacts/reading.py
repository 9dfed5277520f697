"""The store as the history of runs and artifacts reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from stacks.artifacts.models import Page
from stacks.errors import InvalidValueError
from stacks.stores.base import BaseArtifactStore
from stacks.stores.types import FileStat

R = TypeVar("R")

# What the service says was written before a time cannot have been made after it; clocks differ, though.
SKEW = timedelta(days=1)


class Reader:
    """A store, by keys relative to its root; what is not there is empty."""

    def __init__(self, store: BaseArtifactStore) -> None:
        self.store = store

    def at(self, key: str) -> str:
        """The full path of a key."""
        return f"{self.store.path}/{key}"

    def remove_tree(self, key: str) -> None:
        """Remove a folder, if it is there."""
        try:
            self.store.rmtree(self.at(key))
        except FileNotFoundError:
            return

    def _read(self, path: str) -> bytes:
        return self.store.read_many([path])[0]

    def _remove(self, path: str) -> None:
        try:
            self.store.remove(path)
        except FileNotFoundError:
            return  # somebody else was faster

    def _listed(self, key: str) -> list[str]:
        try:
            return self.store.listdir(self.at(key))
        except FileNotFoundError:
            return []

    def _scanned(self, key: str) -> list[FileStat]:
        try:
            return self.store.scan(self.at(key))
        except FileNotFoundError:
            return []

    def _shown(self) -> str:
        return self.store.name or self.store.path


def may_be_since(stat: FileStat, since: datetime | None) -> bool:
    """Whether what a file records can have been made at that time or later, by when the file was written."""
    return since is None or stat.modified is None or stat.modified >= since - SKEW


def page_of(found: Sequence[R], page: int, size: int | None) -> Page[R]:
    """One page of what was found; raises InvalidValueError for a page that cannot be."""
    if page < 1 or (size is not None and size < 1):
        raise InvalidValueError("page and size begin at 1")
    shown = found if size is None else found[(page - 1) * size : page * size]
    return Page(shown, len(found), page, size)
