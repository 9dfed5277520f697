"""A large file on its way to S3, in parts of its own making.

The parts are kept until the service has them: when credentials expire in the middle of a write, the part goes
again with new ones, which no client's own upload can do.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from stacks.stores import s3_errors
from stacks.stores.types import ALWAYS, Condition, bare_etag

if TYPE_CHECKING:
    from stacks.stores.s3_clients import S3Clients

PART_SIZE = 8 * 1024 * 1024
UNDER_WAY = 8  # parts at once, fewer of larger ones: 64 MiB of memory, and enough for a 10 Gbit/s line


class MultipartUpload:
    """Begun at once.

    ``check`` looks whether the condition still holds, for services that heed none; ``refuse`` raises
    what it means when one that does refuses.
    """

    def __init__(
        self,
        run: Callable[[Callable[[S3Clients], Any]], Any],
        target: dict[str, str],
        additional: dict[str, Any],
        condition: Condition,
        check: Callable[[], None],
        refuse: Callable[[Exception], None],
    ) -> None:
        self._run = run
        self._target = target
        self._additional = additional
        self._condition = condition
        self._check = check
        self._refuse = refuse
        begun = run(
            lambda clients: clients.sdk.create_multipart_upload(
                **target, **clients.additional_for("CreateMultipartUpload", additional)
            )
        )
        self._upload = {**target, "UploadId": str(begun["UploadId"])}
        self._threads = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="stacks-write")
        self._room = threading.Semaphore(UNDER_WAY)
        self._parts: list[Future[dict[str, Any]]] = []

    def write(self, part: bytes | bytearray) -> None:
        for _ in range(_places(part)):
            self._room.acquire()
        self._raise_failures()
        self._parts.append(self._threads.submit(self._send, len(self._parts) + 1, part))

    def _send(self, number: int, part: bytes | bytearray) -> dict[str, Any]:
        try:
            sent = self._run(
                lambda clients: clients.sdk.upload_part(
                    **self._upload,
                    PartNumber=number,
                    Body=part,
                    **clients.additional_for("UploadPart", self._additional),
                )
            )
            return {"PartNumber": number, "ETag": sent["ETag"]}
        finally:
            self._room.release(_places(part))

    def _raise_failures(self) -> None:
        for part in self._parts:
            if part.done():
                part.result()

    def complete(self) -> None:
        parts = [part.result() for part in self._parts]

        def finish(clients: S3Clients) -> Any:
            conditions: dict[str, str] = {}
            if self._condition.absent:
                conditions["IfNoneMatch"] = "*"
            if self._condition.etag is not None:
                conditions["IfMatch"] = bare_etag(self._condition.etag)
            if not clients.completes_conditionally:
                conditions = {}
            return clients.sdk.complete_multipart_upload(
                **self._upload,
                MultipartUpload={"Parts": parts},
                **conditions,
                **clients.additional_for("CompleteMultipartUpload", self._additional),
            )

        if self._condition != ALWAYS:
            self._check()
        try:
            self._run(finish)
        except Exception as error:
            if not self._is_complete(error, parts):
                self._refuse(error)
                raise
            self.abort()  # there may be an older file with the very same parts
        self._threads.shutdown(wait=False)

    def _is_complete(self, error: Exception, parts: list[dict[str, Any]]) -> bool:
        """Whether the file is there although its completion failed: an answer was lost on its way."""
        if not s3_errors.is_foreign(error):
            return False
        if s3_errors.read_fault(error).status in {409, 412} and not s3_errors.met_itself(error):
            return False
        expected = _etag_of(parts)
        try:
            found = self._run(
                lambda clients: clients.sdk.head_object(
                    **self._target, **clients.additional_for("HeadObject", self._additional)
                )
            )
        except Exception as unknown:
            if not s3_errors.is_foreign(unknown):
                raise
            return False
        return expected is not None and bare_etag(found.get("ETag", "")) == expected

    def abort(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        try:
            self._run(lambda clients: clients.sdk.abort_multipart_upload(**self._upload))
        except Exception as error:
            if not s3_errors.is_foreign(error) or s3_errors.read_fault(error).code != "NoSuchUpload":
                raise  # else it is gone, which is what was asked for


def _places(part: bytes | bytearray) -> int:
    return min(max(1, len(part) // PART_SIZE), UNDER_WAY)


def _etag_of(parts: list[dict[str, Any]]) -> str | None:
    """The etag that services give a file of these parts; None where they hide what is in them (KMS)."""
    digests = [bare_etag(part["ETag"]) for part in parts]
    if not all(re.fullmatch(r"[0-9a-f]{32}", digest) for digest in digests):
        return None
    whole = hashlib.md5(b"".join(map(bytes.fromhex, digests)), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(digests)}"
