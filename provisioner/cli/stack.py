"""`provision stack`: what programs and pipelines work with, a store and an orchestrator under one name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from provisioner.cli.components import answer, details, form_option, make_client, stack_json, table
from provisioner.cli.options import print_json, say, yes_option
from provisioner.errors import InputError

_ORCHESTRATORS = ("default",)
_CURRENT = "current"


def _orchestrator(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and value not in _ORCHESTRATORS:
        raise InputError(
            f"there is no orchestrator {value!r}",
            hint=f"there is: {', '.join(_ORCHESTRATORS)} (this process)",
        )
    return value


def _no_secrets_manager(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise InputError(
            f"a stack has no secrets manager: -x {value} is not needed",
            hint=f"leave `-x {value}` away; `provision secret create NAME --key=@FILE` keeps secrets, "
            "and every store finds them by name",
        )


def _no_extras(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    for extra in value:
        if extra in {"...", "…"}:
            raise InputError(
                f"{extra!r} is no argument: in a text it stands for options that were left out",
                hint=f"leave {extra!r} away",
            )
        raise InputError(f"{extra!r} is one argument too many", hint="see: provision stack --help")


def _parts(*, store_required: bool) -> Callable[[Any], Any]:
    """The options that say what a stack is made of."""

    def decorate(command: Any) -> Any:
        for option in (
            click.argument("extras", nargs=-1, callback=_no_extras, expose_value=False, metavar=""),
            click.option(
                "-x", "--secrets-manager", callback=_no_secrets_manager, expose_value=False, hidden=True
            ),
            click.option(
                "-o",
                "--orchestrator",
                callback=_orchestrator,
                metavar="ORCHESTRATOR",
                help="default: this process.",
            ),
            click.option(
                "-a",
                "--artifact-store",
                "store",
                required=store_required,
                metavar="STORE",
                help="Its artifact store.",
            ),
        ):
            command = option(command)
        return command

    return decorate


@click.group()
def stack() -> None:
    """Stacks: what programs and pipelines work with. In place of a NAME, `current` is the active one."""


@stack.command()
@click.argument("name")
@_parts(store_required=True)
@click.option("--set", "activate", is_flag=True, help="Make it the active stack.")
@form_option
def register(name: str, store: str, orchestrator: str | None, activate: bool, form: str) -> int:
    """Register a stack."""
    client = make_client()
    record = client.register_stack(name, store, orchestrator or _ORCHESTRATORS[0], activate=activate)
    text = (
        f"Registered stack {name} with the artifact store {store}{' and made it active' if activate else ''}."
    )
    return answer(form, stack_json(record, client.state), text)


@stack.command("set")
@click.argument("name")
@form_option
def set_stack(name: str, form: str) -> int:
    """Make a stack the active one."""
    client = make_client()
    client.set_active_stack(name)
    return answer(form, stack_json(client.describe_stack(name), client.state), f"The active stack is {name}.")


@stack.command()
@form_option
def get(form: str) -> int:
    """The name of the active stack."""
    client = make_client()
    name = client.active_stack_name
    return answer(form, stack_json(client.describe_stack(name), client.state), name)


@stack.command("list")
@form_option
def list_stacks(form: str) -> int:
    """All stacks."""
    client = make_client()
    state = client.state
    found = [stack_json(record, state) for record in client.list_stacks()]
    rows = [
        (f"{one['name']}{' (active)' if one['active'] else ''}", one["artifact_store"], one["orchestrator"])
        for one in found
    ]
    return answer(
        form, found, table(("name", "artifact store", "orchestrator"), rows, "No stack is registered.")
    )


@stack.command()
@click.argument("name", default=_CURRENT, metavar="[NAME]")
@form_option
def describe(name: str, form: str) -> int:
    """One stack, by default the active one."""
    client = make_client()
    data = stack_json(client.describe_stack(name), client.state)
    return answer(form, data, details(data))


@stack.command()
@click.argument("name")
@_parts(store_required=False)
@form_option
def update(name: str, store: str | None, orchestrator: str | None, form: str) -> int:
    """Give a stack another artifact store or orchestrator."""
    if store is None and orchestrator is None:
        raise InputError("nothing to change was given", hint="give -a STORE")
    client = make_client()
    record = client.update_stack(name, artifact_store=store, orchestrator=orchestrator)
    return answer(
        form,
        stack_json(record, client.state),
        f"Updated stack {record.name}: artifact store {record.artifact_store}.",
    )


@stack.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@form_option
def copy(source: str, target: str, form: str) -> int:
    """Register a second stack of the same components."""
    client = make_client()
    record = client.copy_stack(source, target)
    return answer(form, stack_json(record, client.state), f"Copied stack {source} to {target}.")


@stack.command()
@click.argument("old", metavar="NAME")
@click.argument("new", metavar="NEW_NAME")
@form_option
def rename(old: str, new: str, form: str) -> int:
    """Give a stack another name; active, if it was."""
    client = make_client()
    client.rename_stack(old, new)
    return answer(
        form, stack_json(client.describe_stack(new), client.state), f"Renamed stack {old} to {new}."
    )


@stack.command("export")
@click.argument("name", default=_CURRENT, metavar="[NAME]")
@click.argument("file", required=False)
def export_stack(name: str, file: str | None) -> int:
    """Write a stack and its components as JSON, to FILE or to stdout. Secrets stay references."""
    document = make_client().export_stack(name)
    if file is None:
        print_json(document)
        return 0
    try:
        with Path(file).open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}", hint="name a new file") from error
    say(f"wrote {file}")
    return 0


@stack.command("import")
@click.argument("file")
@click.option("--name", metavar="NAME", help="Register it under this name instead.")
@form_option
def import_stack(file: str, name: str | None, form: str) -> int:
    """Register the stack that `export` wrote, from FILE or, with -, from standard input."""
    from stacks.secrets import references

    client = make_client()
    record = client.import_stack(_document(file), name)
    state = client.state
    store = state.artifact_store(record.artifact_store)
    connector = state.connector(store.connector) if store.connector else None
    needed = references(store.config) | references(connector.config if connector else {})
    needed |= {one.authentication_secret for one in (store, connector) if one and one.authentication_secret}
    for secret in sorted(needed - set(client.list_secrets())):
        create = f"provision secret create {secret} --KEY=@FILE"
        say(f"warning: it needs the secret {secret}, which is not here: {create}")
    return answer(form, stack_json(record, state), f"Imported stack {record.name}.")


@stack.command()
@click.argument("name")
@yes_option
@form_option
def delete(name: str, yes: bool, form: str) -> int:  # noqa: ARG001 - taken for scripts that say it everywhere
    """Forget a stack; its components stay. Refused for the active one."""
    make_client().delete_stack(name)
    return answer(form, {"deleted": name}, f"Deleted the stack {name}; its components stay.")


def _document(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}", hint="name a file of `stack export`"
        ) from None
    except ValueError:
        raise InputError(
            f"{file} is not JSON", hint="make one with: provision stack export NAME FILE"
        ) from None
    if not isinstance(document, dict):
        raise InputError(
            f"{file} is no exported stack", hint="make one with: provision stack export NAME FILE"
        )
    return document
