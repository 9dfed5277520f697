"""After a run that was cut off: follow what still runs, find what was made, register what is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from provisioner import register
from provisioner.errors import DamagedStateError, UnfinishedRunError
from provisioner.journal import Journal, close_journal, read_journal
from provisioner.manifest import Manifest, parse_manifest
from provisioner.remote_lock import is_left_by, release_what_is_left, remote_holder
from provisioner.terraform.holder import Holder
from provisioner.terraform.runner import OnEvent, ProcessId, follow
from provisioner.terraform.session import PREPARING, Session, process_at_work
from provisioner.terraform.stream import StreamResult
from provisioner.verify.base import Cloud, Orphans, Places, connect
from provisioner.workspace import Workspace, read_state
from stacks.state import StateFile

Say = Callable[[str], None]

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a run that was cut off, and what will be done about it."""

    journal: Journal | None
    running: int | None
    started: bool
    finished: bool
    failed: tuple[str, ...]
    unstored_state: bool
    lock: Holder | None = None
    """Who holds the lock of a remote state."""
    lock_is_left: bool = False
    """Whether that is the lock of the run that was cut off."""

    @property
    def nothing(self) -> bool:
        """Whether the last run ended well."""
        return self.journal is None and not self.unstored_state

    def sentences(self, workspace: Workspace) -> list[str]:
        """The findings in words, for ``provision recover``."""
        lines = self._of_the_lock(workspace)
        if self.nothing:
            return [*lines, "nothing to recover: the last run ended well"]
        if self.unstored_state:
            lines.append(
                f"Terraform could not store its state and left it in {workspace.errored_state}: to be pushed"
            )
        if self.journal is None:
            return lines
        run = f"{self.journal.operation} of {self.journal.started}"
        if self.running is not None:
            lines.append(f"the {run} still runs as process {self.running}: to be followed to its end")
        elif not self.started:
            return [*lines, f"the {run} never came to start Terraform: there is nothing to look for"]
        elif self.finished:
            lines.append(f"the {run} was completed by Terraform, but not registered: to be registered")
        else:
            lines.append(
                f"the {run} ended in the middle: what it made is to be looked for and taken into the state"
            )
            lines += [f"it said: {text}" for text in self.failed]
        planned = [
            f"{intent.action} {intent.address}" for intent in self.journal.intents if intent.identifier
        ]
        return lines + [f"it meant to {text}" for text in planned]

    def _of_the_lock(self, workspace: Workspace) -> list[str]:
        if self.lock is None:
            return []
        held = f"{workspace.named_state()} is locked by {self.lock}"
        if self.lock_is_left:
            return [f"{held}: the run that was cut off left it, to be ended"]
        if self.running is not None:
            return [f"{held}: the run that still goes on"]
        command = f"provision recover {workspace.path.name} --force-unlock {self.lock.id}"
        return [f"{held}; only if you know that run to be dead, end it with: {command}"]


def examine(workspace: Workspace) -> Findings:
    """Look at a workspace without touching anything."""
    journal = read_journal(workspace)
    unstored = workspace.errored_state.exists()
    lock = remote_holder(workspace)
    if journal is None:
        return Findings(
            None, None, started=False, finished=False, failed=(), unstored_state=unstored, lock=lock
        )
    process = _still_at_work(workspace, journal)
    stream = _stream(workspace, journal)
    return Findings(
        journal,
        process.pid if process else None,
        started=_was_started(workspace, journal),
        finished=_was_finished(journal, stream),
        failed=tuple(error.summary for error in stream.errors),
        unstored_state=unstored,
        lock=lock,
        lock_is_left=lock is not None and process is None and is_left_by(lock, workspace, journal),
    )


def recover_if_cut_off(
    state_file: StateFile,
    session: Session,
    places: Places,
    say: Say,
    on_event: OnEvent,
    *,
    push_state: bool = False,
) -> bool:
    """Bring a stack whose last run was cut off back to a known state; whether there was anything to do.

    The caller holds the stack's lock. Only ``push_state``, which is ``provision recover``, gives a state that
    Terraform could not store back to it; without, :class:`UnfinishedRunError` is raised.
    """
    workspace = session.workspace
    _wait_for_lost_preparations(workspace, say)
    journal = read_journal(workspace)
    if journal is not None:
        _follow_to_the_end(workspace, journal, say, on_event)
        if not _was_finished(journal, _stream(workspace, journal)):
            release_what_is_left(session, journal, say, allowed=push_state)
    if workspace.errored_state.exists():
        _give_back_state(session, say, push_state=push_state)
    elif journal is None:
        return False
    if journal is not None:
        _conclude(state_file, session, journal, places, say)
        close_journal(workspace)
    return True


def _wait_for_lost_preparations(workspace: Workspace, say: Say) -> None:
    """A plan whose command was killed still holds Terraform's own lock; it changes nothing, and ends."""
    if not workspace.state_lock.exists() and workspace.state_place() is None:
        return
    process = process_at_work(workspace, PREPARING)
    if process is None:
        return
    say(f"a terraform of an earlier command (process {process.pid}) is still at work here: waiting for it")
    while process.alive():
        time.sleep(_POLL_SECONDS)


def _still_at_work(workspace: Workspace, journal: Journal) -> ProcessId | None:
    """The Terraform of this run, if it still runs: as noted, or else as found in its folder."""
    noted = journal.process
    return noted if noted is not None and noted.alive() else process_at_work(workspace)


