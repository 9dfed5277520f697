"""Plan, apply, destroy: the order of things, and nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from provisioner import guards, minting, register
from provisioner.backends import place_of
from provisioner.errors import InputError, LockedError, NotEmptyError
from provisioner.journal import close_journal
from provisioner.left_behind import keep_configurations
from provisioner.losses import losses
from provisioner.manifest import LoadedManifest, Manifest
from provisioner.policy.gate import Gate
from provisioner.proof import prove
from provisioner.recover import recover_if_cut_off
from provisioner.remote_lock import end_lock
from provisioner.render import MACHINE_VARIABLES, render
from provisioner.state_opening import StateOpening
from provisioner.summary import Summary
from provisioner.terraform.locate import Executable, locate
from provisioner.terraform.runner import OnEvent, ignore_event
from provisioner.terraform.session import PlanOutcome, Session
from provisioner.verify.base import Places, connect
from provisioner.work import Say, Work
from provisioner.workspace import Workspace
from stacks.errors import StateLockedError
from stacks.state import StateFile
from stacks.state.files import locked, write_private

if TYPE_CHECKING:
    from provisioner.bundle import Bundle

Confirm = Callable[[Summary], bool]

_STACK_NAME = re.compile(r"[a-z][a-z0-9-]{1,29}")  # the manifest's own rule


def agree(_summary: Summary) -> bool:
    """The answer of ``-y``."""
    return True


def say_nothing(_text: str) -> None:
    """For callers that do not want to hear of the steps."""


@dataclass(frozen=True)
class Result:
    """What a command found or did. ``changed`` is whether the world was, or would be, changed."""

    summary: Summary
    changed: bool
    done: bool
    probes: tuple[str, ...] = ()
    bundle: Bundle | None = None


@dataclass
class Engine:
    """Everything that a command on one stack needs to know about its surroundings."""

    state_file: StateFile
    executable: Executable | None
    """The Terraform to use; None: one is looked for when it is needed."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    on_event: OnEvent = ignore_event
    say: Say = say_nothing
    lock_timeout: int = 0
    policy_file: Path | None = None
    """The policy to go by; None: that of the environment, or the one beside or above the manifest."""
    migrate_state: bool = False
    """Terraform's state goes where the manifest now has it, if that is another place than before."""

    # --- the commands ---------------------------------------------------------------------------------

    def plan(
        self,
        loaded: LoadedManifest,
        *,
        destroy: bool = False,
        keep: bool = False,
        before: Manifest | None = None,
    ) -> Result:
        """What an apply (or a destroy) would do; with ``keep``, as a bundle that can be applied later.

        ``before`` is the manifest to tell dangers by where this machine does not know what was applied.
        """
        operation: Literal["apply", "destroy"] = "destroy" if destroy else "apply"
        with self.opened(loaded) as work:
            gate = self._gate(work)
            outcome = work.plan_destroy() if destroy else work.plan()
            summary = gate.judged(work.summarise(outcome, operation=operation, before=before))
            bundle = None
            if keep and not summary.denied:
                from provisioner.bundle import bound_to_planner, seal  # brings tar, zip and cryptography

                summary = bound_to_planner(work, summary)
                bundle = seal(work, outcome, summary, operation)
            changed = outcome.changes or bool(summary.registered)
            return Result(summary, changed, done=False, bundle=bundle)

    def apply(self, loaded: LoadedManifest, *, confirm: Confirm = agree, verify: bool = True) -> Result:
        """Make the world as the manifest says, register it, and prove that it can be used."""
        with self.opened(loaded) as work:
            gate = self._gate(work)
            gate.refuse_unsigned(None)
            register.check_registrable(work.state, loaded.manifest)
            return self._apply_planned(gate, work.plan(), confirm, verify=verify)

    def apply_bundle(
        self,
        loaded: LoadedManifest,
        bundle: Bundle,
        *,
        confirm: Confirm = agree,
        verify: bool = True,
        destroy: bool = False,
        any_commit: bool = False,
    ) -> Result:
        """Apply a saved plan, if everything still is as it was when it was reviewed.

        ``destroy`` says that the bundle of a destroy is meant. Raises :class:`StalePlanError`, naming what
        differs.
        """
        from provisioner.bundle import refuse_unavailable, take_over

        bundle.refuse_wrong_use(loaded.manifest.name, destroy=destroy)
        refuse_unavailable(bundle)
        with self.opened(loaded, lock=bundle.lock) as work:
            gate = self._gate(work)
            gate.refuse_unsigned(bundle)
            if destroy:
                guards.refuse_protected(work)
                register.deregistered(work.state, loaded.manifest.name)
                outcome = take_over(work, bundle, any_commit=any_commit)
                return self._destroy_planned(gate, outcome, confirm, force_nonempty=False)
            register.check_registrable(work.state, loaded.manifest)
            outcome = take_over(work, bundle, any_commit=any_commit)
            return self._apply_planned(gate, outcome, confirm, verify=verify)

    def _apply_planned(self, gate: Gate, outcome: PlanOutcome, confirm: Confirm, *, verify: bool) -> Result:
        work = gate.work
        summary = gate.allowed(work.summarise(outcome))
        lost = losses(work, outcome)
        guards.refuse_data_loss(work, lost)
        before = work.applied_manifest()
        changed = outcome.changes or bool(summary.registered)
        if changed and not confirm(summary):
            return Result(summary, changed=True, done=False)
        if not outcome.changes:
            minting.mint_missing(work, before, work.known_outputs())
            work.register(work.known_outputs(), outcome)
            work.keep_manifest()
            # What is registered anew is proven as what was made anew is: a class may be one it may not use.
            # What could not be used the last time is looked at again, or a rerun would pass for a mend.
            due = verify and (changed or work.workspace.unproven.exists())
            probes = prove(work, work.known_outputs()) if due else ()
            return Result(summary, changed=changed, done=True, probes=probes)
        guards.refuse_what_may_not_end(work)
        guards.discard_what_leaves_the_manifest(work, lost)
        outputs = work.apply("apply", outcome)
        minting.mint_missing(work, before, outputs)
        work.register(outputs, outcome)
        close_journal(work.workspace)
        probes = prove(work, outputs) if verify else ()
        return Result(summary, changed=True, done=True, probes=probes)

    def destroy(
        self, loaded: LoadedManifest, *, confirm: Confirm = agree, force_nonempty: bool = False
    ) -> Result:
        """Tear down what the manifest made, then forget it. Adopted buckets are left as they are."""
        with self.opened(loaded) as work:
            gate = self._gate(work)
            guards.refuse_protected(work)
            register.deregistered(work.state, loaded.manifest.name)
            return self._destroy_planned(gate, work.plan_destroy(), confirm, force_nonempty=force_nonempty)

    def _destroy_planned(
        self, gate: Gate, outcome: PlanOutcome, confirm: Confirm, *, force_nonempty: bool
    ) -> Result:
        work = gate.work
        lost = losses(work, outcome)
        guards.refuse_unknown_destroy(work, lost)
        filled = guards.filled_buckets(work, lost)
        if filled and not force_nonempty:
            raise NotEmptyError(
                "; ".join(str(bucket) for bucket in filled),
                hint="copy away what is needed, then repeat with --force-nonempty to delete it all",
            )
        emptied = [bucket.store for bucket in filled]
        summary = gate.allowed(work.summarise(outcome, operation="destroy", emptied=emptied))
        if not confirm(summary):
            return Result(summary, changed=outcome.changes, done=False)
        guards.refuse_what_may_not_end(work)
        for bucket in filled:
            self.say(f"emptying {bucket.store} ({bucket.name})")
            work.cloud.empty(bucket.name)
        guards.discard_what_leaves_the_manifest(work, lost)
        before = work.applied_manifest()
        if outcome.changes:
            work.apply("destroy", outcome)
        register.deregister(self.state_file, work.manifest.name)
        minting.forget(work, before)
        close_journal(work.workspace)
        work.workspace.remove()
        return Result(summary, changed=outcome.changes, done=True)

    def recover(self, name: str, *, push_state: bool = True, unlock: str | None = None) -> None:
        """Finish what a run that was cut off has left, and give back a state that could not be stored.

        ``unlock`` is the id of the lock of a remote state that nobody will let go any more.
        """
        workspace = self.workspace(name)
        with self.locked(workspace):
            # What a recovery needs of a manifest is in the journal, with absolute directories.
            places = Places(manifest=workspace.path, home=self.state_file.home)
            session = self._session(workspace)
            if unlock is not None:
                end_lock(session, unlock, self.say)
            recover_if_cut_off(
                self.state_file, session, places, self.say, self.on_event, push_state=push_state
            )

    def _gate(self, work: Work) -> Gate:
        """What the policy asks. Its mistakes are told here, before Terraform is started."""
        return Gate.of(work, self.policy_file, self.environ, self.say)

    # --- surroundings ---------------------------------------------------------------------------------

    def workspace(self, name: str) -> Workspace:
        """The folder of a stack.

        Raises :class:`InputError` for what cannot be the name of one.
        """
        if not _STACK_NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is neither a file nor the name of a stack", hint="see: provision status"
            )
        return Workspace(self.state_file.home / "workspaces" / name)

    @contextmanager
    def opened(self, loaded: LoadedManifest, *, lock: bytes | None = None) -> Iterator[Work]:
        """The stack, locked, with nothing left over from earlier runs, and rendered.

        ``lock`` is the provider lock file of a plan that is to be applied: then no other providers are
        installed.
        """
        workspace = self.workspace(loaded.manifest.name)
        with self.locked(workspace):
            session = self._session(workspace)
            if lock is not None:
                session.keep_lock = True
                if not workspace.lock_file.exists():
                    write_private(workspace.lock_file, lock)
            places = Places(manifest=loaded.path.parent.absolute(), home=self.state_file.home)
            recover_if_cut_off(self.state_file, session, places, self.say, self.on_event)
            state = self.state_file.read()
            cloud = connect(loaded.manifest, places)
            StateOpening(
                session,
                loaded.manifest.name,
                render(loaded.manifest),
                place_of(loaded.manifest),
                deployed=loaded.manifest.name in state.deployments,
                migrate=self.migrate_state,
                say=self.say,
            ).open()
            keep_configurations(workspace, loaded.manifest)
            workspace.write_json(workspace.root / MACHINE_VARIABLES, cloud.machine_variables())
            try:
                with ThreadPoolExecutor(1, "account") as background:
                    account = background.submit(cloud.account)
                    yield Work(loaded, self.state_file, state, session, cloud, account, self.say)
            finally:
                # It has been applied or will not be, and it holds values in clear.
                workspace.plan.unlink(missing_ok=True)

    def _session(self, workspace: Workspace) -> Session:
        return Session(
            workspace,
            self.executable or locate(),
            environ=self.environ,
            on_event=self.on_event,
            lock_timeout=self.lock_timeout,
        )

    @contextmanager
    def locked(self, workspace: Workspace) -> Iterator[None]:
        """Hold a stack's lock.

        Raises :class:`LockedError`, naming the holder, when somebody else has it for too long.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(workspace.lock, self.lock_timeout))
            except StateLockedError as error:
                raise LockedError(
                    error.message, hint="wait for it, or give --lock-timeout SECONDS"
                ) from error
            workspace.create()
            yield
