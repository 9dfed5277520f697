"""`provision service-connector verify`, `list-resources`, `token` and `rotate`: at work."""

from __future__ import annotations

import json
import shlex
from typing import Any

import click

from provisioner.cli.aws_profile import made_temporary, without_profile_of
from provisioner.cli.components import answer, check_bucket, form_option, make_client, table
from provisioner.cli.options import format_option, print_json, say
from provisioner.errors import InputError, SafetyError
from stacks.credentials import AwsCredentials, AzureCredentials, Credentials, GcpToken
from stacks.state import ConnectorRecord

_resource_id_option = click.option(
    "--resource-id", "--resource_id", metavar="ID", help="For this resource alone: s3://bucket[/prefix]."
)


@click.command()
@click.argument("name")
@_resource_id_option
@form_option
def verify(name: str, resource_id: str | None, form: str) -> int:
    """Prove that credentials can be had, and that they reach the resource."""
    check_bucket("--resource-id", resource_id)
    reached = make_client().verify_connector(name, resource_id)
    text = f"{name} works and reaches {', '.join(reached) or 'its account, which has no resources'}."
    return answer(form, {"name": name, "resources": reached}, text)


@click.command("list-resources")
@click.argument("name", required=False)
@form_option
def list_resources(name: str | None, form: str) -> int:
    """What a connector, or else every connector, can reach."""
    from stacks.errors import StacksError

    client = make_client()
    names = [name] if name is not None else [record.name for record in client.list_connectors()]
    found: list[dict[str, Any]] = []
    failures: list[StacksError] = []
    for one in names:
        try:
            found.append({"name": one, "resources": client.list_connector_resources(one)})
        except StacksError as error:
            if name is not None:
                raise
            say(f"warning: {error}")
            failures.append(error)
    rows = [(one["name"], resource) for one in found for resource in one["resources"]]
    code = answer(form, found, table(("connector", "resource"), rows, "Nothing is reached."))
    if failures and not found:
        raise failures[0]
    return code


@click.command()
@click.argument("name")
@_resource_id_option
@click.option(
    "--access", type=click.Choice(["read-write", "read-only"]), help="Less than the connector's own."
)
@format_option("env", "json", "credential-process")
def token(name: str, resource_id: str | None, access: Any, form: str) -> int:
    """Short-lived credentials for another program, on stdout.

    env: lines for a shell, eval "$(provision service-connector token NAME)"; credential-process: what the AWS
    SDKs read from a credential_process. Credentials that do not expire are refused.
    """
    check_bucket("--resource-id", resource_id)
    client = make_client()
    with without_profile_of(name):
        credentials = client.connector_credentials(name, resource_id, access)
    refuse_lasting(client.describe_connector(name), credentials)
    if form == "credential-process":
        click.echo(json.dumps(_credential_process(name, credentials)))
    elif form == "json":
        print_json(_as_json(credentials))
    else:
        click.echo("\n".join(f"export {key}={shlex.quote(value)}" for key, value in variables(credentials)))
    return 0


@click.command()
@click.argument("name")
@click.option("--keep-old", is_flag=True, help="Leave the old key, for programs that go on holding it.")
@form_option
def rotate(name: str, keep_old: bool, form: str) -> int:
    """Replace a connector's static key: the new one is proven before the old one goes.

    AWS: an access key, of a user who may make and delete its own. Google: a service account's key, likewise.
    Azure: a storage account's key, by whoever is logged in here, or an application's client secret. The key
    must lie in the secret store.
    """
    from stacks.connectors.rotation import rotate as replace_key

    client = make_client()
    record = client.describe_connector(name)
    secret = replace_key(record, client.secrets, keep_old=keep_old)
    after = "the old one is still valid" if keep_old else "the old one is deleted"
    text = f"Rotated the key of {name}: the new one works and is in the secret {secret}, {after}."
    return answer(form, {"name": name, "secret": secret, "old_key_deleted": not keep_old}, text)


def refuse_lasting(record: ConnectorRecord, credentials: Credentials) -> None:
    """Raises SafetyError for credentials that would be good for ever wherever they end up."""
    if isinstance(credentials, AwsCredentials):
        lasting = credentials.session_token is None
    elif isinstance(credentials, AzureCredentials):
        lasting = credentials.account_key is not None
    else:
        lasting = False
    if lasting:
        raise SafetyError(
            f"service connector {record.name!r} hands on a long-lived key; only short-lived ones are printed",
            hint=f"let temporary ones be made of it: {made_temporary(record)}",
        )


def variables(credentials: Credentials) -> list[tuple[str, str]]:
    """The environment that makes the cloud's own programs use ``credentials``."""
    if isinstance(credentials, AwsCredentials):
        found = {
            "AWS_ACCESS_KEY_ID": credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
        }
    elif isinstance(credentials, GcpToken):
        found = {
            "CLOUDSDK_AUTH_ACCESS_TOKEN": credentials.token,
            "GOOGLE_OAUTH_ACCESS_TOKEN": credentials.token,
        }
    else:
        found = {"AZURE_STORAGE_SAS_TOKEN": credentials.sas_token, "AZURE_ACCESS_TOKEN": credentials.token}
    return [(key, value) for key, value in found.items() if value]


def _as_json(credentials: Credentials) -> dict[str, Any]:
    named = {key.lower(): value for key, value in variables(credentials)}
    return {**named, "expires_at": credentials.expires_at and credentials.expires_at.isoformat()}


def _credential_process(name: str, credentials: Credentials) -> dict[str, Any]:
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html"""
    if not isinstance(credentials, AwsCredentials):
        raise InputError(
            f"credential-process is a form of AWS, and {name!r} is no connector for AWS",
            hint="use --format env or --format json",
        )
    answered = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
    }
    if credentials.expires_at is not None:
        answered["Expiration"] = credentials.expires_at.isoformat(timespec="seconds")
    return answered
