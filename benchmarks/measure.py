"""Interleaved timing: A B A B …, so that a machine whose speed drifts hurts both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds of both sides, run by run; ``ratio`` is ours over the peer's, the median of the pairs."""

    workload: str
    ours: tuple[float, ...]
    peer: tuple[float, ...]
    peer_name: str

    @property
    def ratio(self) -> float:
        """Ours over the peer's: below 1 is faster."""
        return statistics.median(own / other for own, other in zip(self.ours, self.peer, strict=True))

    def row(self) -> str:
        """One row of a table: medians, the ratio, and how far the pairs' ratios spread."""
        ratios = sorted(own / other for own, other in zip(self.ours, self.peer, strict=True))
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        return (
            f"| {self.workload} | {ours:.3f} s | {peer:.3f} s ({self.peer_name}) | {self.ratio:.2f} "
            f"| {ratios[0]:.2f} to {ratios[-1]:.2f}, n={len(ratios)} |"
        )


HEADER = "| workload | ours | peer | ours ÷ peer | spread |\n| --- | --- | --- | --- | --- |"


def interleaved(
    workload: str,
    ours: Callable[[], None],
    peer: Callable[[], None],
    *,
    peer_name: str,
    runs: int,
    before_each: Callable[[], None] = lambda: None,
    warm_up: bool = True,
) -> Comparison:
    """Time both in turn; ``before_each`` is not timed. The first pair of a warm-up does not count."""
    taken: tuple[list[float], list[float]] = ([], [])
    for run in range(runs + warm_up):
        for side, work in enumerate((ours, peer)):
            before_each()
            begun = time.perf_counter()
            work()
            if run >= warm_up:
                taken[side].append(time.perf_counter() - begun)
    return Comparison(workload, tuple(taken[0]), tuple(taken[1]), peer_name)
