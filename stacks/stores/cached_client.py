"""One client of a service per process, made anew when the credentials change."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

from stacks.forks import ProcessLock, undivided

C = TypeVar("C")
T = TypeVar("T")


class ClientOfProcess(Generic[C, T]):
    """Keeps what ``make(credentials)`` made, for this process and while ``credentials()`` is the same.

    Sockets do not survive a fork: a child makes a client of its own.
    """

    def __init__(self, make: Callable[[C], T], credentials: Callable[[], C]) -> None:
        self._make = make
        self._credentials = credentials
        self._lock = ProcessLock()
        self._held: tuple[int, C, T] | None = None

    def get(self) -> T:
        """The client of this process, with the credentials that are in force."""
        now, pid = self._credentials(), os.getpid()
        held = self._held
        if held is not None and held[0] == pid and held[1] == now:
            return held[2]
        with self._lock.now, undivided():
            held = self._held
            if held is None or held[0] != pid or held[1] != now:
                held = self._held = (pid, now, self._make(now))
            return held[2]
