"""The record of a run while it runs: written at its begin, now and then, and at its end.

Between those writes a step costs nothing here, but for the first one that runs after some were taken from the
cache: what a run uses of others is recorded before it is used, so that nobody prunes it. The time of the last
write is a sign of life by which others tell a run that died from one that takes its time.
"""

from __future__ import annotations

import logging
import threading
import time

from stacks.artifacts import layout
from stacks.artifacts.records import RunRecord, run_json
from stacks.artifacts.writing import create, refused
from stacks.errors import RunExistsError, StacksError, StorePermissionError
from stacks.stores.base import BaseArtifactStore

logger = logging.getLogger(__name__)

PROGRESS = 5.0  # seconds after which progress can be seen by others
BEAT = 60.0  # seconds between two signs of life of a run without progress


class Journal:
    """Keeps the record of one run in the store. ``begin``, any number of ``note`` and ``write``, ``end``."""

    def __init__(self, store: BaseArtifactStore, record: RunRecord) -> None:
        self._store = store
        self._record = record
        self._path = f"{store.path}/{layout.run(record.pipeline, record.name)}"
        self._news = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="stacks-run-journal", daemon=True)

    def begin(self) -> None:
        """Record that it runs.

        Raises:
            RunExistsError: a run of that name is recorded.
        """
        try:
            create(self._store, self._path, run_json(self._record))
        except FileExistsError as error:
            raise RunExistsError(
                f"the pipeline {self._record.pipeline} has a run {self._record.name} already",
                hint="choose another run_name, or leave it out: then the time is part of the name",
                name=self._record.name,
            ) from error
        except StorePermissionError as error:
            raise refused(error, f"the run of {self._record.pipeline} cannot be recorded") from error
        self._thread.start()

    def note(self) -> None:
        """Something has changed in the record."""
        self._news = True

    def write(self) -> None:
        """Record what has changed at once: others must know of it before anything else is done."""
        with self._lock:  # no older text is written over a newer one
            self._news = False
            self._store.write_many([(self._path, run_json(self._record))])

    def end(self) -> None:
        """Record how it ended."""
        self._over.set()
        self._thread.join()
        self.write()

    def _keep(self) -> None:
        written = time.monotonic()
        while not self._over.wait(PROGRESS):
            if not self._news and time.monotonic() - written < BEAT:
                continue
            try:
                self.write()
            except (StacksError, OSError) as error:
                # The run itself goes on; if the store stays away, its end cannot be recorded and says so.
                logger.warning("the progress of the run %s is not recorded: %s", self._record.name, error)
            written = time.monotonic()
