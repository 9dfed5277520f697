"""What Azure connectors say when something is wrong, and what they never say."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from microsoft_services import (
    ACCOUNT,
    CLIENT,
    TENANT,
    Azurite,
    Entra,
    access_token,
    azure_record,
)
from named_secrets import Secrets, everything

from stacks.connectors import connector_type, create_connector
from stacks.connectors.azure_errors import sdk_installed
from stacks.errors import (
    ConnectorError,
    ConnectorScopeError,
    CredentialsError,
    CredentialsExpiredError,
    CredentialsWrongError,
    InvalidValueError,
    MissingExtraError,
    StacksError,
)
from stacks.state import ConnectorRecord

Make = Callable[..., Any]
IDENTITIES = ("implicit", "service-principal", "access-token")
KEYS = ("account-key", "connection-string")


# -- errors, each with the command that mends it


def failing(connector: Any, call: str = "verify") -> StacksError:
    with pytest.raises(StacksError) as caught:
        getattr(connector, call)("az://data")
    assert caught.value.hint
    return caught.value


def test_a_wrong_client_secret_is_told_from_an_expired_one(entra: Entra, azurite: Azurite) -> None:
    fields = {"tenant_id": TENANT, "client_id": CLIENT, "authority_host": entra.url}
    mine = azure_record(azurite, "service-principal", **fields)
    connector = create_connector(mine, Secrets(key={"client_secret": "canary"}))
    error = failing(connector)
    assert isinstance(error, CredentialsWrongError)
    assert f"az ad app credential reset --id {CLIENT}" in (error.hint or "")
    assert "canary" not in everything(error)
    entra.refuses = ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.")
    assert isinstance(failing(connector), CredentialsExpiredError)
    other = azure_record(azurite, "service-principal", **{**fields, "client_id": TENANT})
    entra.refuses = None
    assert "no such application" in str(failing(create_connector(other, Secrets(key={"client_secret": "x"}))))
    elsewhere = azure_record(azurite, "service-principal", **{**fields, "tenant_id": CLIENT})
    assert "no such tenant" in str(failing(create_connector(elsewhere, Secrets(key={"client_secret": "x"}))))


def test_a_wrong_key_a_wrong_token_and_a_missing_container_are_told_apart(
    azurite: Azurite, make: Make
) -> None:
    wrong = create_connector(azure_record(azurite, "account-key"), Secrets(key={"account_key": "Y2FuYXJ5"}))
    error = failing(wrong)
    assert isinstance(error, CredentialsWrongError)
    assert "az storage account keys list" in (error.hint or "")
    assert "Y2FuYXJ5" not in everything(error)
    stale = create_connector(
        azure_record(azurite, "access-token"), Secrets(key={"token": access_token(seconds=-1)})
    )
    error = failing(stale)
    assert isinstance(error, CredentialsError)
    with pytest.raises(ConnectorScopeError, match="no such container"):
        make("account-key").verify("az://gone")


def test_an_access_token_ends_when_the_connector_says(azurite: Azurite) -> None:
    mine = azure_record(azurite, "access-token", expires_at="2020-01-01T00:00:00+00:00")
    error = failing(create_connector(mine, Secrets(key={"token": "canary"})))
    assert isinstance(error, CredentialsExpiredError)


def test_no_ambient_credentials_stand_in_for_a_connectors_own(
    azurite: Azurite, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment could answer; the connector's own wrong key is what counts."""
    make("implicit")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    wrong = create_connector(
        azure_record(azurite, "account-key"), Secrets(key={"account_key": "bm90IG1pbmU="})
    )
    assert isinstance(failing(wrong), CredentialsWrongError)


def test_a_service_that_is_not_there_is_named() -> None:
    place = {"account_name": ACCOUNT, "account_url": "https://127.0.0.1:9/acmestore"}
    mine = ConnectorRecord("mine", "azure", "account-key", None, None, place, "key")
    connector = create_connector(mine, Secrets(key={"account_key": "Y2FuYXJ5"}))
    with pytest.raises(ConnectorError, match="does not reach") as caught:
        connector.verify("az://data")
    assert "sig=" not in everything(caught.value)


