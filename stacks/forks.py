"""What a fork must not cut in half: data loaders and worker pools fork while other threads are at work.

The child has one thread, the one that forked, and a copy of everything else as it stood in that moment: locks
that nobody will ever open, modules that nobody will finish importing, and Rust's runtime without its
threads. So locks are made anew in the child, what cannot be (imports above all) is waited for before
the fork, and what holds on to such a runtime is never dropped in a child.
"""

from __future__ import annotations

# These two hold locks of their own during a fork. Hooks run in the reverse order of their registration, so
# theirs come first: they do not hold them yet while we wait for a thread that may need one.
import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 10.0  # seconds that a fork waits for what must not be cut; better a late fork than none


class ProcessLock:
    """``with lock.now:`` is a lock between the threads of one process; a forked child finds it open."""

    def __init__(self) -> None:
        self.now = threading.Lock()
        _locks.add(self)


class _Gate:
    """Counts the threads inside ``undivided`` blocks; a fork waits until no other thread is in one."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.inside: dict[int, int] = {}

    def enter(self, thread: int) -> None:
        with self.changed:
            self.inside[thread] = self.inside.get(thread, 0) + 1

    def leave(self, thread: int) -> None:
        with self.changed:
            left = self.inside.get(thread, 1) - 1
            if left > 0:
                self.inside[thread] = left
            else:
                self.inside.pop(thread, None)
            self.changed.notify_all()

    def close(self) -> None:
        """Returns when only the caller's thread is inside, with the lock that keeps others from entering."""
        me = threading.get_ident()
        give_up = time.monotonic() + PATIENCE
        self.changed.acquire()
        while set(self.inside) - {me} and (left := give_up - time.monotonic()) > 0:
            self.changed.wait(left)

    def open(self) -> None:
        self.changed.release()


_locks: weakref.WeakSet[ProcessLock] = weakref.WeakSet()
_kept: weakref.WeakSet[object] = weakref.WeakSet()
_gate = _Gate()
_obstore_inherited = False


@contextmanager
def undivided() -> Iterator[None]:
    """A fork by another thread waits for this block: for imports, clients and credentials in the making."""
    gate, me = _gate, threading.get_ident()
    gate.enter(me)
    try:
        yield
    finally:
        gate.leave(me)


def keep_in_children(held: object) -> None:
    """A child never drops ``held``: what it owns would wait for threads that stayed with the parent."""
    import ctypes  # noqa: F401 - loaded now, because the child must not have to

    _kept.add(held)


def obstore_is_usable() -> bool:
    """Whether obstore answers here: in a child of a process that had it loaded, every request hangs."""
    return not _obstore_inherited


def _before() -> None:
    _gate.close()


def _in_parent() -> None:
    _gate.open()


def _in_child() -> None:
    global _gate, _obstore_inherited  # noqa: PLW0603 - facts about the process
    _gate = _Gate()
    for lock in list(_locks):
        lock.now = threading.Lock()
    _obstore_inherited = _obstore_inherited or "obstore" in sys.modules
    if _kept:
        import ctypes

        for held in list(_kept):
            ctypes.pythonapi.Py_IncRef(
                ctypes.py_object(held)
            )  # to the end of the process, and beyond its exit


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
