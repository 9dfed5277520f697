"""`provision completion`: the script that a shell sources."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from provisioner.cli.completing import SHELLS, STORE_VARIABLE, VARIABLE

_PROGRAMS = (("provision", VARIABLE), ("artifact-store", STORE_VARIABLE))


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion of both programs for a shell: source it, or put it where the shell looks."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    for program, variable in _PROGRAMS:
        script = kind(click.Group(program), {}, program, variable)
        # Its own `source` would run the shell to look at its version; whoever asks has that shell.
        click.echo(script.source_template % script.source_vars())
