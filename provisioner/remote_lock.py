"""The lock of a remote state after a run that was killed: it stays, and nobody will let it go.

Terraform's lock on a file ends with its process; one in a bucket does not. It is ended here only where it is
certain whose it was, or where the user names it.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from provisioner import locks
from provisioner.errors import LockedError, ProvisionError
from provisioner.journal import Journal
from provisioner.terraform.holder import Holder
from provisioner.terraform.session import Session
from provisioner.workspace import Workspace

Say = Callable[[str], None]

_CLOCKS_DIFFER = timedelta(seconds=5)


def remote_holder(workspace: Workspace, say: Say = lambda _text: None) -> Holder | None:
    """Who holds the lock of a remote state; None when nobody does, or nobody can say."""
    place = workspace.state_place()
    if place is None:
        return None
    try:
        return locks.connect(place).holder()
    except ProvisionError as error:
        say(f"whether the state is locked could not be asked: {error}")
        return None


def is_left_by(holder: Holder, workspace: Workspace, journal: Journal) -> bool:
    """Whether this lock is that of the run of the journal, whose Terraform has ended.

    It was taken on this machine by this user, after the run began and before it wrote its last line. The
    caller holds the stack's lock here, so no other run of this workspace can have taken it.
    """
    log = workspace.log(journal.log)
    if holder.since is None or holder.who != _ourselves() or not log.exists():
        return False
    ended = datetime.fromtimestamp(log.stat().st_mtime, UTC)
    return journal.begun - _CLOCKS_DIFFER <= holder.since <= ended + _CLOCKS_DIFFER


def release_what_is_left(session: Session, journal: Journal, say: Say, *, allowed: bool) -> None:
    """Before a run that was killed is concluded: end the lock that it left at a remote state.

    Raises :class:`LockedError` unless that is ``allowed`` and the lock is certainly its own.
    """
    workspace = session.workspace
    holder = remote_holder(workspace, say)
    if holder is None:
        return
    name = workspace.path.name
    if not is_left_by(holder, workspace, journal):
        raise LockedError(
            f"{workspace.named_state()} is locked by {holder}",
            hint=f"wait for it; if that run is dead: provision recover {name} --force-unlock {holder.id}",
        )
    if not allowed:
        raise LockedError(
            f"{workspace.named_state()} is still locked by the {journal.operation} of {journal.started}, "
            "which was killed here",
            hint=f"run: provision recover {name}",
        )
    end_lock(session, holder.id, say)


def end_lock(session: Session, lock: str, say: Say) -> None:
    """End a lock that the user, or the journal, knows to be nobody's any more."""
    session.init()
    session.force_unlock(lock)
    say(f"the lock {lock} has been ended")


def _ourselves() -> str:
    """This user on this machine, as Terraform writes it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
