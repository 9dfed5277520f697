"""Many blocking calls at once, in plain threads that end with the call.

No pool outlives a call: a forked child inherits no thread, and an idle store costs none.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def run_all(function: Callable[[T], R], items: Sequence[T], *, workers: int) -> list[R]:
    """``[function(item) for item in items]``, by up to ``workers`` threads; the results keep their order.

    The first failure stops the rest: calls under way end, no new one begins, and the failure is raised.
    """
    if len(items) <= 1 or workers <= 1:
        return [function(item) for item in items]
    results: list[R | None] = [None] * len(items)
    failures: list[BaseException] = []
    numbers = itertools.count()  # its next() is atomic: no lock per item, which counts at 100 µs an item

    def work() -> None:
        total = len(items)
        while not failures and (number := next(numbers)) < total:
            try:
                results[number] = function(items[number])
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, whatever it is
                failures.append(error)

    threads = [
        threading.Thread(target=work, name="stacks-worker", daemon=True)
        for _ in range(min(workers, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as error:
        failures.append(error)  # Ctrl-C: the workers stop after the call that they are in
        raise
    if failures:
        raise failures[0]
    return results  # type: ignore[return-value] # without a failure every place has been filled


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to ``size`` items, in order."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
