"""Where one stack's Terraform root, state, plan, journal and logs lie, and how its state is kept safe."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provisioner.backends import StatePlace, place_noted
from provisioner.errors import DamagedStateError
from stacks.state.files import make_private_folder, read_private, write_private

_BACKUPS_KEPT = 20
_LOGS_KEPT = 10


@dataclass(frozen=True, slots=True)
class StateFacts:
    """What identifies a Terraform state: its lineage, its serial, and how many resources it holds."""

    lineage: str
    serial: int
    addresses: frozenset[str]
    stacks: frozenset[str] = frozenset()
    """The stacks that its resources are labelled with."""
    instances: frozenset[str] = frozenset()
    """``addresses`` with the key of each instance, as a plan names them."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of one stack. ``path`` is ``<state home>/workspaces/<stack>``, mode 0700."""

    path: Path

    @property
    def root(self) -> Path:
        """The rendered Terraform root; Terraform runs here."""
        return self.path / "root"

    @property
    def state(self) -> Path:
        """Terraform's state: its own file, or the copy of a remote one as it was last pulled."""
        return self.pulled_state if self.state_place() is not None else self.local_state

    @property
    def local_state(self) -> Path:
        """Terraform's state with the local backend."""
        return self.root / "terraform.tfstate"

    @property
    def pulled_state(self) -> Path:
        """The copy of a remote state as it was last pulled; only for reading."""
        return self.path / "pulled.tfstate"

    @property
    def place_note(self) -> Path:
        """Where the remote state lies, as the rendered root has it; not there with the local backend."""
        return self.path / "state-place.json"

    def state_place(self) -> StatePlace | None:
        """Where the remote state of the rendered root lies; None for a file of this workspace."""
        note = self.read_json(self.place_note)
        return place_noted(note) if note is not None else None

    def note_state_place(self, place: StatePlace | None) -> None:
        """Note where the state of the rendered root lies."""
        if place is not None:
            self.write_json(self.place_note, place.note())
        else:
            self.place_note.unlink(missing_ok=True)

    @property
    def errored_state(self) -> Path:
        """Where Terraform leaves a state that it could not store."""
        return self.root / "errored.tfstate"

    @property
    def state_lock(self) -> Path:
        """Where Terraform notes who holds its own lock; it stays when that Terraform is killed."""
        return self.root / ".terraform.tfstate.lock.info"

    @property
    def lock_file(self) -> Path:
        """Terraform's provider lock file."""
        return self.root / ".terraform.lock.hcl"

    @property
    def plan(self) -> Path:
        """The saved plan of the run under way."""
        return self.path / "run.tfplan"

    @property
    def cli_configuration(self) -> Path:
        """The Terraform CLI configuration that we write."""
        return self.path / "cli.tfrc"

    @property
    def journal(self) -> Path:
        """The record of a run that has begun and not yet ended."""
        return self.path / "journal.json"

    @property
    def unproven(self) -> Path:
        """There while stores that were applied have not been used with success."""
        return self.path / "unproven"

    @property
    def lock(self) -> Path:
        """What whoever works on this stack has locked; the lock file beside the folder outlives it."""
        return self.path

    @property
    def applied_manifest(self) -> Path:
        """The manifest as it was last applied, complete: what ``destroy NAME`` goes by."""
        return self.path / "manifest.yaml"

    @property
    def outputs(self) -> Path:
        """The outputs of the last apply; no secret is among them."""
        return self.path / "outputs.json"

    @property
    def drift_seen(self) -> Path:
        """Since when the stack is known to have drifted."""
        return self.path / "drift.json"

    @property
    def initialised(self) -> Path:
        """What ``init`` depended on when it last succeeded."""
        return self.path / "init.json"

    def log(self, name: str) -> Path:
        """The log of a Terraform run: of a verb, or of one apply."""
        return self.path / "logs" / f"{name}.log"

    def new_apply_log(self) -> str:
        """The name of the log of the next apply; only the last few are kept."""
        for old in sorted((self.path / "logs").glob("apply-*.log"))[: -_LOGS_KEPT + 1]:
            old.unlink()
        return f"apply-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"

    def create(self) -> None:
        """Make the folders, for this user alone."""
        make_private_folder(self.root)

    def remove(self) -> None:
        """Delete everything of a stack that has been destroyed; the caller still holds its lock."""
        shutil.rmtree(self.path)

    def free_bytes(self) -> int:
        """What the disk of this workspace still has room for."""
        return shutil.disk_usage(self.path).free

    # --- small JSON files ---------------------------------------------------------------------------

    def write_json(self, path: Path, value: Any) -> None:
        """Replace one of the JSON files of this workspace, atomically; untouched when it says the same."""
        content = json.dumps(value, indent=2, sort_keys=True).encode() + b"\n"
        if read_private(path) != content:
            write_private(path, content)

    def read_json(self, path: Path) -> Any:
        """A JSON file of this workspace, or None when there is none.

        Raises :class:`DamagedStateError` when it is there and cannot be read.
        """
        content = read_private(path)
        if content is None:
            return None
        try:
            return json.loads(content)
        except ValueError as error:
            raise DamagedStateError(
                f"{path} is damaged: {error}",
                hint="move it away and run `provision recover` for this stack",
            ) from error

    def read_outputs(self) -> dict[str, Any]:
        """The outputs of the last apply; empty before the first."""
        return self.read_json(self.outputs) or {}

    def write_applied_manifest(self, text: str) -> None:
        """Keep the manifest that has been applied."""
        if read_private(self.applied_manifest) != text.encode():
            write_private(self.applied_manifest, text.encode())

    # --- Terraform's state --------------------------------------------------------------------------

    def state_facts(self) -> StateFacts | None:
        """What the state says of itself; None when there is none yet.

        Raises :class:`DamagedStateError` for a state that is empty, cut off or no state: Terraform would
        take a zero-byte file for «nothing exists» and create everything a second time.
        """
        return read_state(self.state, advice=self.advice)

    def forget_what_others_changed(self) -> bool:
        """Drop what is noted of the last apply if a remote state says that a later one came from elsewhere.

        Whether it did.
        """
        facts, newest = self.state_facts(), self._newest_good_copy()
        known = _facts_or_none(newest) if newest is not None else None
        if facts is None or known is None or facts == known:
            return False
        self.outputs.unlink(missing_ok=True)
        self.applied_manifest.unlink(missing_ok=True)
        return True

    def check_state(self, *, deployed: bool) -> None:
        """Refuse a state that cannot be trusted.

        ``deployed`` says whether the state file of the runtime knows this stack as applied; a missing
        Terraform state then means that it was lost, not that nothing exists.
        """
        facts = self.state_facts()
        newest = self._newest_good_copy()
        known = _facts_or_none(newest) if newest is not None else None
        if facts is None and (deployed or known is not None):
            raise DamagedStateError(
                f"{self.named_state()} is missing, but this stack has been applied",
                hint=self.advice(),
            )
        if facts is not None and known is not None and facts.lineage != known.lineage:
            raise DamagedStateError(
                f"{self.named_state()} belongs to another lineage ({facts.lineage}) than the copies kept "
                f"here ({known.lineage})",
                hint=self.advice(),
            )
        if facts is not None and known is not None and facts.serial < known.serial:
            raise DamagedStateError(
                f"{self.named_state()} has serial {facts.serial}, older than the copy kept here "
                f"({known.serial})",
                hint=self.advice(),
            )

    def set_aside(self, damaged: Path) -> Path:
        """Give a damaged state another name, so that a good one can take its place; the new name."""
        return damaged.rename(damaged.with_name(f"{damaged.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"))

    def keep_copy(self) -> None:
        """Keep a copy of the state under its serial, and the newest few of them.

        Before a run, so that there is something to go back to; and after it, so that there is what it made.
        """
        facts = self.state_facts()
        if facts is None:
            return
        copy = self.path / "backups" / f"{facts.serial:08d}.tfstate"
        if not copy.exists():
            make_private_folder(copy.parent)
            write_private(copy, read_private(self.state) or b"")
        for old in self._copies()[:-_BACKUPS_KEPT]:
            old.unlink()

    def newest_state(self) -> Path | None:
        """The state as last seen: Terraform's own file, else the newest good copy; None without any."""
        return self.state if self.state.is_file() else self._newest_good_copy()

    def _copies(self) -> list[Path]:
        return sorted((self.path / "backups").glob("*.tfstate"))

    def _newest_good_copy(self) -> Path | None:
        return next((copy for copy in reversed(self._copies()) if _facts_or_none(copy)), None)

    def advice(self) -> str:
        """What to do about a state that cannot be trusted."""
        newest, place = self._newest_good_copy(), self.state_place()
        if newest is not None:
            back = place.put_back(newest) if place is not None else f"cp {newest} {self.state}"
            return f"the newest good copy is {newest}: put it back with: {back}"
        if place is not None:
            return f"there is no good copy of it here; restore an earlier version of {place.location}"
        return f"there is no good copy of it here; restore {self.state} from your own backup"

    def named_state(self) -> str:
        """The state, for messages."""
        place = self.state_place()
        return f"the state at {place.location}" if place is not None else str(self.state)


