"""A bundle in memory: read once, checked against itself, and then used from these very bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from provisioner.bundle import archive
from provisioner.bundle.archive import LOCK, PLAN, RECORD, RECORD_DIGEST, SIGNATURE, SUMMARY, damaged
from provisioner.bundle.record import Record, digest, parse_record
from provisioner.bundle.signing import Signature, parse_signature, refuse_unsigned, sign
from provisioner.errors import InputError, StalePlanError
from stacks.state.files import write_private


@dataclass(frozen=True, slots=True)
class Bundle:
    """A saved plan and what it was made from. ``plan`` and ``summary`` are those of the record's digests.

    The plan holds sensitive values in clear, as Terraform's plans do; the summary is masked.
    """

    name: str
    record: Record
    record_bytes: bytes
    plan: bytes
    lock: bytes | None
    summary: dict[str, Any]
    summary_bytes: bytes
    signature: Signature | None = None

    def signed(self, private_key: bytes) -> Bundle:
        """The same bundle with a signature in it."""
        return replace(self, signature=sign(self.record_bytes, private_key))

    def refuse_unsigned(self, trusted: Sequence[str], *, required: bool) -> None:
        """Raises :class:`StalePlanError` for a signature that does not hold, or is missing where required."""
        refuse_unsigned(self.name, self.record_bytes, self.signature, trusted, required=required)

    def refuse_wrong_use(self, stack: str, *, destroy: bool) -> None:
        """Refuse it for another stack, and a destroy where an apply is meant, or the other way round.

        Raises :class:`StalePlanError`.
        """
        if self.record.stack != stack:
            raise StalePlanError(
                f"{self.name} is for the stack {self.record.stack}, but the manifest is of {stack}",
                hint="name the manifest that was planned, or plan this one",
            )
        if (self.record.operation == "destroy") != destroy:
            does, other = ("destroys", "--destroy") if not destroy else ("does not destroy", "no --destroy")
            raise StalePlanError(
                f"{self.name} {does} {stack}, which is not what was asked for",
                hint=f"if that is what is meant, repeat with {other}",
            )

    def to_bytes(self) -> bytes:
        """The bundle as a file."""
        members = {
            RECORD: self.record_bytes,
            RECORD_DIGEST: f"{digest(self.record_bytes)}\n".encode(),
            SUMMARY: self.summary_bytes,
            PLAN: self.plan,
        }
        if self.lock is not None:
            members[LOCK] = self.lock
        if self.signature is not None:
            members[SIGNATURE] = self.signature.to_bytes()
        return archive.pack(members)

    def write(self, path: Path) -> None:
        """Put it at ``path``, for this user alone; what was there is replaced in one step."""
        if not path.parent.is_dir():
            raise InputError(f"{path.parent} is not a folder", hint="make it, or name another one with --out")
        write_private(path, self.to_bytes())


def read_bundle(path: Path) -> Bundle:
    """Read a bundle and hold it to its own record and signature.

    Raises :class:`InputError` for what cannot be read or is no bundle, and
    :class:`~provisioner.errors.StalePlanError` for one that is not as it was written.
    """
    try:
        with path.open("rb") as file:
            content = file.read(archive.MAX_BYTES + 1)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", hint="name a bundle of `provision plan --out`"
        ) from error
    return parse_bundle(content, str(path))


def parse_bundle(content: bytes, name: str) -> Bundle:
    """The same from bytes; ``name`` is what it is called in errors."""
    if len(content) > archive.MAX_BYTES:
        raise InputError(f"{name} is larger than {archive.MAX_BYTES >> 20} MiB", hint="name a bundle")
    members = archive.unpack(content, name)
    record_bytes = members[RECORD]
    if members[RECORD_DIGEST].strip() != digest(record_bytes).encode():
        raise damaged(name, "its record was changed")
    record = parse_record(record_bytes, name)
    listed = {member for member in members if member not in {RECORD, RECORD_DIGEST, SIGNATURE}}
    for member in sorted(listed | set(record.files)):
        if member not in members or digest(members[member]) != record.files.get(member):
            raise damaged(name, f"{_CALLED.get(member, member)} was changed")
    try:
        summary = dict(json.loads(members[SUMMARY]))
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(name, "its summary cannot be read") from error
    signature = parse_signature(members[SIGNATURE], name) if SIGNATURE in members else None
    bundle = Bundle(
        name=name,
        record=record,
        record_bytes=record_bytes,
        plan=members[PLAN],
        lock=members.get(LOCK),
        summary=summary,
        summary_bytes=members[SUMMARY],
        signature=signature,
    )
    bundle.refuse_unsigned((), required=False)
    return bundle


_CALLED = {PLAN: "its plan file", LOCK: "its provider lock file", SUMMARY: "its summary"}
