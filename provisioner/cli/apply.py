"""`provision apply`: plan, confirm, apply, register and verify."""

from __future__ import annotations

from dataclasses import replace

import click

from provisioner.cli.bundles import Applier, applying_options
from provisioner.cli.fleet import FleetOptions, conclude, fleet_options, load_places, run_fleet
from provisioner.cli.options import engine_options, existing_place, policy_option, say, set_option, yes_option
from provisioner.cli.running import confirm_on_terminal, load_all, make_engine
from provisioner.cli.show import plan_text
from provisioner.engine import Engine
from provisioner.errors import InputError
from provisioner.fleet.changed import Chosen
from provisioner.manifest import LoadedManifest


@click.command()
@click.argument("files", nargs=-1, callback=existing_place, metavar="[FILE|FOLDER...]")
@click.option("--no-verify", is_flag=True, help="Do not try out the stores with the connector's credentials.")
@click.option(
    "--migrate-state",
    is_flag=True,
    help="Move Terraform's state first, if the manifest has it at another place than before.",
)
@set_option
@yes_option
@applying_options
@policy_option
@fleet_options()
@engine_options
def apply(
    files: tuple[str, ...],
    no_verify: bool,
    migrate_state: bool,
    overrides: tuple[str, ...],
    yes: bool,
    plan_path: str | None,
    destroy: bool,
    require_signature: tuple[str, ...],
    any_commit: bool,
    terraform: str | None,
    lock_timeout: int,
    fleet: FleetOptions,
) -> int:
    """Plan, confirm, apply, register and verify; or, with --plan, apply what was planned and reviewed."""
    if not files and plan_path is None:
        raise InputError("which stack?", hint="name a manifest, a folder of them, or a bundle with --plan")
    applier = Applier.create(plan_path, require_signature, destroy=destroy, any_commit=any_commit)
    many = fleet.for_many(files) if files else len(applier.bundles or ()) > 1
    if many:
        chosen = (
            load_places(files, overrides, fleet)
            if files
            else Chosen(tuple(applier.manifests(overrides)), 0, ())
        )
        finished = run_fleet(
            "apply",
            chosen,
            lambda engine, loaded, confirm: applier.apply(
                replace(engine, migrate_state=migrate_state), loaded, confirm=confirm, verify=not no_verify
            ),
            fleet,
            terraform=terraform,
            lock_timeout=lock_timeout,
            question=None if yes else f"{'Destroy' if destroy else 'Apply'} these {{}} stacks?",
        )
        return conclude(finished, "text")
    engine = replace(make_engine(terraform, lock_timeout), migrate_state=migrate_state)
    found = load_all(files, applier.overrides(None, overrides)) if files else applier.manifests(overrides)
    for loaded in found:
        apply_one(engine, loaded, yes=yes, verify=not no_verify, applier=applier)
    return 0


def apply_one(
    engine: Engine, loaded: LoadedManifest, *, yes: bool, verify: bool, applier: Applier | None = None
) -> None:
    """Apply one manifest and say what came of it.

    Raises :class:`InputError` when the user does not agree.
    """
    applier = applier or Applier(None)
    does = "Destroy" if applier.destroy else "Apply"
    confirm = confirm_on_terminal(f"{does} this?", yes=yes)
    result = applier.apply(engine, loaded, confirm=confirm, verify=verify)
    if not result.done:
        raise InputError("not applied: you said no")
    if applier.destroy:
        click.echo(f"Destroyed and deregistered {loaded.manifest.name}.")
        return
    for sentence in result.probes:
        say(f"verified {sentence}")
    if not result.changed:
        click.echo(plan_text(result.summary))
        return
    state = engine.state_file.read()
    stores = ", ".join(
        f"{store.name} ({state.artifact_store(store.name).path})" for store in loaded.manifest.artifact_stores
    )
    active = " and made active" if state.active_stack == loaded.manifest.name else ""
    click.echo(f"Applied {loaded.manifest.name}: {stores}. The stack is registered{active}.")