def read_state(path: Path, *, advice: Callable[[], str] = lambda: "") -> StateFacts | None:
    """The facts of a Terraform state file; None when there is no file.

    Raises :class:`DamagedStateError`, with ``advice`` as the next step, when it is there and is none.
    """
    text = read_private(path)
    if text is None:
        return None
    problem = "is empty (zero bytes)"
    if text.strip():
        try:
            return _facts(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"is not a complete Terraform state ({type(error).__name__}: {error})"
    raise DamagedStateError(f"{path} {problem}", hint=advice() or None)


def _facts(document: dict[str, Any]) -> StateFacts:
    managed = [
        resource
        for resource in document["resources"]
        if resource["mode"] == "managed" and resource["instances"]
    ]
    instances = frozenset(
        f"{_address(resource)}{_key(instance)}"
        for resource in managed
        for instance in resource["instances"]
        if "deposed" not in instance
    )
    stacks = frozenset(
        str(labels["stack"])
        for resource in managed
        for instance in resource["instances"]
        for labels in (instance.get("attributes", {}).get(name) for name in ("tags", "labels"))
        if isinstance(labels, dict) and labels.get("provisioned-by") and labels.get("stack")
    )
    return StateFacts(
        str(document["lineage"]),
        int(document["serial"]),
        frozenset(map(_address, managed)),
        stacks,
        instances,
    )


def _address(resource: dict[str, Any]) -> str:
    return ".".join(filter(None, (resource.get("module"), resource["type"], resource["name"])))


def _key(instance: dict[str, Any]) -> str:
    key = instance.get("index_key")
    return "" if key is None else f"[{json.dumps(key)}]"


def _facts_or_none(path: Path) -> StateFacts | None:
    try:
        return read_state(path)
    except DamagedStateError:
        return None
