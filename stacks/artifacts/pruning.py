"""What no run needs any more, and what runs that died have left."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from stacks.artifacts import layout
from stacks.artifacts.history import History
from stacks.artifacts.machine import is_gone
from stacks.artifacts.records import (
    FAILED,
    RUNNING,
    STOPPED,
    ArtifactRecord,
    Claim,
    Failure,
    Ref,
    RunRecord,
    now,
    parse_claim,
    run_json,
)
from stacks.artifacts.removing import Needed, Uses, remove_unneeded
from stacks.errors import DamagedArtifactError, NewerRecordError, ObjectChangedError, StorePermissionError
from stacks.stores.opening import OpeningStore
from stacks.stores.parallel import run_all
from stacks.stores.types import FileStat

logger = logging.getLogger(__name__)

SILENCE = timedelta(days=1)
"""A run that another machine says nothing of for so long has died; a live one writes every minute."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """What can go: artifacts of deleted runs, unfinished artifacts, and runs that died without saying so."""

    unused: tuple[ArtifactRecord, ...] = ()
    leftovers: tuple[Claim, ...] = ()
    died: tuple[RunRecord, ...] = field(default=())
    uses: Uses | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """Bytes of the unused artifacts; those of leftovers are not known."""
        return sum(record.size for record in self.unused)

    def __bool__(self) -> bool:
        return bool(self.unused or self.leftovers or self.died)


def prunable(history: History) -> Prunable:
    """Looks for what can go, and changes nothing.

    An artifact is unused when the run that made it has been deleted and no other run refers to it; one that
    was saved by hand has no run, and stays. Ages are taken by the store's own clock, so that a wrong one here
    makes no run look dead.

    An artifact with a damaged record is told in the log, and stays. A damaged record of a run is an error:
    nobody knows what that run needs.
    """
    # Artifacts are listed before runs: a run that begins meanwhile is recorded before its first artifact is.
    refs = history.refs()
    claims = _claims(history)
    uses = Uses(history)
    runs = uses.read()
    clock = _Clock(history)
    died = [record for record, stat in runs if record.status == RUNNING and _has_died(record, stat, clock)]
    alive = {(one.pipeline, one.name) for one, _ in runs if one.status == RUNNING} - {
        (one.pipeline, one.name) for one in died
    }
    needed, runs_there = _needed(runs)
    unused = [
        version.record
        for version in history.versions_of(
            [ref for ref in refs if ref not in needed], missing=True, damaged=True
        )
        if (by := _run_of(version.record)) is not None and by not in runs_there
    ]
    complete = set(refs) | set(history.refs())
    left = [
        claim
        for claim, stat in claims
        if Ref(claim.name, claim.version) not in complete
        and _is_left(claim, stat, alive, clock)
        and history.store.exists(history.at(claim.path))
    ]
    return Prunable(tuple(unused), tuple(left), tuple(died), uses)


def prune(history: History, what: Prunable) -> Prunable:
    """Removes what ``prunable`` found, and marks runs that died as failed; returns what went.

    What a run has taken up since stays.
    """
    uses = what.uses or Uses(history)

    def look() -> Needed:
        needed, runs_there = _needed(uses.read())
        return lambda record: record.ref in needed or _run_of(record) in runs_there

    unused = remove_unneeded(history, what.unused, look) if what.unused else []
    workers = history.store.WORKERS
    run_all(lambda claim: history.remove_tree(claim.path), what.leftovers, workers=workers)
    for record in what.died:
        mark_died(history, record)
    return replace(what, unused=tuple(unused), uses=None)


def _needed(runs: Sequence[tuple[RunRecord, FileStat]]) -> tuple[set[Ref], set[tuple[str, str] | None]]:
    """The artifacts that runs refer to, and the runs that there are: of those, all that they made stays."""
    return (
        set().union(*(one.references() for one, _ in runs)),
        {(one.pipeline, one.name) for one, _ in runs},
    )


def _run_of(record: ArtifactRecord) -> tuple[str, str] | None:
    """The run that made it; None for what was saved by hand."""
    by = record.producer
    return None if by is None else (by.pipeline, by.run)


def mark_died(history: History, record: RunRecord) -> None:
    """Says in a run's record that it died, unless the run has written there since."""
    path = history.at(layout.run(record.pipeline, record.name))
    error = Failure("Died", "its process ended without a word")
    record.status, record.error, record.ended = FAILED, error, now()
    for step in record.steps.values():
        if step.status == RUNNING:
            step.status = STOPPED
    store = history.store
    if isinstance(store, OpeningStore):
        try:
            store.write_bytes(path, run_json(record), if_match=store.stat(path).etag)
        except ObjectChangedError:
            return
    else:
        with store.open(path, "wb") as file:
            file.write(run_json(record))


class _Clock:
    """The time by the store's clock: it is what the times of files are compared with."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._now: datetime | None = None

    def since(self, moment: datetime | None) -> timedelta:
        """How long ago; nothing where the store does not say."""
        if moment is None:
            return timedelta(0)
        if self._now is None:
            self._now = self._read()
        return self._now - moment

    def _read(self) -> datetime:
        path = self._history.at(layout.CLOCK)
        try:
            self._history.store.write_many([(path, b"the time of this file is the store's\n")])
        except StorePermissionError:
            return now()  # credentials that may only read: they prune nothing either
        return self._history.store.stat(path).modified or now()


def _has_died(record: RunRecord, stat: FileStat, clock: _Clock) -> bool:
    gone = is_gone(record.process)
    return clock.since(stat.modified) > SILENCE if gone is None else gone


def _is_left(claim: Claim, stat: FileStat, alive: set[tuple[str, str]], clock: _Clock) -> bool:
    """Whether nobody is at work on what was claimed."""
    if claim.run is not None and claim.pipeline is not None:
        return (claim.pipeline, claim.run) not in alive
    gone = is_gone(claim.process)
    return clock.since(stat.modified) > SILENCE if gone is None else gone


def _claims(history: History) -> list[tuple[Claim, FileStat]]:
    store = history.store

    def listed(name: str) -> list[FileStat]:
        return store.scan(history.at(f"{layout.CLAIMS}/{name}"))

    try:
        names = store.listdir(history.at(layout.CLAIMS))
    except FileNotFoundError:
        return []
    stats = [stat for some in run_all(listed, names, workers=store.WORKERS) for stat in some]
    complete = set(history.refs())
    open_ones = [stat for stat in stats if _ref(stat) not in complete]
    contents = store.read_many([stat.path for stat in open_ones])
    found = []
    for content, stat in zip(contents, open_ones, strict=True):
        try:
            found.append((parse_claim(content, stat.path), stat))
        except (DamagedArtifactError, NewerRecordError) as error:
            logger.warning("left out: %s", error)  # one that nobody can read does not keep the others
    return found


def _ref(stat: FileStat) -> Ref:
    folder, _, name = stat.path.rpartition("/")
    return Ref(folder.rpartition("/")[2], layout.number_in(name) or 0)
