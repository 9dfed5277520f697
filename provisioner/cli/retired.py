"""Commands of the documentation that users come from which have no counterpart: what to write instead."""

from __future__ import annotations

import click

from provisioner.cli.fields import ANYTHING, free_arguments
from provisioner.cli.secret import check_keys
from provisioner.errors import InputError

_NOT_NEEDED = "there is no secrets manager to register: secrets are kept in an encrypted file by themselves"


@click.group("secrets-manager", hidden=True, invoke_without_command=True)
@click.pass_context
def secrets_manager(context: click.Context) -> None:
    """What became of secrets managers."""
    if context.invoked_subcommand is None:
        raise InputError(_NOT_NEEDED, hint="put values in with: provision secret create NAME --KEY=@FILE")


@secrets_manager.command(context_settings=ANYTHING)
@free_arguments("")
def register(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever they are, the answer is the same
    """Not needed any more."""
    raise InputError(
        _NOT_NEEDED,
        hint="leave this line out, and create secrets with: provision secret create NAME --KEY=@FILE",
    )


@secrets_manager.group()
def secret() -> None:
    """Moved to `provision secret`."""


@secret.command("register", context_settings=ANYTHING)
@free_arguments("NAME [--key=value]...")
@click.option("-s", "--schema", hidden=True)
def register_secret(arguments: tuple[str, ...], schema: str | None) -> None:
    """Moved to `provision secret create`."""
    name = next((one for one in arguments if not one.startswith("-")), "NAME")
    keys = [one.lstrip("-").partition("=")[0] for one in arguments if one.startswith("--")]
    spelt, problem = [], ""
    for key in keys:
        try:
            check_keys([key])
        except InputError as error:
            problem = f"; {error}"
            key = str(error).rsplit(" ", 1)[1]  # noqa: PLW2901 - the key as it should be written
        spelt.append(f"--{key}=@FILE")
    surplus = f", without -s {schema}: a secret has no schema" if schema else ""
    raise InputError(
        f"secrets have a command of their own now{problem}",
        hint=f"write: provision secret create {name} {' '.join(spelt) or '--KEY=@FILE'}{surplus}",
    )
