"""A large file on its way to Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from stacks.stores.gcp_clients import patience
from stacks.stores.types import ALWAYS, Condition


class ResumableUpload:
    """Google keeps what has arrived until the last part closes the file; before, nobody sees it.

    ``refuse`` raises what it means when the condition does not hold; ``check`` looks whether it does, for
    services that forget it while the parts arrive.
    """

    def __init__(
        self,
        blob: Any,
        part_size: int,
        condition: Condition,
        check: Callable[[], None],
        refuse: Callable[[], None],
    ) -> None:
        self._condition, self._check, self._refuse = condition, check, refuse
        wanted = generation_match(condition)
        self._writer = _writer_class()(blob, chunk_size=part_size, retry=patience(), **wanted)

    def write(self, part: bytes) -> None:
        self._writer.write(part)

    def complete(self) -> None:
        from google.api_core import exceptions

        if self._condition != ALWAYS:
            self._check()
        self._writer.complete = True
        try:
            self._writer.close()
        except exceptions.PreconditionFailed:
            self._refuse()

    def abort(self) -> None:
        self._writer.terminate()


@cache
def _writer_class() -> Any:
    from google.cloud.storage.fileio import BlobWriter  # the SDK has no types

    class Writer(BlobWriter):  # type: ignore[misc] # as above
        """Google's own ends the file when it is collected as garbage, in a forked child too."""

        complete = False

        def close(self) -> None:
            if self.complete:
                super().close()

    return Writer


def generation_match(condition: Condition) -> dict[str, int]:
    """A condition, as Google's SDK takes it."""
    if condition.absent:
        return {"if_generation_match": 0}
    return {"if_generation_match": int(condition.etag)} if condition.etag is not None else {}
