"""`provision plan`: what an apply would change."""

from __future__ import annotations

import click

from provisioner.cli.bundles import Keeper, keeping_options
from provisioner.cli.fleet import FleetOptions, conclude, fleet_options, load_places, run_fleet
from provisioner.cli.options import engine_options, existing_place, format_option, policy_option, set_option
from provisioner.cli.running import CHANGES, load_all, make_engine, print_results
from provisioner.errors import SafetyError


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_place, metavar="FILE|FOLDER...")
@click.option("--destroy", is_flag=True, help="Show what a destroy would do instead.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@set_option
@format_option("text", "markdown", "html", "json", "github")
@keeping_options
@policy_option
@fleet_options()
@engine_options
def plan(
    files: tuple[str, ...],
    destroy: bool,
    detailed_exitcode: bool,
    overrides: tuple[str, ...],
    form: str,
    out: str | None,
    sign_with: str | None,
    terraform: str | None,
    lock_timeout: int,
    fleet: FleetOptions,
) -> int:
    """Show what an apply would change; nothing is changed."""
    code = CHANGES if detailed_exitcode else 0
    keeper = Keeper.create(out, sign_with, many=fleet.for_many(files), revision=fleet.revision)
    if fleet.for_many(files):
        finished = run_fleet(
            "plan",
            load_places(files, overrides, fleet),
            lambda engine, loaded, _confirm: keeper.plan(engine, loaded, destroy=destroy),
            fleet,
            terraform=terraform,
            lock_timeout=lock_timeout,
            changes_code=code,
        )
        return conclude(finished, form)
    engine = make_engine(terraform, lock_timeout)
    found = load_all(files, overrides)
    results = [keeper.plan(engine, loaded, destroy=destroy) for loaded in found]
    print_results(found, results, form)
    if any(result.summary.denied for result in results):
        return SafetyError.exit_code
    return code if any(result.changed for result in results) else 0
