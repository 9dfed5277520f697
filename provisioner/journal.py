"""The journal of a run: what was meant, how far it came, and who is still at it.

It is written before Terraform may change anything and removed when all is registered. A journal that is
there when a command begins is the trace of a run that was cut off.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provisioner.errors import DamagedStateError
from provisioner.terraform.runner import ProcessId
from provisioner.workspace import Workspace

PHASES = ("intended", "applying", "applied")


@dataclass(frozen=True, slots=True)
class Intent:
    """One resource that the run is about to touch; ``identifier`` is its name in the cloud, where known."""

    address: str
    action: str
    type: str
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """A run that has begun. ``operation`` is apply or destroy, ``phase`` one of :data:`PHASES`.

    ``log`` is the name of the log of this run alone: when it is not there, Terraform was never started.
    ``serial`` is that of Terraform's state when the run began, None when there was no state yet.
    """

    operation: str
    phase: str
    started: str
    manifest: str
    manifest_path: str
    manifest_sha256: str
    engine: str
    log: str
    intents: tuple[Intent, ...] = ()
    process: ProcessId | None = None
    account: str | None = None
    serial: int | None = None

    @property
    def begun(self) -> datetime:
        """When the run began."""
        return datetime.fromisoformat(self.started)

    def write(self, workspace: Workspace) -> Journal:
        """Put it on disk, before what it announces."""
        workspace.write_json(workspace.journal, asdict(self))
        return self

    def advance(self, workspace: Workspace, phase: str, **facts: Any) -> Journal:
        """The journal in a later phase, on disk."""
        return replace(self, phase=phase, **facts).write(workspace)


def now() -> str:
    """This moment, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_journal(workspace: Workspace) -> Journal | None:
    """The journal of a run that was cut off; None when the last one ended well."""
    value = workspace.read_json(workspace.journal)
    if value is None:
        return None
    try:
        process = value.pop("process")
        intents = tuple(Intent(**intent) for intent in value.pop("intents"))
        return Journal(**value, intents=intents, process=ProcessId(**process) if process else None)
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStateError(
            f"{workspace.journal} is no journal that this version reads: {error}",
            hint="finish the run with the version that began it",
        ) from error


def close_journal(workspace: Workspace) -> None:
    """The run has ended and everything is recorded."""
    Path(workspace.journal).unlink(missing_ok=True)
