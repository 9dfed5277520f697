"""`provision plan`: what an apply would change."""

from __future__ import annotations

import click

from provisioner.cli.options import engine_options, existing_file, format_option, set_option
from provisioner.cli.running import CHANGES, load_all, make_engine, print_summaries


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_file)
@click.option("--destroy", is_flag=True, help="Show what a destroy would do instead.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@set_option
@format_option("text", "json")
@engine_options
def plan(
    files: tuple[str, ...],
    destroy: bool,
    detailed_exitcode: bool,
    overrides: tuple[str, ...],
    form: str,
    terraform: str | None,
    lock_timeout: int,
) -> int:
    """Show what an apply would change; nothing is changed."""
    engine = make_engine(terraform, lock_timeout)
    results = [engine.plan(loaded, destroy=destroy) for loaded in load_all(files, overrides)]
    print_summaries([result.summary for result in results], form)
    return CHANGES if detailed_exitcode and any(result.changed for result in results) else 0
