"""What a bundle says of itself: by which inputs, engine and state its plan was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provisioner.bundle.archive import damaged
from provisioner.errors import StalePlanError

FORMAT = 1
"""The format of the bundles that this version writes and reads."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SourceFile(_Part):
    """A file that the manifest was made of: its path, from the manifest's folder on, and its content."""

    path: str
    sha256: Sha256


class ManifestInputs(_Part):
    """The manifest as it was named, every file of it, and what the command line laid over it."""

    path: str
    sources: list[SourceFile]
    overrides: list[str]


class EngineFacts(_Part):
    """Terraform or OpenTofu: its version, and whether it was a binary or the engine extra."""

    program: str
    version: str
    kind: Literal["binary", "engine extra"]


class Revision(_Part):
    """Where the repository stood: the commit, its tree, and which inputs differed from it."""

    commit: str
    tree: str
    dirty: list[str]


class StateIdentity(_Part):
    """Which state of Terraform's: its lineage and its serial."""

    lineage: str
    serial: int


class PlannedChange(_Part):
    """One resource that the plan touches, and how."""

    address: str
    action: str


class Record(_Part):
    """All that has to be the same when the plan is applied. Digests are SHA-256, in hexadecimal."""

    format: Literal[1]
    product: str
    planned_at: str
    stack: str
    operation: Literal["apply", "destroy"]
    account: str | None
    engine: EngineFacts
    providers: dict[str, str]
    manifest: ManifestInputs
    rendering: dict[str, Sha256]
    revision: Revision | None
    state: StateIdentity | None
    changes: list[PlannedChange]
    files: dict[str, Sha256]

    def to_bytes(self) -> bytes:
        """The record as it stands in a bundle."""
        return as_bytes(self.model_dump(mode="json"))


def as_bytes(value: Any) -> bytes:
    """JSON in one form only."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True).encode() + b"\n"


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {name: digest(content) for name, content in sorted(files.items())}


def parse_record(content: bytes, name: str) -> Record:
    """The record of a bundle.

    Raises :class:`StalePlanError` for one of another format, and for what is no record.
    """
    try:
        value = json.loads(content)
        written = value["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(name, "its record cannot be read") from error
    if written != FORMAT:
        older = isinstance(written, int) and written < FORMAT
        raise StalePlanError(
            f"{name} has format {written!r}; this version reads format {FORMAT} only",
            hint="plan again with this version" if older else "apply it with the version that planned it",
        )
    try:
        return Record.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise damaged(
            name, f"its record does not hold at {'.'.join(map(str, first['loc']))}: {first['msg']}"
        ) from error
