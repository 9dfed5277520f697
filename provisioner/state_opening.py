"""Before anything else is done with a stack: find its Terraform state, wherever it lies, and judge it.

A state lies in the workspace, or at the place that ``state`` in the manifest names. It never moves by itself:
a manifest that names another place than before is refused until whoever applies says that it is meant.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from provisioner.backends import StatePlace
from provisioner.errors import DamagedStateError, SafetyError
from provisioner.render import BACKEND_FILE, write_rendering
from provisioner.terraform.session import Session
from provisioner.workspace import StateFacts, Workspace
from stacks.state.files import write_private

Say = Callable[[str], None]


@dataclass(frozen=True)
class StateOpening:
    """What has to be known to open the state of one stack, whose lock the caller holds.

    ``files`` is the rendering, ``deployed`` whether the runtime's state file knows the stack as applied, and
    ``migrate`` whether the user said that the state is to go where the manifest now has it.
    """

    session: Session
    name: str
    files: Mapping[str, str]
    place: StatePlace | None
    deployed: bool
    migrate: bool
    say: Say

    @property
    def workspace(self) -> Workspace:
        """The stack's folder."""
        return self.session.workspace

    def open(self) -> None:
        """Write the rendering, and leave a state that can be trusted, or nothing where nothing is applied.

        Raises :class:`DamagedStateError` for one that cannot, and :class:`SafetyError` for one that would
        have to be moved, or that is another stack's.
        """
        if self._is_elsewhere():
            self._move()
        elif self.place is None:
            self.workspace.check_state(deployed=self.deployed)
        self._render()
        if self.place is None:
            return
        self.session.init()
        self.session.pull_state()
        self.workspace.check_state(deployed=self.deployed)
        self._refuse_anothers()
        if self.workspace.forget_what_others_changed():
            self.say("this stack was last applied from elsewhere: what was noted of it here is dropped")
        self.workspace.keep_copy()

    def _render(self) -> None:
        write_rendering(self.files, self.workspace.root, private=True)
        self.workspace.note_state_place(self.place)

    # --- another place than before --------------------------------------------------------------------

    def _is_elsewhere(self) -> bool:
        """Whether the last rendering had the state at another place, and something is there to be lost."""
        if not (self.workspace.root / "main.tf").exists():
            return False
        before = self.workspace.state_place()
        if before is None and self.place is None:
            return False
        if before is not None and self.place is not None and before.same_place(self.place):
            return False
        facts = self.workspace.state_facts()
        return facts is not None and bool(facts.addresses)

    def _move(self) -> None:
        """Take the state to its new place, or find that somebody else has done so."""
        before = self.workspace.state_place()
        if before is not None:
            self.session.init()
            self.session.pull_state()
        self.workspace.check_state(deployed=self.deployed)
        self.workspace.keep_copy()
        ours = self.workspace.state_facts()
        with self._scratch() as scratch:
            there = scratch.state_facts()
        old, new = _words(before, self.workspace), _words(self.place, self.workspace)
        if ours is None:
            return
        if there is not None and there.lineage == ours.lineage and there.serial >= ours.serial:
            self.say(f"the state has been moved to {new} already")
            self._render()
        elif there is not None and there.addresses:
            raise DamagedStateError(
                f"the manifest has the state at {new}, but what lies there is not the state of {self.name} "
                f"from {old}",
                hint="give the stack a place of its own in `state`, or remove what lies there",
            )
        elif not self.migrate:
            raise SafetyError(
                f"the state of {self.name} lies at {old}, and the manifest now has it at {new}: it is not "
                "moved unless you say so",
                hint="to move it, repeat with: provision apply --migrate-state; else put `state` back",
            )
        else:
            self._render()
            self.session.init(migrate_state=True)
            self._keep_lineage(ours, new)
            self.say(f"the state has been moved to {new}; what lies at {old} is no longer used")
        if before is None:
            self._retire_local_state()

    def _keep_lineage(self, ours: StateFacts, new: str) -> None:
        """Make what has arrived the successor of what was sent.

        Terraform begins a new lineage at the new place, by which nobody could tell it from another stack's
        state: neither the copies kept here nor another machine that still has the old place.
        """
        self.session.pull_state()
        arrived = self.workspace.state_facts()
        if arrived is None or arrived.addresses != ours.addresses:
            raise DamagedStateError(f"the state did not arrive whole at {new}", hint=self.workspace.advice())
        if arrived.lineage == ours.lineage:
            return
        document = json.loads(self.workspace.state.read_bytes())
        document |= {"lineage": ours.lineage, "serial": max(ours.serial, arrived.serial) + 1}
        successor = self.workspace.path / "successor.tfstate"
        write_private(successor, json.dumps(document).encode())
        self.session.push_state(successor, force=True)
        successor.unlink()

    def _retire_local_state(self) -> None:
        """A file that looks like the state, and is it no longer, would sooner or later be taken for it."""
        local = self.workspace.local_state
        if local.exists():
            local.rename(local.with_name("terraform.tfstate.moved"))

    @contextmanager
    def _scratch(self) -> Iterator[Workspace]:
        """A workspace with nothing but the new backend, and in it what lies there now."""
        beside = Workspace(self.workspace.path / "new-place")
        if self.place is None:
            yield beside  # it is to be a file of this workspace, where nobody else's can lie
            return
        try:
            beside.create()
            (beside.root / BACKEND_FILE).write_text(self.files[BACKEND_FILE])
            beside.note_state_place(self.place)
            session = self.session.beside(beside)
            session.init()
            session.pull_state()
            yield beside
        finally:
            shutil.rmtree(beside.path, ignore_errors=True)

    # --- somebody else's ------------------------------------------------------------------------------

    def _refuse_anothers(self) -> None:
        """Two stacks at one key would each delete what the other has made."""
        facts = self.workspace.state_facts()
        others = facts.stacks - {self.name} if facts is not None else frozenset()
        if others:
            raise SafetyError(
                f"{self.workspace.named_state()} is that of the stack {', '.join(sorted(others))}, not of "
                f"{self.name}",
                hint="give each stack a key (gcs: a prefix) of its own in `state`, or leave it out",
            )


def _words(place: StatePlace | None, workspace: Workspace) -> str:
    return place.location if place is not None else str(workspace.local_state)
