"""Removing artifacts that no run needs, while runs may be taking them from the cache.

A run says first what it takes, in its record, and looks then whether it is there. Who removes hides it first,
and looks then whether a run has said that it takes it. So at least one of the two sees the other, and no run
is left with a reference to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stacks.artifacts.records import ArtifactRecord, RunRecord
from stacks.stores.parallel import run_all
from stacks.stores.types import FileStat

if TYPE_CHECKING:
    from stacks.artifacts.history import History

Needed = Callable[[ArtifactRecord], bool]


class Uses:
    """The runs of a store, read again without reading those that have not changed."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: list[tuple[RunRecord, FileStat]] = []

    def read(self) -> list[tuple[RunRecord, FileStat]]:
        """All runs as they are now, each with what the store says of its record."""
        self._known = self._history.run_records(self._known)
        return self._known


def remove_unneeded(
    history: History, records: Sequence[ArtifactRecord], look: Callable[[], Needed]
) -> list[ArtifactRecord]:
    """Removes these artifacts, but for those that a run needs; returns which ones went.

    ``look`` reads the runs, and gives the test of what they need.
    """
    workers = history.store.WORKERS
    needed = look()
    hidden: list[ArtifactRecord] = []

    def hide(record: ArtifactRecord) -> None:
        hidden.append(record)  # before: what is cut off may have arrived
        history.hide(record)

    try:
        run_all(hide, [record for record in records if not needed(record)], workers=workers)
    finally:
        needed = look() if hidden else needed
        run_all(history.show, [record for record in hidden if needed(record)], workers=workers)
    gone = [record for record in hidden if not needed(record)]
    run_all(lambda record: history.remove_tree(record.path), gone, workers=workers)
    return gone
