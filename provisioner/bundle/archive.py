"""The one file of a bundle: a plain tar, the same bytes for the same content, and never unpacked to disk.

Nothing of it reaches the disk by its own names: a bundle comes from elsewhere, and what it is called in there
decides nothing.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

from provisioner.errors import InputError, StalePlanError

RECORD = "record.json"
RECORD_DIGEST = "record.sha256"
SIGNATURE = "signature.json"
PLAN = "plan.tfplan"
LOCK = "terraform.lock.hcl"
SUMMARY = "summary.json"

MEMBERS = (RECORD, RECORD_DIGEST, SIGNATURE, SUMMARY, LOCK, PLAN)
"""All that a bundle may hold, in this order."""

_OPTIONAL = frozenset({SIGNATURE, LOCK})
MAX_BYTES = 256 << 20


def pack(members: Mapping[str, bytes]) -> bytes:
    """The archive of these members."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in MEMBERS:
            if name in members:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(members[name]), 0o600
                archive.addfile(entry, io.BytesIO(members[name]))
    return target.getvalue()


def unpack(content: bytes, name: str) -> dict[str, bytes]:
    """The members of an archive; ``name`` is what it is called in errors.

    Raises :class:`InputError` for what is no bundle at all, and :class:`StalePlanError` for one that is cut
    off or holds what no bundle holds.
    """
    if not content.startswith(RECORD.encode() + b"\0"):
        raise InputError(
            f"{name} is not a bundle", hint="make one: provision plan stack.yaml --out stack.bundle"
        )
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            members = _members(archive)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise damaged(name, str(error)) from error
    missing = [wanted for wanted in MEMBERS if wanted not in members and wanted not in _OPTIONAL]
    if missing:
        raise damaged(name, f"{', '.join(missing)} is missing")
    if pack(members) != content:
        raise damaged(name, "there is more in it than a bundle holds")
    return members


def damaged(name: str, what: str) -> StalePlanError:
    """The refusal of a bundle that is not as it was written."""
    return StalePlanError(
        f"{name} is not as it was written: {what}", hint="make a new one with `provision plan --out`"
    )


def _members(archive: tarfile.TarFile) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for entry in archive:
        file = archive.extractfile(entry) if entry.isreg() else None
        if file is None or entry.name not in MEMBERS or entry.name in members:
            raise ValueError(f"{entry.name!r} does not belong in it")
        members[entry.name] = file.read()
        if len(members[entry.name]) != entry.size:
            raise ValueError(f"{entry.name} is cut off")
    return members
