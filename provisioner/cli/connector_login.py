"""`provision service-connector login`: the cloud's own programs at work with a connector's credentials."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from provisioner.cli.aws_profile import has_own_credentials, without_profile_of, write_profile
from provisioner.cli.cloud_configuration import write_az_defaults, write_gcloud_configuration
from provisioner.cli.components import answer, form_option, make_client
from provisioner.cli.connector_use import refuse_lasting, variables
from provisioner.errors import InputError
from stacks.client import Client
from stacks.credentials import Credentials
from stacks.errors import ConnectorScopeError
from stacks.state import ConnectorRecord


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.option("--profile", metavar="PROFILE", help="The name of the profile; default: the connector's.")
@form_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def login(name: str, profile: str | None, form: str, command: tuple[str, ...]) -> int:
    """Let the cloud's own command line use a connector. No credential is written.

    AWS: a profile whose credential_process asks the connector each time, and once now. Google: a
    configuration of gcloud that impersonates the same service account. Azure: az's defaults name the account
    and use its own login. With a COMMAND, that runs with short-lived credentials in its environment instead;
    so works every connector.
    """
    client = make_client()
    record = client.describe_connector(name)
    if command:
        if profile is not None:
            raise InputError("--profile is for a login without a command", hint="leave one of them out")
        return _run(client, record, command)
    profile = profile or name
    path, text = _WRITERS[record.type](client, record, profile)
    return answer(form, {"name": name, "profile": profile, "file": str(path)}, text)


def _run(client: Client, record: ConnectorRecord, command: tuple[str, ...]) -> int:
    """Runs ``command`` with credentials of the connector; its exit code."""
    credentials = _credentials(client, record)
    settings = client.get_connector(record.name).store_settings()
    environment = {**os.environ, **_place(record.type, settings), **dict(variables(credentials))}
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        raise InputError(
            f"{command[0]} cannot be run: {error.strerror}", hint="check its name, and that it is on PATH"
        ) from error


def _credentials(client: Client, record: ConnectorRecord) -> Credentials:
    """What the connector gives to programs. Raises SafetyError for what `token` would not print either."""
    try:
        with without_profile_of(record.name):
            credentials = client.connector_credentials(record.name, None, None)
    except ConnectorScopeError as error:
        raise InputError(
            error.message,
            hint=f"name it, for good: provision service-connector update {record.name} --resource-id "
            f"{_RESOURCES[record.type]}",
        ) from error
    refuse_lasting(record, credentials)
    return credentials


def _place(kind: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """The variables that say where a connector's resources are."""
    given: dict[str, Any] = {}
    if kind == "aws":
        client = settings.get("client_kwargs", {})
        given = {"AWS_REGION": client.get("region_name"), "AWS_ENDPOINT_URL": client.get("endpoint_url")}
    elif kind == "gcp":
        given = {"CLOUDSDK_CORE_PROJECT": settings.get("project")}
    elif kind == "azure":
        given = {"AZURE_STORAGE_ACCOUNT": settings.get("account_name")}
    return {key: str(value) for key, value in given.items() if value}


def _aws(client: Client, record: ConnectorRecord, profile: str) -> tuple[Path, str]:
    if profile == "default" and not has_own_credentials(record):
        raise InputError(
            f"service connector {record.name!r} takes its own credentials from the default profile",
            hint="write another one: provision service-connector login "
            f"{record.name} --profile {record.name}",
        )
    _credentials(client, record)  # else the profile would ask for what is refused, each time
    settings = client.get_connector(record.name).store_settings()
    path = write_profile(profile, record.name, client.state_file.location, settings)
    return path, f"Wrote the profile {profile} to {path}. Use it: aws --profile {profile} s3 ls"


def _gcp(_client: Client, record: ConnectorRecord, profile: str) -> tuple[Path, str]:
    own = record.auth_method == "impersonation" and "service_account_json" not in record.config
    if not (own and record.authentication_secret is None) and record.auth_method != "implicit":
        raise _needs_command(record, "gcloud storage ls")
    properties = {
        "core": {"project": record.config.get("project_id")},
        "auth": {"impersonate_service_account": record.config.get("target_principal")},
    }
    path = write_gcloud_configuration(profile, properties)
    return path, (
        f"Wrote the configuration {profile} to {path}. Use it: gcloud --configuration {profile} storage ls "
        "(after `gcloud auth login`, once)"
    )


def _azure(client: Client, record: ConnectorRecord, _profile: str) -> tuple[Path, str]:
    account = client.get_connector(record.name).store_settings().get("account_name")
    if record.auth_method != "implicit":
        raise _needs_command(record, "az storage blob list --container-name CONTAINER")
    if account is None:
        raise InputError(
            f"service connector {record.name!r} does not say which storage account it is for",
            hint=f"provision service-connector update {record.name} --account_name=NAME",
        )
    path = write_az_defaults({"account": account, "auth_mode": "login"})
    return path, (
        f"Wrote the account {account} to {path}. Use it: az storage blob list --container-name CONTAINER "
        "(after `az login`, once)"
    )


def _needs_command(record: ConnectorRecord, example: str) -> InputError:
    return InputError(
        f"connectors of type {record.type} with the auth method {record.auth_method} cannot log a program in "
        "without a credential in a file, and none is written",
        hint=f"run the program with it: provision service-connector login {record.name} -- {example}",
    )


_RESOURCES = {"aws": "s3://BUCKET", "gcp": "gs://BUCKET", "azure": "az://CONTAINER"}
_WRITERS = {"aws": _aws, "gcp": _gcp, "azure": _azure}