def test_who_names_no_account_is_told_how() -> None:
    mine = ConnectorRecord("mine", "azure", "access-token", None, None, {}, "key")
    connector = create_connector(mine, Secrets(key={"token": "t"}))
    assert connector.store_settings() == {}
    assert "--account_name=NAME" in (failing(connector, "credentials_for").hint or "")


@pytest.mark.parametrize(
    ("method", "secret", "why"),
    [
        ("account-key", {"account_key": "canary!"}, "no storage account's key"),
        ("account-key", {"account_key": "canary\r\nX: 1"}, "characters that none can have"),
        ("connection-string", {"connection_string": "canary"}, "lacks an AccountKey"),
        ("connection-string", {"connection_string": "AccountKey=canary"}, "lacks an AccountName"),
        ("sas-token", {"sas_token": "canary"}, "no shared access signature"),
        ("access-token", {"token": " "}, "has no token"),
    ],
)
def test_what_cannot_be_credentials_is_refused_without_being_quoted(
    method: str, secret: dict[str, str], why: str
) -> None:
    place = {} if method == "connection-string" else {"account_name": ACCOUNT}
    mine = ConnectorRecord("mine", "azure", method, None, None, place, "key")
    error = failing(create_connector(mine, Secrets(key=secret)), "credentials_for")
    assert why in str(error)
    assert "canary" not in everything(error)


@pytest.mark.parametrize(
    ("config", "resource", "why"),
    [
        ({"account_name": "Not-A-Name"}, None, "no name of a storage account"),
        ({"account_url": "http://blob.example"}, None, "no https:// URL"),
        ({"hierarchical_namespace": "perhaps"}, None, "must be true or false"),
        ({}, "az://A_B", "names no blob container"),
        ({}, "az://data/../x", "names no place"),
        ({"account_nmae": "x"}, None, "no field 'account_nmae'"),
    ],
)
def test_a_record_that_does_not_hold_is_refused_before_anything_is_contacted(
    config: dict[str, Any], resource: str | None, why: str
) -> None:
    fields = {"account_name": ACCOUNT, **config}
    mine = ConnectorRecord("m", "azure", "account-key", None, resource, fields, "key")
    with pytest.raises(InvalidValueError, match=why):
        create_connector(mine, Secrets(key={"account_key": "Y2FuYXJ5"}))


def test_no_repr_or_log_has_a_secret(
    azurite: Azurite, make: Make, entra: Entra, caplog: pytest.LogCaptureFixture
) -> None:
    """At INFO, where Azure's SDK writes what it sends; urllib3's DEBUG has whole URLs, of any program."""
    caplog.set_level(logging.INFO)
    for method in (*IDENTITIES, *KEYS):
        connector = make(method)
        credentials = connector.credentials_for("az://data")
        assert connector.verify("az://data") == ["az://data"]
        signature = parse_qs(credentials.sas_token)["sig"][0]
        shown = f"{connector!r} {credentials!r} {credentials} {connector.record!r}"
        said = " ".join(one.getMessage() for one in caplog.records)
        for secret in (signature, azurite.key, entra.client_secret):
            assert secret not in shown
            assert secret not in said


def test_the_type_describes_itself() -> None:
    known = connector_type("azure")
    assert known.resource_types == ("blob-container", "azure-generic")
    assert [method.name for method in known.auth_methods] == [*IDENTITIES, *KEYS, "sas-token"]


def test_a_missing_sdk_names_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingExtraError, match="azure-identity") as caught, sdk_installed():
        raise ModuleNotFoundError("No module named 'azure'", name="azure.identity")
    assert caught.value.extra == "azure"
    with pytest.raises(ModuleNotFoundError, match="other"), sdk_installed():
        raise ModuleNotFoundError("No module named 'other'", name="other")
