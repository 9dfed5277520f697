"""Finding, reading and changing the state file."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from stacks.errors import StateConflictError, StateError
from stacks.state.places import URL, LocalPlace, Place, RemotePlace
from stacks.state.records import State
from stacks.state.schema import decode, encode

FOLDER, NAME = ".stacks", "state.json"

Change = Callable[[State], State]


def user_home(environ: Mapping[str, str] | None = None) -> Path:
    """The user's configuration directory for this library (``~/.config/stacks`` on Linux)."""
    environ = os.environ if environ is None else environ
    configured = environ.get("XDG_CONFIG_HOME", "")
    if Path(configured).is_absolute():
        return Path(configured) / "stacks"
    from platformdirs import user_config_path

    return user_config_path("stacks", appauthor=False)


class StateFile:
    """The state file at one place: a path, or a URL such as ``s3://bucket/stacks.json``.

    ``location`` is that place, ``home`` the folder on this machine in which what belongs to it is kept (the
    secret store, local artifact stores). Writers wait up to ``lock_timeout`` seconds for each other.
    """

    def __init__(self, location: str | os.PathLike[str], *, lock_timeout: float = 60.0) -> None:
        given = os.fspath(location)
        self._place: Place
        if "://" in given and not given.startswith("file://"):
            if not URL.fullmatch(given):
                raise StateError(
                    f"{given} names no file",
                    hint="write it as s3://bucket/stacks.json",
                    location=given,
                )
            self._home = user_home() / "remote" / _folder_of(given)
            self._place = RemotePlace(given, self._home, lock_timeout)
        else:
            path = Path(given.removeprefix("file://")).expanduser().absolute()
            self._place = LocalPlace(path, lock_timeout)
            # Two files in one folder must not share their workspaces and secrets.
            self._home = path.parent if path.name == NAME else path.with_name(f"{path.name}.d")
        self._seen: tuple[object, State] | None = None

    @classmethod
    def locate(
        cls, start: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None
    ) -> StateFile:
        """The state file in force: ``STACKS_STATE``, else the nearest ``.stacks/state.json`` from ``start``
        (default: the working directory) upwards, else ``state.json`` in the user's configuration directory.

        Raises StateError when the nearest one belongs to another user: what it says decides where a program's
        data goes, so a folder that others can write to must not be able to slip one in.
        """
        environ = os.environ if environ is None else environ
        if named := environ.get("STACKS_STATE"):
            return cls(named)
        folder = Path(start if start is not None else Path.cwd()).absolute()
        for parent in (folder, *folder.parents):
            candidate = parent / FOLDER / NAME
            if _is_there(candidate):
                return cls(candidate)
        return cls(user_home(environ) / NAME)

    @property
    def location(self) -> str:
        """The path or URL of the file."""
        return self._place.location

    @property
    def home(self) -> Path:
        """The folder that what belongs to this state file alone is kept in.

        That of a file called ``state.json`` is where it lies, that of another has its name and ``.d``, and
        that of a URL is in the user's configuration directory.
        """
        return self._home

    def __repr__(self) -> str:
        return f"StateFile({self.location!r})"

    def read(self) -> State:
        """What the file says; an empty State when there is no file.

        A file that has not changed is not parsed again; a remote one is fetched again after two seconds, or
        after an update made here. Raises DamagedStateError, NewerStateError and StateError.
        """
        # Taken before reading: a write in between makes the next read parse again, never serve the old.
        version = self._place.version()
        if self._seen is not None and version is not None and self._seen[0] == version:
            return self._seen[1]
        state = self._parse(self._place.read())
        self._seen = None if version is None else (version, state)
        return state

    def update(self, change: Change) -> State:
        """Reads, lets ``change`` make the next State, writes it in one step, and returns what was written.

        Nothing is written when ``change`` returns what it was given, or raises. It must be a pure function:
        where the file is remote it may be called again. Raises what ``read`` does, StateLockedError, and
        StateConflictError when ``change`` returns the State of another file.
        """
        result = State()
        sent: bytes | None = None

        def replaced(content: bytes | None) -> bytes | None:
            nonlocal result, sent
            before = self._parse(content)
            if content is not None and content == sent:
                result = before  # our own write had arrived
                return None
            after = change(before)
            result = before if after == before else _next(before, after, self.location)
            sent = None if result is before else encode(result)
            return sent

        self._place.update(replaced)
        self._seen = None
        return result

    def create(self) -> bool:
        """Writes an empty state file where there is none, so that it is found from below; whether it did."""
        written = False

        def first(content: bytes | None) -> bytes | None:
            nonlocal written
            written = content is None
            return encode(State(lineage=str(uuid.uuid4()), serial=1)) if written else None

        self._place.update(first)
        return written

    def _parse(self, content: bytes | None) -> State:
        return State() if content is None else decode(content, self.location)


def _next(before: State, after: State, location: str) -> State:
    if (after.lineage, after.serial) != (before.lineage, before.serial):
        raise StateConflictError(
            f"the change was made for another state than the one in {location}",
            hint="make it from the State that the change function is given",
            location=location,
        )
    return replace(after, lineage=before.lineage or str(uuid.uuid4()), serial=before.serial + 1)


def _folder_of(url: str) -> str:
    """One folder for each URL, named so that its owner knows it."""
    words = re.sub(r"[^A-Za-z0-9.-]+", "-", url.partition("://")[2])[-40:].strip("-.")
    return f"{words}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def _is_there(candidate: Path) -> bool:
    """Whether a state file is there that may be believed."""
    try:
        folder = candidate.parent.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    try:
        found = candidate.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError as error:  # going on upwards would read and write the state of something else
        raise StateError(
            f"{candidate.parent} is there, but may not be looked into",
            hint="give it back to yourself (it may have been made with sudo), or set STACKS_STATE to another",
            location=str(candidate),
        ) from error
    if stat.S_ISLNK(folder.st_mode) or {found.st_uid, folder.st_uid} - {0, os.geteuid()}:
        raise StateError(
            f"{candidate} was found, but its folder is a symlink or it belongs to another user",
            hint=f"set STACKS_STATE={candidate} if you trust it",
            location=str(candidate),
        )
    return True
