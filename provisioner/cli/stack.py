"""`provision stack`: what programs and pipelines work with, a store and an orchestrator under one name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from provisioner.cli.components import answer, details, form_option, make_client, stack_json, table
from provisioner.cli.lazy import LazyGroup
from provisioner.cli.options import yes_option
from provisioner.errors import InputError

_ORCHESTRATORS = ("default",)
CURRENT = "current"
_HERE = "provisioner.cli.stack"


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


@click.group(
    cls=LazyGroup,
    commands_by_path={
        "register": (f"{_HERE}:register", "Register a stack."),
        "set": (f"{_HERE}:set_stack", "Make a stack the active one."),
        "get": (f"{_HERE}:get", "The name of the active stack."),
        "list": (f"{_HERE}:list_stacks", "All stacks."),
        "describe": (f"{_HERE}:describe", "One stack, by default the active one."),
        "update": (f"{_HERE}:update", "Give a stack another store or orchestrator."),
        "copy": (f"{_HERE}:copy", "Register a second stack of the same components."),
        "rename": (f"{_HERE}:rename", "Give a stack another name."),
        "export": ("provisioner.cli.stack_exchange:export_stack", "Write a stack as JSON."),
        "import": ("provisioner.cli.stack_exchange:import_stack", "Register what `export` wrote."),
        "delete": (f"{_HERE}:delete", "Forget a stack; its components stay."),
    },
)
def stack() -> None:
    """Stacks: what programs and pipelines work with. In place of a NAME, `current` is the active one."""


@click.command()
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


@click.command("set")
@click.argument("name")
@form_option
def set_stack(name: str, form: str) -> int:
    """Make a stack the active one."""
    client = make_client()
    client.set_active_stack(name)
    return answer(form, stack_json(client.describe_stack(name), client.state), f"The active stack is {name}.")


@click.command()
@form_option
def get(form: str) -> int:
    """The name of the active stack."""
    client = make_client()
    name = client.active_stack_name
    return answer(form, stack_json(client.describe_stack(name), client.state), name)


@click.command("list")
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


@click.command()
@click.argument("name", default=CURRENT, metavar="[NAME]")
@form_option
def describe(name: str, form: str) -> int:
    """One stack, by default the active one."""
    client = make_client()
    data = stack_json(client.describe_stack(name), client.state)
    return answer(form, data, details(data))


@click.command()
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


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@form_option
def copy(source: str, target: str, form: str) -> int:
    """Register a second stack of the same components."""
    client = make_client()
    record = client.copy_stack(source, target)
    return answer(form, stack_json(record, client.state), f"Copied stack {source} to {target}.")


@click.command()
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


@click.command()
@click.argument("name")
@yes_option
@form_option
def delete(name: str, yes: bool, form: str) -> int:  # noqa: ARG001 - taken for scripts that say it everywhere
    """Forget a stack; its components stay. Refused for the active one."""
    make_client().delete_stack(name)
    return answer(form, {"deleted": name}, f"Deleted the stack {name}; its components stay.")
