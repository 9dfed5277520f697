"""Bind a plan to what it was made from, and take a bound plan over to be applied."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from provisioner import __version__
from provisioner.bundle.applier import VARIABLE, other_applier, tell_planner
from provisioner.bundle.archive import LOCK, PLAN, SUMMARY
from provisioner.bundle.contents import Bundle
from provisioner.bundle.plan_file import PlanFile, read_plan_file
from provisioner.bundle.present import (
    Present,
    differences,
    locked_providers,
    manifest_inputs,
)
from provisioner.bundle.record import EngineFacts, PlannedChange, Record, StateIdentity, as_bytes, digests
from provisioner.bundle.repository import revision_of
from provisioner.errors import ProvisionError, StalePlanError
from provisioner.journal import now
from provisioner.render import MACHINE_VARIABLES, render
from provisioner.summary import Summary
from provisioner.terraform.session import PlanOutcome
from provisioner.terraform.stream import Change, StreamResult
from provisioner.work import Work
from stacks.state.files import read_private, write_private

_ACTIONS = {"no-op": "noop", "forget": "remove"}
_AGAIN = "plan again, and have that reviewed: provision plan {} --out BUNDLE"


def seal(
    work: Work, outcome: PlanOutcome, summary: Summary, operation: Literal["apply", "destroy"]
) -> Bundle:
    """The plan that was just made, bound to everything it depends on.

    Raises :class:`ProvisionError` when the plan does not hold what was rendered, which nothing but somebody
    at work in the workspace can bring about.
    """
    plan = read_private(work.workspace.plan) or b""
    lock = read_private(work.workspace.lock_file)
    summary_bytes = as_bytes(summary.to_json())
    files = {PLAN: plan, SUMMARY: summary_bytes} | ({LOCK: lock} if lock is not None else {})
    inside = read_plan_file(plan)
    if inside.configuration != _configuration(work, inside):
        raise ProvisionError("somebody changed the workspace while the plan was made", hint="plan again")
    record = Record(
        format=1,
        product=__version__,
        planned_at=now(),
        stack=work.manifest.name,
        operation=operation,
        account=work.account(),
        engine=EngineFacts(
            program=outcome.stream.program,
            version=outcome.stream.version or work.session.version(),
            kind="engine extra" if work.session.executable.origin == "engine extra" else "binary",
        ),
        providers=locked_providers(lock),
        manifest=manifest_inputs(work.loaded),
        rendering=_rendering(work),
        revision=revision_of(work.loaded.path.parent, [source.path for source in work.loaded.sources]),
        state=inside.state,
        changes=_planned(work.details),
        files=digests(files),
    )
    return Bundle(
        name="the bundle",
        record=record,
        record_bytes=record.to_bytes(),
        plan=plan,
        lock=lock,
        summary=json.loads(summary_bytes),
        summary_bytes=summary_bytes,
    )


def bound_to_planner(work: Work, summary: Summary) -> Summary:
    """The summary with what is true of a plan that is kept: where a connector is for whoever applies it."""
    return tell_planner(work.manifest, summary, _variables(work))


def refuse_unavailable(bundle: Bundle) -> None:
    """Refuse a plan whose providers this machine cannot have, before Terraform looks for them.

    Raises :class:`StalePlanError`.
    """
    _refuse(bundle, _not_in_mirror(bundle.record.providers))


def take_over(work: Work, bundle: Bundle, *, any_commit: bool = False) -> PlanOutcome:
    """Put a bundle's plan into the workspace, ready to be applied, once nothing speaks against it.

    Raises :class:`StalePlanError`, naming everything that is not as it was reviewed.
    """
    record = bundle.record
    present = Present(
        stack=work.manifest.name,
        manifest=manifest_inputs(work.loaded),
        rendering=_rendering(work),
        engine_version=work.session.version(),
        lock=read_private(work.workspace.lock_file),
        revision=revision_of(work.loaded.path.parent, ()),
        state=_state(work),
    )
    found = differences(record, bundle.lock, present, any_commit=any_commit)
    inside = read_plan_file(bundle.plan)
    if inside.state != record.state:
        found.append("the plan file: it was made for another state than its record says")
    if inside.configuration != _configuration(work, inside):
        found.append("the plan file: its own configuration is not what the manifest renders to")
    _refuse(bundle, found)
    if bundle.lock is not None:
        write_private(work.workspace.lock_file, bundle.lock)
    write_private(work.workspace.plan, bundle.plan)
    if work.session.init():
        work.say("terraform init: done")
    _refuse(bundle, _inside(work, record))
    stream = StreamResult(version=record.engine.version, program=record.engine.program)
    stream.planned = [
        Change(item["address"], item["type"], _action(item))
        for item in work.details.get("resource_changes", ())
        if _action(item) != "noop"
    ]
    return PlanOutcome(bool(work.details.get("applyable", True)) and _changes(work.details), stream)


def _refuse(bundle: Bundle, found: list[str]) -> None:
    if not found:
        return
    listed = f" {found[0]}" if len(found) == 1 else "".join(f"\n  - {text}" for text in found)
    raise StalePlanError(
        f"{bundle.name} is not applied, for something is not as it was reviewed:{listed}",
        hint=_AGAIN.format(bundle.record.manifest.path),
    )


def _inside(work: Work, record: Record) -> list[str]:
    """What the plan itself says it would do, with which values: not what its record says of it."""
    found = []
    planned = {name: item.get("value") for name, item in work.details.get("variables", {}).items()}
    wanted = _variables(work)
    if record.operation != "destroy":  # which trusts nobody
        found += other_applier(work.manifest, planned, wanted)
    for name in sorted({*planned, *wanted} - {VARIABLE}):
        if planned.get(name) != wanted.get(name):
            found += [f"the values: {text}" for text in _values(name, planned.get(name), wanted.get(name))]
    if _planned(work.details) != record.changes:
        found.append("the plan file: it would change other resources than its record says")
    account = work.account()
    if account != record.account:
        found.append(f"the account: reviewed was {record.account}, the credentials belong to {account}")
    return found


def _values(name: str, reviewed: Any, found: Any) -> list[str]:
    if isinstance(reviewed, Mapping) and isinstance(found, Mapping):
        return [
            text
            for key in sorted({*reviewed, *found})
            if reviewed.get(key) != found.get(key)
            for text in _values(f"{name}.{key}", reviewed.get(key), found.get(key))
        ]
    return [f"{name} was {json.dumps(reviewed)}, here it would be {json.dumps(found)}"]


def _planned(details: Mapping[str, Any]) -> list[PlannedChange]:
    changes = [(item["address"], _action(item)) for item in details.get("resource_changes", ())]
    return [
        PlannedChange(address=address, action=action)
        for address, action in sorted(changes)
        if action not in {"noop", "read"}
    ]


def _action(item: Mapping[str, Any]) -> str:
    """The one word of Terraform's stream for the list in its plans."""
    actions = item["change"]["actions"]
    if len(actions) > 1:
        return "replace"
    action = _ACTIONS.get(actions[0], str(actions[0]))
    return "move" if action == "noop" and "previous_address" in item else action


