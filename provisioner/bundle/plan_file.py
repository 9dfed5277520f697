"""What a saved plan holds besides the changes: its configuration and the state that it was made for.

A plan file is a ZIP archive with copies of the configuration (``tfconfig/``), of the state (``tfstate``) and
of the lock file. Terraform applies that copy whatever lies in the folder, so it is the copy that is compared.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from provisioner.bundle.record import StateIdentity, digest
from provisioner.errors import StalePlanError

_CONFIGURATION = "tfconfig/"
_MODULES = "tfconfig/modules.json"
_STATE = "tfstate"
_MAX_MEMBER = 256 << 20


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The configuration in a plan, by path and SHA-256, and the state it was made for (None: none yet)."""

    configuration: dict[str, str]
    state: StateIdentity | None


def read_plan_file(content: bytes) -> PlanFile:
    """Look into a saved plan. Raises :class:`StalePlanError` for what is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            folders = {module["Key"]: module["Dir"] for module in json.loads(_member(archive, _MODULES))}
            configuration = {
                _place(name, folders): digest(_member(archive, name))
                for name in archive.namelist()
                if name.startswith(f"{_CONFIGURATION}m-")
            }
            return PlanFile(configuration, _identity(json.loads(_member(archive, _STATE))))
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError, RuntimeError) as error:
        raise StalePlanError(
            f"the plan file cannot be read: {error}", hint="make a new one with `provision plan --out`"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MAX_MEMBER:
        raise ValueError(f"{name} is larger than {_MAX_MEMBER >> 20} MiB")
    return archive.read(name)


def _place(name: str, folders: dict[str, str]) -> str:
    """``tfconfig/m-store_main/outputs.tf`` to the path in the root that it is a copy of."""
    module, _, file = name.removeprefix(f"{_CONFIGURATION}m-").partition("/")
    return (PurePosixPath(folders[module]) / file).as_posix()


def _identity(state: Any) -> StateIdentity | None:
    lineage, serial = str(state["lineage"]), int(state["serial"])
    return StateIdentity(lineage=lineage, serial=serial) if lineage else None
