"""Several Terraform processes at once, each followed by a thread: whoever asks us to stop asks all of them.

Python hands signals to the main thread alone. It passes the first one on to every run, once; a second one
only warns. A run that would begin afterwards does not.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from provisioner.errors import InterruptedRunError

_log = logging.getLogger(__name__)

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Member(Protocol):
    """A run that can be asked to stop."""

    def interrupt(self) -> None:
        """Ask it to end cleanly; asking twice does nothing more."""


class Crowd:
    """The runs that the threads of this process follow. ``stopping``: somebody asked for their end."""

    def __init__(self) -> None:
        self.stopping = False
        self._lock = threading.RLock()  # a signal may come while the main thread holds it
        self._members: list[Member] = []

    @contextmanager
    def joined(self, member: Member) -> Iterator[None]:
        """Be one of them for as long as the context lasts.

        Raises :class:`InterruptedRunError` when they have been asked to stop before.
        """
        with self._lock:
            if self.stopping:
                raise InterruptedRunError("interrupted: Terraform was not started")
            self._members.append(member)
        try:
            yield
        finally:
            with self._lock:
                self._members.remove(member)

    def stop(self) -> None:
        """Ask all of them to end cleanly."""
        with self._lock:
            self.stopping = True
            for member in self._members:
                member.interrupt()

    def __len__(self) -> int:
        return len(self._members)

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Hand the first signal on to all runs; of a second one, say what it would risk. Main thread only."""

        def heed(number: int, _frame: FrameType | None) -> None:
            if self.stopping:
                _log.warning(
                    "still waiting for %d Terraform processes to stop cleanly; killing them now could leave "
                    "resources behind that their states do not know",
                    len(self),
                )
                return
            _log.warning("%s: asking Terraform to stop cleanly", signal.Signals(number).name)
            self.stop()

        # What the caller has us ignore stays ignored: under nohup, a hangup is not meant for us.
        before = {
            number: signal.signal(number, heed)
            for number in SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


CROWD = Crowd()
"""That of this process, as signals are the process's, too."""
