"""`provision service-connector`: registering connectors, and what kinds there are."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli.components import (
    answer,
    check_bucket,
    connector_json,
    details,
    form_option,
    make_client,
    secret_option,
    table,
    warn,
)
from provisioner.cli.connector_types import refuse_to_choose
from provisioner.cli.fields import ANYTHING, free_arguments, parse
from provisioner.cli.lazy import LazyGroup
from provisioner.cli.options import say, yes_option
from provisioner.errors import InputError

_USE = "provisioner.cli.connector_use"
_LOGIN = "provisioner.cli.connector_login"
_TYPES = "provisioner.cli.connector_types"
_HERE = "provisioner.cli.service_connector"

_method_option = click.option(
    "--auth-method", "--auth_method", metavar="METHOD", help="How it authenticates."
)
_resource_type_option = click.option(
    "-r", "--resource-type", "--resource_type", metavar="TYPE", help="What it grants: s3-bucket, …"
)
_resource_id_option = click.option(
    "--resource-id", "--resource_id", metavar="ID", help="The one resource: s3://bucket[/prefix]."
)
_verify_option = click.option("--verify", is_flag=True, help="Change nothing unless it proves to work.")


@click.group(
    name="service-connector",
    cls=LazyGroup,
    commands_by_path={
        "register": (f"{_HERE}:register", "Register a connector."),
        "list": (f"{_HERE}:list_connectors", "All connectors."),
        "describe": (f"{_HERE}:describe", "One connector, its secrets as references."),
        "verify": (f"{_USE}:verify", "Prove that a connector reaches its resource."),
        "list-types": (f"{_TYPES}:list_types", "The types of connectors."),
        "describe-type": (f"{_TYPES}:describe_type", "The auth methods of a type, and their fields."),
        "list-resources": (f"{_USE}:list_resources", "What connectors can reach."),
        "login": (
            "provisioner.cli.connector_login:login",
            "Let the cloud's own command line use a connector.",
        ),
        "token": (f"{_USE}:token", "Short-lived credentials for another program."),
        "rotate": (f"{_USE}:rotate", "Replace a connector's static key without an outage."),
        "update": (f"{_HERE}:update", "Change a connector."),
        "rename": (f"{_HERE}:rename", "Give a connector another name."),
        "delete": (f"{_HERE}:delete", "Forget a connector."),
    },
)
def service_connector() -> None:
    """Short-lived, narrowly scoped credentials for stores and programs."""


@click.command(context_settings=ANYTHING)
@free_arguments("NAME [--key=value]...")
@click.option("-t", "--type", "kind", required=True, metavar="TYPE", help="See: list-types.")
@_method_option
@click.option(
    "--auto-configure", "--auto_configure", "auto", is_flag=True, help="Take what the environment has."
)
@_resource_type_option
@_resource_id_option
@secret_option
@_verify_option
@form_option
def register(
    arguments: tuple[str, ...],
    kind: str,
    auth_method: str | None,
    auto: bool,
    resource_type: str | None,
    resource_id: str | None,
    secret: str | None,
    verify: bool,
    form: str,
) -> int:
    """Register a connector.

    Every --key=value is a field of the auth method: `describe-type TYPE` lists them. A secret given in the
    open is put into the secret store; the connector refers to it. Nothing is contacted without --verify.
    """
    given = parse(arguments)
    name = given.name()
    check_bucket("--resource-id", resource_id)
    client = make_client()
    config: dict[str, Any] = dict(given.fields)
    if auto:
        from stacks.connectors.discovery import discover

        found = discover(kind, auth_method)
        auth_method = found.auth_method
        config = {**found.config, **config}
        for sentence in found.taken:
            say(f"took {sentence}")
    record = client.register_connector(
        name,
        kind,
        auth_method or refuse_to_choose(kind),
        resource_type=resource_type,
        resource_id=resource_id,
        config=config,
        authentication_secret=secret,
        verify=verify,
    )
    warn(given)
    text = f"Registered service connector {name}: {record.type}, {record.auth_method}."
    return answer(form, connector_json(record, client.state), text)


@click.command("list")
@form_option
def list_connectors(form: str) -> int:
    """All connectors."""
    client = make_client()
    state = client.state
    found = [connector_json(record, state) for record in client.list_connectors()]
    rows = [
        (
            one["name"],
            one["type"],
            one["auth_method"],
            one["resource_id"] or one["resource_type"] or "any",
            ", ".join(one["artifact_stores"]),
        )
        for one in found
    ]
    header = ("name", "type", "auth method", "resource", "artifact stores")
    return answer(form, found, table(header, rows, "No service connector is registered."))


@click.command()
@click.argument("name")
@form_option
def describe(name: str, form: str) -> int:
    """One connector. What is secret is shown as a reference to the secret that holds it."""
    client = make_client()
    data = connector_json(client.describe_connector(name), client.state)
    return answer(form, data, details(data))


@click.command(context_settings=ANYTHING)
@free_arguments("NAME [--key=value]...")
@_method_option
@_resource_type_option
@_resource_id_option
@secret_option
@click.option("--remove", "removed", multiple=True, metavar="KEY", help="Take a field out. May be repeated.")
@_verify_option
@form_option
def update(
    arguments: tuple[str, ...],
    auth_method: str | None,
    resource_type: str | None,
    resource_id: str | None,
    secret: str | None,
    removed: tuple[str, ...],
    verify: bool,
    form: str,
) -> int:
    """Change what is given, and nothing else."""
    given = parse(arguments)
    name = given.name()
    check_bucket("--resource-id", resource_id)
    options = {
        "auth_method": auth_method,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "authentication_secret": secret,
    }
    changes: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if not (changes or given.fields or removed):
        raise InputError("nothing to change was given", hint="write changes as --key=VALUE")
    client = make_client()
    gone = [key.replace("-", "_") for key in removed]
    record = client.update_connector(name, config=given.fields, remove=gone, verify=verify, **changes)
    warn(given)
    return answer(form, connector_json(record, client.state), f"Updated service connector {name}.")


@click.command()
@click.argument("old", metavar="NAME")
@click.argument("new", metavar="NEW_NAME")
@form_option
def rename(old: str, new: str, form: str) -> int:
    """Give a connector another name; the stores that use it follow."""
    client = make_client()
    client.rename_connector(old, new)
    data = connector_json(client.describe_connector(new), client.state)
    return answer(form, data, f"Renamed service connector {old} to {new}.")


@click.command()
@click.argument("name")
@yes_option
@form_option
def delete(name: str, yes: bool, form: str) -> int:  # noqa: ARG001 - taken for scripts that say it everywhere
    """Forget a connector and the secret it brought along; refused while a store uses it."""
    make_client().delete_connector(name)
    return answer(form, {"deleted": name}, f"Deleted the service connector {name}.")
