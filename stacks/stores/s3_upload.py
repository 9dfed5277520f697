"""A large file on its way to S3, in parts of its own making.

The parts are kept until the service has them: when credentials expire in the middle of a write, the part goes
again with new ones, which no client's own upload can do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from stacks.stores.s3_clients import S3Clients
from stacks.stores.types import Condition, bare_etag

UNDER_WAY = 4  # parts at once: 64 MiB of memory, and enough for a 10 Gbit/s line


class MultipartUpload:
    """Begun at once; ``check`` decides about the condition where the service cannot."""

    def __init__(
        self,
        run: Callable[[Callable[[S3Clients], Any]], Any],
        target: dict[str, str],
        additional: dict[str, Any],
        condition: Condition,
        check: Callable[[], None],
    ) -> None:
        self._run = run
        self._target = target
        self._additional = additional
        self._condition = condition
        self._check = check
        begun = run(
            lambda clients: clients.sdk.create_multipart_upload(
                **target, **clients.additional_for("CreateMultipartUpload", additional)
            )
        )
        self._upload = {**target, "UploadId": str(begun["UploadId"])}
        self._threads = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="stacks-write")
        self._room = threading.Semaphore(UNDER_WAY)
        self._parts: list[Future[dict[str, Any]]] = []

    def write(self, part: bytes) -> None:
        self._room.acquire()
        self._raise_failures()
        self._parts.append(self._threads.submit(self._send, len(self._parts) + 1, part))

    def _send(self, number: int, part: bytes) -> dict[str, Any]:
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
            self._room.release()

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
            if conditions and not clients.completes_conditionally:
                self._check()
                conditions = {}
            return clients.sdk.complete_multipart_upload(
                **self._upload,
                MultipartUpload={"Parts": parts},
                **conditions,
                **clients.additional_for("CompleteMultipartUpload", self._additional),
            )

        self._run(finish)
        self._threads.shutdown(wait=False)

    def abort(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._run(lambda clients: clients.sdk.abort_multipart_upload(**self._upload))
