"""`provision recover`: after a crash, what is known, what is missing, and what will be done about it."""

from __future__ import annotations

import click

from provisioner.cli.options import ask, engine_options, yes_option
from provisioner.cli.running import make_engine
from provisioner.errors import InputError


@click.command()
@click.argument("name")
@click.option(
    "--force-unlock",
    metavar="LOCK",
    help="End this lock of a remote state: only when the run that holds it is known to be dead.",
)
@yes_option
@engine_options
def recover(name: str, force_unlock: str | None, yes: bool, terraform: str | None, lock_timeout: int) -> int:
    """After a crash: what is known, what is missing, and what will be done about it."""
    from provisioner.recover import examine

    engine = make_engine(terraform, lock_timeout)
    workspace = engine.workspace(name)
    if not workspace.path.is_dir():
        raise InputError(f"nothing is known of a stack named {name!r} here", hint="see: provision status")
    findings = examine(workspace)
    for sentence in findings.sentences(workspace):
        click.echo(sentence)
    if findings.nothing and force_unlock is None:
        return 0
    if not yes and not ask("Do this?"):
        raise InputError("not recovered: you said no")
    engine.recover(name, unlock=force_unlock)
    click.echo(f"Recovered {name}. Run `provision apply` or `provision destroy` to go on.")
    return 0
