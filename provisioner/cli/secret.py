"""`provision secret`: values go in here, and everything else refers to them. None is ever printed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli.components import MASK, answer, form_option, make_client, table, warn
from provisioner.cli.fields import ANYTHING, Arguments, free_arguments, parse
from provisioner.cli.options import ask, yes_option
from provisioner.errors import InputError
from stacks.sensitive import SECRET_FIELDS

if TYPE_CHECKING:
    from stacks.client import Client

_KNOWN_KEYS = SECRET_FIELDS | {"account_name", "client_id", "tenant_id"}
_NEAR = 0.9  # one letter missing, wrong or too many in a key of ten

_any_keys_option = click.option("--any-keys", is_flag=True, help="Take keys that look misspelt as they are.")


@click.group()
def secret() -> None:
    """Secrets, in an encrypted file; everything else refers to them as {{name.key}}. None is ever printed."""


@secret.command(context_settings=ANYTHING)
@free_arguments("NAME --key=value...")
@_any_keys_option
@form_option
def create(arguments: tuple[str, ...], any_keys: bool, form: str) -> int:
    """Store a new secret. --key=@FILE takes the value from a file, --key=@- from standard input."""
    given = _given(arguments, any_keys=any_keys)
    name = given.name()
    if not given.fields:
        raise InputError(f"secret {name!r} has no values", hint="give at least one: --token=@token.txt")
    client = make_client()
    client.create_secret(name, given.fields)
    warn(given, all_secret=True)
    keys = sorted(given.fields)
    return answer(form, _as_json(client, name), f"Created the secret {name} with {', '.join(keys)}.")


@secret.command("list")
@form_option
def list_secrets(form: str) -> int:
    """The names of all secrets, their keys, and what refers to them."""
    client = make_client()
    found = [_as_json(client, name) for name in client.list_secrets()]
    rows = [(one["name"], ", ".join(one["keys"]), ", ".join(one["used_by"])) for one in found]
    return answer(form, found, table(("name", "keys", "used by"), rows, "There is no secret."))


@secret.command()
@click.argument("name")
@form_option
def get(name: str, form: str) -> int:
    """The keys of a secret, and what refers to it. Its values are masked, always.

    A program reads a value with stacks.Client().get_secret(NAME)[KEY].
    """
    data = _as_json(make_client(), name)
    lines = [f"{key}: {MASK}" for key in data["keys"]]
    if data["used_by"]:
        lines.append(f"used by {', '.join(data['used_by'])}")
    return answer(form, data, "\n".join(lines))


@secret.command(context_settings=ANYTHING)
@free_arguments("NAME [--key=value]...")
@click.option("--remove", "removed", multiple=True, metavar="KEY", help="Take a key out. May be repeated.")
@_any_keys_option
@form_option
def update(arguments: tuple[str, ...], removed: tuple[str, ...], any_keys: bool, form: str) -> int:
    """Set keys of a secret; the others stay."""
    given = _given(arguments, any_keys=any_keys)
    name = given.name()
    if not given.fields and not removed:
        raise InputError("nothing to change was given", hint="write changes as --KEY=@FILE")
    client = make_client()
    held = client.get_secret(name)
    unknown = sorted(set(removed) - set(held))
    if unknown:
        raise InputError(
            f"secret {name!r} has no key {', '.join(unknown)}",
            hint=f"its keys are: {', '.join(sorted(held))}",
        )
    client.update_secret(name, given.fields, remove=removed)
    warn(given, all_secret=True)
    return answer(form, _as_json(client, name), f"Updated the secret {name}.")


@secret.command()
@click.argument("old", metavar="NAME")
@click.argument("new", metavar="NEW_NAME")
@form_option
def rename(old: str, new: str, form: str) -> int:
    """Give a secret another name; refused while something refers to it."""
    client = make_client()
    client.rename_secret(old, new)
    return answer(form, _as_json(client, new), f"Renamed the secret {old} to {new}.")


@secret.command()
@click.argument("name")
@yes_option
@form_option
def delete(name: str, yes: bool, form: str) -> int:
    """Forget a secret, for good; refused while something refers to it."""
    client = make_client()
    client.get_secret(name)
    if not yes and not ask(f"Delete the secret {name}? There is no way back."):
        raise InputError("not deleted: you said no")
    client.delete_secret(name)
    return answer(form, {"deleted": name}, f"Deleted the secret {name}.")


def check_keys(keys: Iterable[str]) -> None:
    """Raises InputError for a key that is one slip away from one that stores and connectors know."""
    for key in keys:
        near = difflib.get_close_matches(key.lower(), _KNOWN_KEYS, n=1, cutoff=_NEAR)
        if not near or key.lower() == near[0] or key.lower().startswith(near[0]) or len(key) < len("sas_tok"):
            continue
        raise InputError(
            f"--{key} looks misspelt: stores and connectors know the key {near[0]}",
            hint=f"write --{near[0]}=…; or add --any-keys if {key} is what you mean",
        )


def _given(arguments: tuple[str, ...], *, any_keys: bool) -> Arguments:
    given = parse(arguments, plain=True)
    if not any_keys:
        check_keys(given.fields)
    for key, value in given.fields.items():
        if not value:
            raise InputError(
                f"--{key} is empty", hint="is the variable or the file that it comes from empty?"
            )
    return given


def _as_json(client: Client, name: str) -> dict[str, Any]:
    """A secret as JSON: its keys, never a value."""
    from stacks.registration.base import users_of_secret

    return {
        "name": name,
        "keys": sorted(client.get_secret(name)),
        "used_by": list(users_of_secret(client.state, name)),
    }
