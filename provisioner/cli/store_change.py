"""`provision artifact-store register`, `connect`, `disconnect`, `update` and `remove-attribute`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from provisioner.cli.components import (
    answer,
    check_bucket,
    form_option,
    make_client,
    secret_option,
    store_json,
    warn,
)
from provisioner.cli.fields import ANYTHING, free_arguments, parse
from provisioner.errors import InputError
from stacks.state import ArtifactStoreRecord

_path_option = click.option(
    "--path", metavar="PATH", help="Where the store is: s3://bucket[/prefix], or a folder."
)


def _connector_option(*, required: bool = False) -> Callable[[Any], Any]:
    return click.option(
        "-c", "--connector", metavar="CONNECTOR", required=required, help="The connector to go through."
    )


@click.command(context_settings=ANYTHING)
@free_arguments("NAME [--key=value]...")
@click.option("-f", "--flavor", required=True, help="See: provision artifact-store flavor list.")
@_path_option
@secret_option
@_connector_option()
@form_option
def register(
    arguments: tuple[str, ...],
    flavor: str,
    path: str | None,
    secret: str | None,
    connector: str | None,
    form: str,
) -> int:
    """Register a store that exists already. Nothing is contacted; `verify` tries it out.

    Every --key=value is a setting of the flavor: JSON for a structured one, @FILE for what a file holds,
    {{secret.key}} for a secret. A secret given in the open is put into the secret store.
    """
    given = parse(arguments)
    name = given.name()
    check_bucket("--path", path)
    client = make_client(flavors=True)
    record = client.register_artifact_store(
        name, flavor, path, config=given.fields, authentication_secret=secret, connector=connector
    )
    warn(given)
    text = f"Registered artifact store {record.name}: {record.flavor}, {record.path}{_access(record)}."
    return answer(form, store_json(record, client.state), text)


@click.command()
@click.argument("name")
@_connector_option(required=True)
@click.option("--verify", is_flag=True, help="Connect only if the connector reaches the store.")
@form_option
def connect(name: str, connector: str, verify: bool, form: str) -> int:
    """Let a store authenticate through a service connector, which takes the place of its secret."""
    client = make_client(flavors=True)
    record = client.connect_artifact_store(name, connector, verify=verify)
    text = f"Connected artifact store {name} to the service connector {connector}."
    return answer(form, store_json(record, client.state), text)


@click.command()
@click.argument("name")
@form_option
def disconnect(name: str, form: str) -> int:
    """Let a store authenticate without its connector, with what the environment has."""
    client = make_client(flavors=True)
    before = client.describe_artifact_store(name)
    if before.connector is None:
        raise InputError(
            f"artifact store {name!r} has no connector",
            hint=f"connect one: provision artifact-store connect {name} --connector CONNECTOR",
        )
    record = client.disconnect_artifact_store(name)
    text = f"Disconnected artifact store {name} from the service connector {before.connector}."
    return answer(form, store_json(record, client.state), text)


@click.command(context_settings=ANYTHING)
@free_arguments("NAME [--key=value]...")
@_path_option
@secret_option
@_connector_option()
@form_option
def update(
    arguments: tuple[str, ...], path: str | None, secret: str | None, connector: str | None, form: str
) -> int:
    """Change what is given, and nothing else."""
    given = parse(arguments)
    name = given.name()
    check_bucket("--path", path)
    options = {"path": path, "authentication_secret": secret, "connector": connector}
    changes: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if not changes and not given.fields:
        raise InputError("nothing to change was given", hint="write changes as --key=VALUE")
    client = make_client(flavors=True)
    record = client.update_artifact_store(name, config=given.fields, **changes)
    warn(given)
    return answer(form, store_json(record, client.state), f"Updated artifact store {name}.")


@click.command("remove-attribute", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("keys", nargs=-1, required=True, type=click.UNPROCESSED, metavar="KEY...")
@form_option
def remove_attribute(name: str, keys: tuple[str, ...], form: str) -> int:
    """Take fields out of a store's configuration; KEY or --KEY."""
    client = make_client(flavors=True)
    gone = [key.lstrip("-").replace("-", "_") for key in keys]
    record = client.update_artifact_store(name, remove=gone)
    text = f"Removed {', '.join(gone)} from artifact store {name}."
    return answer(form, store_json(record, client.state), text)


def _access(record: ArtifactStoreRecord) -> str:
    if record.connector is not None:
        return f", through the service connector {record.connector}"
    if record.authentication_secret is not None:
        return f", with the secret {record.authentication_secret}"
    return ""
