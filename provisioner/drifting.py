"""Does the cloud still match what was applied? Asked of Terraform, or of the cloud itself."""

from __future__ import annotations

from provisioner.backends import place_of
from provisioner.engine import Engine, Result
from provisioner.errors import InputError, UnfinishedRunError
from provisioner.live.drift import fast_drift, uninvited
from provisioner.manifest import LoadedManifest, load_manifest
from provisioner.since import dated
from provisioner.summary import Summary
from provisioner.work import snapshot


def drift_by_terraform(engine: Engine, loaded: LoadedManifest) -> Result:
    """How the cloud differs from what was last applied, whatever the manifest says by now."""
    name = loaded.manifest.name
    if engine.workspace(name).journal.exists():
        engine.recover(name, push_state=False)  # what was applied is known only then
    with engine.opened(_applied(engine, loaded)) as work:
        outcome = work.plan_drift()
        unseen = work.cloud.deviations() if work.cloud.repairs() else []
        unseen += uninvited(work.workspace, work.manifest)
        return _dated(engine, work.summarise(outcome, operation="drift", deviations=unseen))


def drift_by_asking(engine: Engine, loaded: LoadedManifest) -> Result:
    """The same question, put to the cloud's SDK instead of Terraform, which need not be there.

    Raises :class:`UnfinishedRunError` after a run that was cut off: what was applied is not known then.
    """
    name = loaded.manifest.name
    workspace, applied = engine.workspace(name), _applied(engine, loaded)
    if workspace.journal.exists():
        raise UnfinishedRunError(
            f"an earlier run on {name} has not come to its end", hint=f"run: provision recover {name}"
        )
    if place_of(applied.manifest) is not None:
        engine.say(
            "compared with Terraform's state as this machine saw it last; if it was applied elsewhere since, "
            "look without --fast"
        )
    found = fast_drift(engine.state_file, workspace, applied.manifest)
    for what in found.unread:
        engine.say(f"not looked at: {what}")
    return _dated(engine, found.summary)


def _dated(engine: Engine, summary: Summary) -> Result:
    deployed = engine.state_file.read().deployments.get(summary.stack)
    summary = dated(engine.workspace(summary.stack), deployed.applied_at if deployed else None, summary)
    return Result(summary, summary.drifted, done=False)


def _applied(engine: Engine, loaded: LoadedManifest) -> LoadedManifest:
    """The manifest as it was last applied, which is what a cloud can have drifted from."""
    path = engine.workspace(loaded.manifest.name).applied_manifest
    if not path.is_file() and place_of(loaded.manifest) is not None:
        engine.say("what was applied is not noted on this machine: compared is the manifest")
        return loaded
    if not path.is_file():
        raise InputError(
            f"{loaded.manifest.name} has not been applied yet", hint=f"run: provision apply {loaded.path}"
        )
    applied = load_manifest(path)
    if snapshot(applied) != snapshot(loaded):
        engine.say(f"{loaded.path} has changes that are not applied: compared is what was applied")
    return applied
