"""`provision apply`: plan, confirm, apply, register and verify."""

from __future__ import annotations

import click

from provisioner.cli.fleet import FleetOptions, fleet_options, load_places, print_fleet, run_fleet
from provisioner.cli.options import engine_options, existing_place, say, set_option, yes_option
from provisioner.cli.running import confirm_on_terminal, load_all, make_engine
from provisioner.cli.show import plan_text
from provisioner.engine import Engine
from provisioner.errors import InputError
from provisioner.manifest import LoadedManifest


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_place, metavar="FILE|FOLDER...")
@click.option("--no-verify", is_flag=True, help="Do not try out the stores with the connector's credentials.")
@set_option
@yes_option
@fleet_options()
@engine_options
def apply(
    files: tuple[str, ...],
    no_verify: bool,
    overrides: tuple[str, ...],
    yes: bool,
    terraform: str | None,
    lock_timeout: int,
    fleet: FleetOptions,
) -> int:
    """Plan, confirm, apply, register and verify."""
    if fleet.for_many(files):
        finished = run_fleet(
            "apply",
            load_places(files, overrides, fleet),
            lambda engine, loaded, confirm: engine.apply(loaded, confirm=confirm, verify=not no_verify),
            fleet,
            terraform=terraform,
            lock_timeout=lock_timeout,
            question=None if yes else "Apply these {} stacks?",
        )
        print_fleet(finished, "text")
        return finished.exit_code
    engine = make_engine(terraform, lock_timeout)
    for loaded in load_all(files, overrides):
        apply_one(engine, loaded, yes=yes, verify=not no_verify)
    return 0


def apply_one(engine: Engine, loaded: LoadedManifest, *, yes: bool, verify: bool) -> None:
    """Apply one manifest and say what came of it.

    Raises :class:`InputError` when the user does not agree.
    """
    result = engine.apply(loaded, confirm=confirm_on_terminal("Apply this?", yes=yes), verify=verify)
    if not result.done:
        raise InputError("not applied: you said no")
    if not result.changed:
        click.echo(plan_text(result.summary))
        return
    for sentence in result.probes:
        say(f"verified {sentence}")
    state = engine.state_file.read()
    stores = ", ".join(
        f"{store.name} ({state.artifact_store(store.name).path})" for store in loaded.manifest.artifact_stores
    )
    active = " and made active" if state.active_stack == loaded.manifest.name else ""
    click.echo(f"Applied {loaded.manifest.name}: {stores}. The stack is registered{active}.")