def _was_started(workspace: Workspace, journal: Journal) -> bool:
    """Whether Terraform came to do anything: its first act is a line in the log."""
    log = workspace.log(journal.log)
    return journal.phase != "intended" or (log.exists() and log.stat().st_size > 0)


def _was_finished(journal: Journal, stream: StreamResult) -> bool:
    """Whether the run was complete: as noted, or else as Terraform's own last words say."""
    return journal.phase == "applied" or stream.finished


def _follow_to_the_end(workspace: Workspace, journal: Journal, say: Say, on_event: OnEvent) -> None:
    process = _still_at_work(workspace, journal)
    if process is None:
        return
    say(
        f"the {journal.operation} of {journal.started} was cut off, but its Terraform "
        f"(process {process.pid}) still runs: following it"
    )
    for event in follow(workspace.log(journal.log), StreamResult(), process.alive):
        on_event(event)


def _give_back_state(session: Session, say: Say, *, push_state: bool) -> None:
    workspace = session.workspace
    if not push_state:
        raise UnfinishedRunError(
            f"an earlier run could not store its state; it lies in {workspace.errored_state}",
            hint=f"run: provision recover {workspace.path.name}",
        )
    try:
        read_state(workspace.errored_state)
    except DamagedStateError as error:
        # The disk was full for it, too. What stands in its place is judged like any other state.
        say(f"{error}; it is kept as {workspace.set_aside(workspace.errored_state)}")
        return
    _set_damaged_state_aside(workspace, say)
    session.init()
    session.push_state(workspace.errored_state)
    workspace.errored_state.rename(workspace.errored_state.with_suffix(".tfstate.pushed"))
    say("the state that Terraform could not store has been given back to it")


def _give_up_first_state(workspace: Workspace, journal: Journal, say: Say) -> None:
    """Without a state before it, a run that is killed early leaves an empty one, in which nothing is lost."""
    if journal.serial is None:
        _set_damaged_state_aside(workspace, say)


def _set_damaged_state_aside(workspace: Workspace, say: Say) -> None:
    if workspace.state_place() is not None:
        return  # what is here is only a copy
    try:
        workspace.state_facts()
    except DamagedStateError:
        say(f"the damaged state is kept as {workspace.set_aside(workspace.state)}")


def _conclude(state_file: StateFile, session: Session, journal: Journal, places: Places, say: Say) -> None:
    workspace = session.workspace
    manifest = parse_manifest(journal.manifest, file=journal.manifest_path)
    stream = _stream(workspace, journal)
    if not _was_started(workspace, journal):
        say(f"the {journal.operation} of {journal.started} never came to start Terraform")
    elif not _was_finished(journal, stream):
        _give_up_first_state(workspace, journal, say)
        _pull_state(session)
        workspace.check_state(deployed=False)
        # What the last complete apply answered may no longer hold.
        workspace.outputs.unlink(missing_ok=True)
        taken = _take_in_orphans(session, connect(manifest, places), journal)
        for intent in taken.found:
            say(f"taken into the state: {intent.address} ({intent.identifier})")
        for words in taken.unsure:
            say(words)
        say(f"the {journal.operation} of {journal.started} ended in the middle; going on from what is there")
    elif journal.operation == "destroy":
        register.deregister(state_file, manifest.name)
        say(f"the destroy of {journal.started} had been completed; it is now deregistered")
    else:
        _pull_state(session)
        workspace.keep_copy()
        _register(state_file, session, journal, manifest, stream)
        say(f"the apply of {journal.started} had been completed; it is now registered")


def _pull_state(session: Session) -> None:
    """The state as it is after the run, where it lies elsewhere."""
    if session.workspace.state_place() is not None:
        session.init()
        session.pull_state()


def _register(
    state_file: StateFile, session: Session, journal: Journal, manifest: Manifest, stream: StreamResult
) -> None:
    workspace = session.workspace
    outputs = stream.outputs if stream.outputs_seen else session.outputs()
    workspace.write_json(workspace.outputs, outputs)
    workspace.write_applied_manifest(journal.manifest)
    register.register(
        state_file,
        register.Applied(
            manifest=manifest,
            manifest_path=journal.manifest_path,
            manifest_sha256=journal.manifest_sha256,
            outputs=outputs,
            workspace=str(workspace.path),
            engine=journal.engine,
        ),
    )


def _take_in_orphans(session: Session, cloud: Cloud, journal: Journal) -> Orphans:
    """Import what the run made and could no longer write down."""
    facts = session.workspace.state_facts()
    known = facts.instances if facts else frozenset()
    missing = [
        intent
        for intent in journal.intents
        if intent.action == "create" and intent.identifier and intent.address not in known
    ]
    if not missing:
        return Orphans()
    session.init()
    orphans = cloud.orphans(missing, journal.begun)
    for intent in orphans.found:
        session.import_resource(intent.address, intent.identifier or "")
    if orphans.found and session.workspace.state_place() is not None:
        session.pull_state()
        session.workspace.keep_copy()
    return orphans


def _stream(workspace: Workspace, journal: Journal) -> StreamResult:
    """What the run's own log tells; nothing when it never came to start Terraform."""
    result = StreamResult()
    log = workspace.log(journal.log)
    if log.exists():
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            result.feed(line)
    return result
