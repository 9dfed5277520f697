"""Directories on the local disk, as ``modules/local`` makes them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provisioner.errors import InputError
from provisioner.live.base import Found, Seen
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest


class LocalDisk:
    """See :class:`provisioner.live.base.Reader`."""

    @property
    def readings(self) -> Mapping[str, Callable[[Mapping[str, Any]], Found]]:
        """Terraform knows directories as ``terraform_data``, with their path and mode as input."""
        return {"terraform_data": _directory}

    def account(self) -> str | None:
        """There is no account on a disk."""
        return None

    def uninvited(self, resources: Sequence[Resource]) -> list[str]:  # noqa: ARG002  # the protocol's signature
        """Nothing widens access beside the mode."""
        return []


def _directory(noted: Mapping[str, Any]) -> Found:
    given = noted["input"]["value"]
    try:
        mode = Path(given["path"]).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(mode):
        return None
    found = {"path": given["path"], "mode": f"{stat.S_IMODE(mode):04o}"}
    return {"input": {"value": {key: found[key] for key in ("path", "mode") if key in given}}}


def look(bucket: str, given: Mapping[str, str]) -> Seen:  # noqa: ARG001  # every provider's signature
    """A directory that is already there."""
    path = Path(bucket)
    if not path.is_dir():
        raise InputError(f"{bucket} is no directory", hint="name one that is there, with what it holds")
    return Seen({}, (f"mode {stat.S_IMODE(path.stat().st_mode):04o}",))


def connect(manifest: Manifest) -> LocalDisk:  # noqa: ARG001  # every provider's signature
    """The disk."""
    return LocalDisk()
