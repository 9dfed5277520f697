"""One command at work on one stack, whose lock it holds: the steps that plan, apply and destroy share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from provisioner import register
from provisioner.catalog import PROVIDERS
from provisioner.dangers import dangers, needs_details
from provisioner.elsewhere import refuse_elsewhere
from provisioner.errors import (
    CredentialsError,
    LockedError,
    StalePlanError,
    TerraformError,
    UpstreamError,
    WrongAccountError,
)
from provisioner.journal import Intent, Journal, close_journal, now
from provisioner.manifest import LoadedManifest, Manifest, dump_manifest, parse_manifest
from provisioner.summary import Summary, split_address, summarise
from provisioner.terraform.runner import ProcessId
from provisioner.terraform.session import PlanOutcome, Session
from provisioner.terraform.stream import Change, StreamResult
from provisioner.verify.base import Cloud
from provisioner.workspace import Workspace
from stacks.errors import StateError
from stacks.state import State, StateFile

Say = Callable[[str], None]

_STALE = "Saved plan is stale"
"""What Terraform says, as the summary of its diagnostic, when the state is not the one of the plan."""


@dataclass(frozen=True)
class Work:
    """One command at work on one stack, whose lock it holds."""

    loaded: LoadedManifest
    state_file: StateFile
    state: State
    session: Session
    cloud: Cloud
    asked_account: Future[str | None]
    say: Say

    @property
    def workspace(self) -> Workspace:
        """The stack's folder."""
        return self.session.workspace

    @property
    def manifest(self) -> Manifest:
        """What is wanted."""
        return self.loaded.manifest

    def account(self) -> str | None:
        """The account in use.

        Raises :class:`WrongAccountError` when it is another than the manifest's.
        """
        account = self.asked_account.result()
        deployed = self.state.deployments.get(self.manifest.name)
        # Both: the manifest of a stack that stands in one account may have been changed to name another,
        # and with that one's credentials Terraform would take all that exists for gone.
        for wanted in (self.manifest.account, deployed.account if deployed else None):
            if account is not None and wanted is not None and account != wanted:
                raise WrongAccountError(
                    f"the credentials belong to account {account}, but {self.manifest.name} is in {wanted}",
                    hint="switch the profile or the role, or correct `account` in the manifest",
                )
        return account

    def plan(self) -> PlanOutcome:
        """What an apply would do, repairs of what Terraform cannot see among it."""
        facts = self.workspace.state_facts()
        known = facts.addresses if facts else frozenset()
        outcome = self._plan(replace=[address for address in self.cloud.repairs() if _bare(address) in known])
        return self._found(outcome, destroy=False)

    def plan_destroy(self) -> PlanOutcome:
        """What a destroy would do."""
        return self._found(self._plan(destroy=True), destroy=True)

    def _found(self, outcome: PlanOutcome, *, destroy: bool) -> PlanOutcome:
        """A plan that has looked for what exists where it is. Raises :class:`SafetyError`."""
        facts = self.workspace.state_facts()
        held = facts.instances if facts else frozenset()
        applied = self.applied_manifest()
        refuse_elsewhere(self.manifest, applied, self.state, held, outcome.stream, destroy=destroy)
        return outcome

    def plan_drift(self) -> PlanOutcome:
        """How the world differs from the manifest, as far as Terraform can see it.

        A plan, not a refresh: a refresh also reports what the provider only learnt after creating something,
        and that is true of every stack right after its apply.
        """
        return self._plan()

    def _plan(self, **options: Any) -> PlanOutcome:
        """Initialise where needed, and plan. What is wrong with the credentials is said before the rest."""
        try:
            if self.session.init():
                self.say("terraform init: done")
            outcome = self.session.plan(**options)
        except TerraformError:
            self.account()
            raise
        self.account()
        return outcome

    @cached_property
    def details(self) -> dict[str, Any]:
        """The plan that lies in the workspace, in full: sensitive values are in clear in it."""
        return self.session.show_plan()

    def summarise(self, outcome: PlanOutcome, *, before: Manifest | None = None, **facts: Any) -> Summary:
        """The plan in words. Terraform is asked for details where the stream has too few.

        ``before`` takes the place of the manifest that was applied, where that is not known.
        """
        planned = outcome.stream.planned
        known = self._known_components()
        unclear = any(_needs_details(change) for change in planned) or needs_details(planned, known)
        details = self.details if unclear else None
        account = self.account()
        names = self.cloud.identifiers(account)
        operation = facts.get("operation", "apply")
        risky = (
            dangers(
                self.manifest,
                self.applied_manifest() or before,
                outcome.stream.planned,
                details,
                operation=operation,
                known=known,
            )
            if operation != "drift"
            else ()
        )
        return summarise(
            self.manifest,
            account,
            outcome,
            details,
            names=names,
            dangers=risky,
            reregistered=self._reregistered() if operation == "apply" else (),
            **facts,
        )

    def _reregistered(self) -> Iterable[register.Reregistered]:
        """What an apply would register with other settings than now, whether or not the cloud changes."""
        if self.manifest.name not in self.state.deployments:
            return ()
        outputs = self.workspace.read_json(self.workspace.outputs)
        return register.reregistered(
            self.state, self.manifest, self.session.outputs() if outputs is None else outputs
        )

    def _known_components(self) -> frozenset[str]:
        """The stores and connectors that the state holds something of."""
        facts = self.workspace.state_facts()
        return frozenset(split_address(address)[1] for address in facts.addresses) if facts else frozenset()

    def apply(self, operation: str, outcome: PlanOutcome) -> dict[str, Any]:
        """Apply the saved plan under the journal's eye; the outputs."""
        self.workspace.keep_copy()
        intent = self._intend(operation, outcome).write(self.workspace)

        def note(process: ProcessId) -> None:
            try:
                intent.advance(self.workspace, "applying", process=process)
            except StateError as error:
                # Terraform runs already and is followed all the same; it would be found by its folder, too.
                self.say(f"could not note that Terraform is at work: {error}")

        # An apply that fails leaves its journal: the next command then looks for what it may have made.
        try:
            stream = self.session.apply(intent.log, note)
        except LockedError:
            close_journal(self.workspace)  # nothing was begun
            raise
        except TerraformError as error:
            if any(diagnostic.summary == _STALE for diagnostic in error.diagnostics):
                close_journal(self.workspace)  # nothing was begun
                raise StalePlanError(
                    "the state was changed while this waited: the plan is no longer of it", hint="plan again"
                ) from error
            blame_credentials(self.cloud, error)
            raise
        intent.advance(self.workspace, "applied", process=None)
        self.session.pull_state()
        self.workspace.keep_copy()
        self.keep_manifest()
        return self.keep_outputs(stream)

    def keep_manifest(self) -> None:
        """Note the manifest as it now holds: protection is judged by it, and ``destroy NAME`` goes by it."""
        self.workspace.write_applied_manifest(dump_manifest(snapshot(self.loaded)))

    def keep_outputs(self, stream: StreamResult) -> dict[str, Any]:
        """The outputs, from the stream of the apply or else from the state, noted in the workspace."""
        outputs = stream.outputs if stream.outputs_seen else self.session.outputs()
        self.workspace.write_json(self.workspace.outputs, outputs)
        return outputs

    def known_outputs(self) -> dict[str, Any]:
        """The outputs of the last apply."""
        outputs = self.workspace.read_json(self.workspace.outputs)
        if outputs is None:
            outputs = self.session.outputs()
            self.workspace.write_json(self.workspace.outputs, outputs)
        known: dict[str, Any] = outputs
        return known

    def register(self, outputs: Mapping[str, Any], outcome: PlanOutcome) -> None:
        """Record what is there now, and by which program it was applied last."""
        deployed = self.state.deployments.get(self.manifest.name)
        kept = deployed.engine if deployed is not None and not outcome.changes else None
        register.register(
            self.state_file,
            register.Applied(
                manifest=self.manifest,
                manifest_path=str(self.loaded.path.absolute()),
                manifest_sha256=self.loaded.sources[0].sha256,
                outputs=outputs,
                workspace=str(self.workspace.path),
                engine=kept or self._engine(outcome),
            ),
        )

    def _engine(self, outcome: PlanOutcome) -> str:
        return outcome.stream.engine or self.session.executable.origin

    def applied_manifest(self) -> Manifest | None:
        """The manifest as it was last applied."""
        path = self.workspace.applied_manifest
        return parse_manifest(path.read_text(encoding="utf-8"), file=str(path)) if path.exists() else None

    def _intend(self, operation: str, outcome: PlanOutcome) -> Journal:
        names = self.cloud.identifiers(self.account())
        facts = self.workspace.state_facts()
        return Journal(
            operation=operation,
            phase="intended",
            started=now(),
            manifest=dump_manifest(snapshot(self.loaded)),
            manifest_path=str(self.loaded.path.absolute()),
            manifest_sha256=self.loaded.sources[0].sha256,
            intents=tuple(
                Intent(change.address, change.action, change.type, names.get(change.address))
                for change in outcome.stream.planned
            ),
            engine=self._engine(outcome),
            log=self.workspace.new_apply_log(),
            account=self.account(),
            serial=facts.serial if facts else None,
        )


def _bare(address: str) -> str:
    """The address of a resource, without the index of its instance."""
    return address.split("[", 1)[0]


def _needs_details(change: Change) -> bool:
    return change.action not in {"create", "delete", "noop", "read"}


def snapshot(loaded: LoadedManifest) -> dict[str, Any]:
    """The manifest complete in itself: what it extends merged into it, its directories absolute."""
    data: dict[str, Any] = loaded.manifest.model_dump(mode="json", exclude_defaults=True, exclude={"extends"})
    if not PROVIDERS[loaded.manifest.provider].scheme:  # buckets are directories
        for store in data["artifact_stores"]:
            if "bucket" in store:
                store["bucket"] = os.path.normpath(Path(loaded.path.parent.absolute(), store["bucket"]))
    return data


def blame_credentials(cloud: Cloud, failure: TerraformError) -> None:
    """Raise :class:`CredentialsError` when an apply failed because they no longer hold."""
    try:
        cloud.account()
    except CredentialsError as error:
        raise CredentialsError(
            f"{error.message}; the apply stopped in the middle and kept its state",
            hint="log in again and run the same command: it goes on from there",
        ) from failure
    except UpstreamError:
        return  # the service has other troubles, of which Terraform has told
