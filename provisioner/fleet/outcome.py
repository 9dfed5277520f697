"""What came of each stack, and of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from provisioner.engine import Result
from provisioner.manifest import LoadedManifest
from provisioner.summary import Summary


class Status(StrEnum):
    """How a stack came out."""

    UNCHANGED = "unchanged"
    CHANGES = "changes"
    APPLIED = "applied"
    DESTROYED = "destroyed"
    NO_DRIFT = "no drift"
    DRIFTED = "drifted"
    DECLINED = "declined"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    DENIED = "denied"
    """Planned, and a policy does not allow it."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One stack's end. ``seconds`` is the time it was worked on, waiting for an answer left out."""

    loaded: LoadedManifest
    status: Status
    seconds: float
    result: Result | None = None
    error: Exception | None = None

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.loaded.manifest.name

    @property
    def summary(self) -> Summary | None:
        """What was found or done, where it came that far."""
        return self.result.summary if self.result is not None else None


def status_of(result: Result) -> Status:
    """How a stack came out whose command came to its end."""
    if result.summary.operation == "drift":
        return Status.DRIFTED if result.changed else Status.NO_DRIFT
    if result.done:
        if result.summary.operation == "destroy":
            return Status.DESTROYED
        return Status.APPLIED if result.changed else Status.UNCHANGED
    if result.summary.denied:
        return Status.DENIED
    return Status.CHANGES if result.changed else Status.UNCHANGED


_WORST_FIRST = (130, 1, 5, 6, 4, 3, 2, 0)


def worst(codes: Iterable[int]) -> int:
    """The exit code for all: first what may have left something half done, then what was refused.

    130 interrupted, 1 unexpected, 5 failed, 6 refused for safety, 4 credentials, 3 input, 2 changes, 0.
    """
    return min(codes, key=_WORST_FIRST.index, default=0)
