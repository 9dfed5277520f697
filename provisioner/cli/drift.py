"""`provision drift`: does the cloud still match what was applied?"""

from __future__ import annotations

import click

from provisioner.cli.fleet import FleetOptions, conclude, fleet_options, load_targets, run_fleet
from provisioner.cli.options import engine_options, format_option, reachable, set_option
from provisioner.cli.running import CHANGES, load_target, make_engine, print_results
from provisioner.drifting import drift_by_asking, drift_by_terraform
from provisioner.engine import Engine, Result
from provisioner.manifest import LoadedManifest


@click.command()
@click.argument("targets", nargs=-1, required=True, callback=reachable, metavar="FILE|FOLDER|NAME...")
@click.option("--fast", is_flag=True, help="Ask the cloud itself: seconds less, and needs no Terraform.")
@set_option
@format_option("text", "markdown", "html", "json")
@fleet_options()
@engine_options
def drift(
    targets: tuple[str, ...],
    fast: bool,
    overrides: tuple[str, ...],
    form: str,
    terraform: str | None,
    lock_timeout: int,
    fleet: FleetOptions,
) -> int:
    """Does the cloud still match what was applied? Exit 2 when it does not."""

    def look(engine: Engine, loaded: LoadedManifest) -> Result:
        return drift_by_asking(engine, loaded) if fast else drift_by_terraform(engine, loaded)

    engine = make_engine(terraform, lock_timeout, bare=fast)
    if fleet.for_many(targets):
        finished = run_fleet(
            "drift",
            load_targets(engine, targets, overrides, fleet),
            lambda each, loaded, _confirm: look(each, loaded),
            fleet,
            terraform=terraform,
            lock_timeout=lock_timeout,
            changes_code=CHANGES,
            bare=fast,
        )
        return conclude(finished, form)
    found = [load_target(engine, target, overrides) for target in targets]
    results = [look(engine, loaded) for loaded in found]
    print_results(found, results, form)
    return CHANGES if any(result.changed for result in results) else 0
