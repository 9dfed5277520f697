"""`provision drift`: does the cloud still match what was applied?"""

from __future__ import annotations

import click

from provisioner.cli.fleet import FleetOptions, fleet_options, load_targets, print_fleet, run_fleet
from provisioner.cli.options import engine_options, format_option, set_option
from provisioner.cli.running import CHANGES, load_target, make_engine, print_summaries


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="FILE|FOLDER|NAME...")
@set_option
@format_option("text", "json")
@fleet_options()
@engine_options
def drift(
    targets: tuple[str, ...],
    overrides: tuple[str, ...],
    form: str,
    terraform: str | None,
    lock_timeout: int,
    fleet: FleetOptions,
) -> int:
    """Does the cloud still match what was applied? Exit 2 when it does not."""
    engine = make_engine(terraform, lock_timeout)
    if fleet.for_many(targets):
        finished = run_fleet(
            "drift",
            load_targets(engine, targets, overrides, fleet),
            lambda each, loaded, _confirm: each.drift(loaded),
            fleet,
            terraform=terraform,
            lock_timeout=lock_timeout,
            changes_code=CHANGES,
        )
        print_fleet(finished, form)
        return finished.exit_code
    results = [engine.drift(load_target(engine, target, overrides)) for target in targets]
    print_summaries([result.summary for result in results], form)
    return CHANGES if any(result.changed for result in results) else 0
