"""Where a state file can be kept, and how it is replaced there without losing anybody's update."""

from __future__ import annotations

import hashlib
import random
import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from stacks.errors import ObjectChangedError, StateConflictError, StateError
from stacks.state.files import locked, make_private_folder, read_private, write_private

if TYPE_CHECKING:
    from stacks.stores.opening import OpeningStore
    from stacks.stores.types import FileStat

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://)[^/]+/.*[^/]")
FRESH_SECONDS = 2.0
"""How long a remote file that was read is taken as unchanged: programs ask for it many times a second."""

Replace = Callable[[bytes | None], bytes | None]
"""From the present content (None: no file) to the new one (None: leave it)."""


class Place(Protocol):
    """One place that a state file can be kept at."""

    location: str

    def version(self) -> object | None:
        """Something that differs after every write, cheap to ask for; None when it cannot be told."""
        ...

    def read(self) -> bytes | None:
        """The content, or None when there is no file."""
        ...

    def update(self, change: Replace) -> None:
        """Replaces the content by what ``change`` makes of it, with no write of others in between."""
        ...


class LocalPlace:
    """A file on this machine: one writer at a time, under a lock."""

    def __init__(self, path: Path, timeout: float) -> None:
        self.location = str(path)
        self._path = path
        self._timeout = timeout

    def version(self) -> object | None:
        """The file's identity: every write makes a new file."""
        try:
            found = self._path.lstat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)

    def read(self) -> bytes | None:
        """See Place; raises StateError."""
        self._refuse_folder()
        return read_private(self._path)

    def update(self, change: Replace) -> None:
        """See Place; raises StateError and, when another writer does not let go in time, StateLockedError."""
        self._refuse_folder()
        make_private_folder(self._path.parent)
        with locked(self._path, self._timeout):
            content = change(self.read())
            if content is not None:
                write_private(self._path, content, keep_previous=True)

    def _refuse_folder(self) -> None:
        with suppress(OSError):  # what is not there, or may not be looked at, is told where it is opened
            if stat.S_ISDIR(self._path.lstat().st_mode):
                raise StateError(
                    f"{self._path} is a folder, and a state file is a file",
                    hint=f"name the file in it, such as {self._path / 'state.json'}",
                    location=self.location,
                )


class RemotePlace:
    """An object in a bucket, shared by a team: written only over the version that was read.

    The writers of one machine take turns under a lock of their own: it is not what keeps updates from being
    lost, but without it many of them mostly get in each other's way.

    The credentials and the endpoint are the environment's (``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, …). What
    the service refuses comes as the errors of artifact stores.
    """

    def __init__(self, url: str, home: Path, timeout: float) -> None:
        self.location = url
        self._turns = home / "locks" / hashlib.sha256(url.encode()).hexdigest()[:32]
        self._timeout = timeout
        self._store = _store_at(url)

    def version(self) -> object | None:
        """The present moment, in steps of FRESH_SECONDS."""
        return int(time.monotonic() / FRESH_SECONDS)

    def read(self) -> bytes | None:
        """See Place."""
        return self._fetch()[0]

    def update(self, change: Replace) -> None:
        """See Place; raises StateConflictError when others are faster until the timeout."""
        with locked(self._turns, self._timeout):
            self._update_in_turn(change)

    def _update_in_turn(self, change: Replace) -> None:
        begun, pause = time.monotonic(), 0.01
        while True:
            content, etag = self._fetch()
            changed = change(content)
            if changed is None:
                return
            try:
                self._store.write_bytes(self.location, changed, if_absent=etag is None, if_match=etag)
            except (ObjectChangedError, FileExistsError) as error:
                # Also what a write that arrived, but whose answer was lost, and that was sent again comes to:
                # ``change`` is asked again, and finds its own content.
                if time.monotonic() - begun > self._timeout:
                    raise StateConflictError(
                        f"others kept changing {self.location} for {self._timeout:.0f} s",
                        hint="try again; the change was not made",
                        location=self.location,
                    ) from error
            else:
                return
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - against knocking in step, not a secret
            pause = min(pause * 1.6, 1.0)

    def _fetch(self) -> tuple[bytes | None, str | None]:
        try:
            content, found = self._read_settled()
        except FileNotFoundError:
            return None, None
        if found.etag is None:
            raise StateError(
                f"{self.location} cannot hold a state file: its service gives no etag to write by",
                hint="use a service with conditional writes, or a local file",
                location=self.location,
            )
        return content, found.etag

    def _read_settled(self) -> tuple[bytes, FileStat]:
        """Some services give content and version in two answers, between which others may have written."""
        begun = time.monotonic()
        while True:
            try:
                return self._store.read_bytes(self.location)
            except ObjectChangedError:
                if time.monotonic() - begun > self._timeout:
                    raise
                time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 - as above


def _store_at(url: str) -> OpeningStore:
    from stacks.stores.opening import OpeningStore
    from stacks.stores.paths import split_scheme
    from stacks.stores.registry import flavors, store_class

    scheme, rest = split_scheme(url)
    known: set[str] = set()
    for flavor in flavors():
        cls = store_class(flavor.name)
        if scheme in cls.SUPPORTED_SCHEMES and issubclass(cls, OpeningStore):
            return cls(f"{scheme}{rest.partition('/')[0]}", name="state file")
        known |= {one for one in cls.SUPPORTED_SCHEMES if one not in {"", "file://"}}
    raise StateError(
        f"no state file can be kept at {url}",
        hint=f"name a local path, or a URL that begins with {', '.join(sorted(known))}",
        location=url,
    )
