"""A large file on its way to Azure."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NoReturn

from stacks.stores.types import Condition

UNDER_WAY = 3  # parts at once: with what waits for its turn, they and the SDK stay below 150 MB


class BlockUpload:
    """The service keeps blocks, unseen, until a list of them makes the blob; it forgets the others.

    ``run(call)`` calls with the blob's client and renews credentials; ``refuse(error)`` raises what a
    failed completion means.
    """

    def __init__(
        self,
        run: Callable[[Callable[[Any], Any]], Any],
        condition: Condition,
        refuse: Callable[[Exception], NoReturn],
    ) -> None:
        self._run, self._condition, self._refuse = run, condition, refuse
        self._threads = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="stacks-write")
        self._room = threading.Semaphore(UNDER_WAY)
        self._blocks: list[Future[str]] = []

    def write(self, part: bytes) -> None:
        self._room.acquire()
        for block in self._blocks:
            if block.done():
                block.result()
        self._blocks.append(self._threads.submit(self._send, len(self._blocks), part))

    def _send(self, number: int, part: bytes) -> str:
        try:
            name = base64.b64encode(f"{number:08}".encode()).decode()
            self._run(lambda blob: blob.stage_block(name, part, length=len(part)))
            return name
        finally:
            self._room.release()

    def complete(self) -> None:
        from azure.core.exceptions import AzureError
        from azure.storage.blob import BlobBlock

        blocks = [BlobBlock(block.result()) for block in self._blocks]
        wanted = match_conditions(self._condition)
        try:
            self._run(lambda blob: blob.commit_block_list(blocks, **wanted))
        except AzureError as error:
            self._refuse(error)
        self._threads.shutdown(wait=False)

    def abort(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


def noting_doubts() -> tuple[list[object], dict[str, Any]]:
    """A list, and what makes Azure's SDK note in it each repetition: the first may have been done."""
    doubts: list[object] = []
    return doubts, {"retry_hook": lambda **told: doubts.append(told)}


def is_copy(target: Any, source: str) -> bool:
    """Whether a blob was copied from ``source``."""
    made: str = target.get_blob_properties().copy.source or ""
    return made.partition("?")[0] == source.partition("?")[0]


def match_conditions(condition: Condition) -> dict[str, Any]:
    """A condition, as Azure's SDK takes it."""
    from azure.core import MatchConditions

    if condition.absent:
        return {"match_condition": MatchConditions.IfMissing}
    if condition.etag is not None:
        return {"etag": condition.etag, "match_condition": MatchConditions.IfNotModified}
    return {}
