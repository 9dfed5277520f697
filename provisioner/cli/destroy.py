"""`provision destroy`: tear down what a manifest made, then deregister it."""

from __future__ import annotations

import click

from provisioner.cli.fleet import FleetOptions, conclude, fleet_options, load_targets, run_fleet
from provisioner.cli.options import engine_options, policy_option, reachable, set_option, yes_option
from provisioner.cli.running import confirm_on_terminal, load_target, make_engine
from provisioner.engine import Engine
from provisioner.errors import InputError
from provisioner.manifest import LoadedManifest


@click.command()
@click.argument("targets", nargs=-1, required=True, callback=reachable, metavar="FILE|FOLDER|NAME...")
@click.option("--force-nonempty", is_flag=True, help="Delete the objects and versions in the buckets, too.")
@set_option
@yes_option
@policy_option
@fleet_options(revision=False)
@engine_options
def destroy(
    targets: tuple[str, ...],
    force_nonempty: bool,
    overrides: tuple[str, ...],
    yes: bool,
    terraform: str | None,
    lock_timeout: int,
    fleet: FleetOptions,
) -> int:
    """Tear down what a manifest made, then deregister it."""
    engine = make_engine(terraform, lock_timeout)
    if fleet.for_many(targets):
        finished = run_fleet(
            "destroy",
            load_targets(engine, targets, overrides, fleet),
            lambda each, loaded, confirm: each.destroy(
                loaded, confirm=confirm, force_nonempty=force_nonempty
            ),
            fleet,
            terraform=terraform,
            lock_timeout=lock_timeout,
            question=None if yes else "Destroy these {} stacks?",
        )
        return conclude(finished, "text")
    for target in targets:
        loaded = load_target(engine, target, overrides)
        destroy_one(engine, loaded, yes=yes, force_nonempty=force_nonempty)
    return 0


def destroy_one(engine: Engine, loaded: LoadedManifest, *, yes: bool, force_nonempty: bool) -> None:
    """Destroy one stack and say so.

    Raises :class:`InputError` when the user does not agree.
    """
    confirm = confirm_on_terminal(f"Destroy {loaded.manifest.name}?", yes=yes)
    result = engine.destroy(loaded, confirm=confirm, force_nonempty=force_nonempty)
    if not result.done:
        raise InputError("not destroyed: you said no")
    click.echo(f"Destroyed and deregistered {loaded.manifest.name}.")
