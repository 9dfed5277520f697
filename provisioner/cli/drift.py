"""`provision drift`: does the cloud still match what was applied?"""

from __future__ import annotations

import click

from provisioner.cli.options import engine_options, format_option, set_option
from provisioner.cli.running import CHANGES, load_target, make_engine, print_summaries


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="FILE|NAME...")
@set_option
@format_option("text", "json")
@engine_options
def drift(
    targets: tuple[str, ...], overrides: tuple[str, ...], form: str, terraform: str | None, lock_timeout: int
) -> int:
    """Does the cloud still match what was applied? Exit 2 when it does not."""
    engine = make_engine(terraform, lock_timeout)
    results = [engine.drift(load_target(engine, target, overrides)) for target in targets]
    print_summaries([result.summary for result in results], form)
    return CHANGES if any(result.changed for result in results) else 0
