"""Do something to many stacks, a few at a time, with one question for all of them.

A thread for each: what takes time is Terraform, in processes of their own. A stack that fails, in whatever
way, leaves the others alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from provisioner.engine import Confirm, Result, agree
from provisioner.errors import InterruptedRunError
from provisioner.fleet.outcome import Outcome, Status, status_of
from provisioner.manifest import LoadedManifest
from provisioner.summary import Summary
from provisioner.terraform.crowd import CROWD

_TICK_SECONDS = 0.1

Work = Callable[[LoadedManifest, Confirm], Result]
Ask = Callable[[Sequence[Summary], Sequence[Outcome]], bool]


class Watcher(Protocol):
    """Who shows how far it is. ``ended`` and ``began`` are called by the threads, ``tick`` is not."""

    def began(self, loaded: LoadedManifest) -> None:
        """A stack is being worked on now."""

    def ended(self, outcome: Outcome) -> None:
        """A stack is through."""

    def tick(self) -> None:
        """Some time has passed."""


class _StoppedError(Exception):
    """The others were stopped before this one's turn came."""


@dataclass
class Fleet:
    """Some stacks and what is to be done to each.

    ``jobs`` of them are worked on at a time. ``ask`` gets the summaries of all that would change something
    and the outcomes of all that are through, once, when there is nothing else left to find out; without it
    everything is agreed to. ``fail_fast`` begins no further stack after one has failed.
    """

    stacks: Sequence[LoadedManifest]
    work: Work
    watcher: Watcher
    jobs: int
    fail_fast: bool = False
    ask: Ask | None = None
    _outcomes: list[Outcome] = field(default_factory=list)
    _waiting: dict[str, Summary] = field(default_factory=dict)
    _answer: bool = False
    _failed: bool = False

    def __post_init__(self) -> None:
        self._slots = threading.Semaphore(self.jobs)
        self._answered = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> list[Outcome]:
        """The outcomes, in the order of the stacks. Main thread only: it takes the signals for all.

        Whatever ``ask`` raises is raised when all stacks have come to their end.
        """
        CROWD.stopping = False
        # Everyone who waits for the answer holds a thread, but none of the slots.
        threads = len(self.stacks) if self.ask is not None else self.jobs
        with ThreadPoolExecutor(max(1, threads), "stack") as pool:
            pending = {pool.submit(self._one, loaded) for loaded in self.stacks}
            try:
                with CROWD.heeding_signals():
                    pending = self._watch(pending, until_asked=True)
                if self._waiting:
                    self._answer = self._decide()
            finally:
                self._answered.set()  # whatever happened: nobody is left waiting
                with CROWD.heeding_signals():
                    self._watch(pending, until_asked=False)
        order = {loaded.path: index for index, loaded in enumerate(self.stacks)}
        return sorted(self._outcomes, key=lambda outcome: order[outcome.loaded.path])

    def _decide(self) -> bool:
        if CROWD.stopping or (self.fail_fast and self._failed) or self.ask is None:
            return False
        return self.ask([self._waiting[name] for name in sorted(self._waiting)], list(self._outcomes))

    def _watch(self, pending: set[Future[None]], *, until_asked: bool) -> set[Future[None]]:
        while pending and not (until_asked and self._all_wait(len(pending))):
            done, pending = wait(pending, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
            self.watcher.tick()
        return pending

    def _all_wait(self, pending: int) -> bool:
        with self._lock:
            return len(self._waiting) == pending

    # --- in the threads -------------------------------------------------------------------------------

    def _one(self, loaded: LoadedManifest) -> None:
        outcome = self._outcome(loaded)
        with self._lock:
            self._outcomes.append(outcome)
            self._waiting.pop(outcome.stack, None)
            self._failed = self._failed or outcome.status in {Status.FAILED, Status.DENIED}
        self.watcher.ended(outcome)

    def _outcome(self, loaded: LoadedManifest) -> Outcome:
        waited = 0.0
        begun = time.monotonic()

        def confirm(summary: Summary) -> bool:
            nonlocal waited
            with self._lock:
                self._waiting[loaded.manifest.name] = summary
            since = time.monotonic()
            self._slots.release()
            self._answered.wait()
            with self._lock:
                self._waiting.pop(loaded.manifest.name, None)
            self._slots.acquire()
            waited += time.monotonic() - since
            return self._answer and not self._stopped()

        with self._slots:
            begun = time.monotonic()
            try:
                if self._stopped():
                    raise _StoppedError
                self.watcher.began(loaded)
                result = self.work(loaded, confirm if self.ask is not None else agree)
            except _StoppedError:
                status = Status.INTERRUPTED if CROWD.stopping else Status.SKIPPED
                return Outcome(loaded, status, 0.0)
            except InterruptedRunError as error:
                return Outcome(loaded, Status.INTERRUPTED, time.monotonic() - begun - waited, error=error)
            except Exception as error:  # noqa: BLE001  # whatever happens to one is told, and stays its own
                return Outcome(loaded, Status.FAILED, time.monotonic() - begun - waited, error=error)
        seconds = time.monotonic() - begun - waited
        return Outcome(loaded, self._status(result), seconds, result=result)

    def _status(self, result: Result) -> Status:
        if result.done or self.ask is None:
            return status_of(result)
        if not result.changed:
            return Status.UNCHANGED
        if CROWD.stopping:
            return Status.INTERRUPTED
        return Status.SKIPPED if self._answer or self._stopped() else Status.DECLINED

    def _stopped(self) -> bool:
        return CROWD.stopping or (self.fail_fast and self._failed)