def _changes(details: Mapping[str, Any]) -> bool:
    outputs = details.get("output_changes", {}).values()
    return bool(_planned(details)) or any(output["actions"] != ["no-op"] for output in outputs)


def _state(work: Work) -> StateIdentity | None:
    facts = work.workspace.state_facts()
    return StateIdentity(lineage=facts.lineage, serial=facts.serial) if facts else None


def _rendering(work: Work) -> dict[str, str]:
    return digests({name: text.encode() for name, text in render(work.manifest).items()})


def _configuration(work: Work, inside: PlanFile) -> dict[str, str]:
    """What a plan of this rendering has as its configuration: the root, and the modules that it calls."""
    root = work.workspace.root
    called = {str(PurePosixPath(name).parent) for name in inside.configuration} | {"."}
    rendered = {name: text.encode() for name, text in render(work.manifest).items() if name.endswith(".tf")}
    beside = {path.name: path.read_bytes() for path in root.glob("*.tf")}
    files = {name: content for name, content in rendered.items() if str(PurePosixPath(name).parent) in called}
    return digests(files | beside)


def _variables(work: Work) -> dict[str, Any]:
    """The values of the variables: those of the manifest, and those that only this machine knows."""
    root = work.workspace.root
    values = json.loads((root / "terraform.tfvars.json").read_bytes())
    return {**values, **(work.workspace.read_json(root / MACHINE_VARIABLES) or {})}


def _not_in_mirror(providers: Mapping[str, str]) -> list[str]:
    """The reviewed providers that the mirror of this machine does not hold."""
    mirror = os.environ.get("PROVISION_PLUGIN_MIRROR")
    if not mirror:
        return []
    found = []
    for name, version in sorted(providers.items()):
        folder = Path(mirror).expanduser() / name
        packed = f"terraform-provider-{folder.name}_{version}_*.zip"
        if not (folder / version).is_dir() and not list(folder.glob(packed)):
            found.append(f"the provider {name}: reviewed with {version}, which is not in {mirror}")
    return found
