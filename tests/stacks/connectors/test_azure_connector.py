"""Azure connectors, against Azurite over TLS, which enforces signatures, and an Entra ID of our own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure.core.exceptions import HttpResponseError
from microsoft_services import (
    ACCOUNT,
    CLIENT,
    TENANT,
    Azurite,
    Entra,
    access_token,
    azure_record,
    fake_az,
)
from named_secrets import Secrets, everything

from stacks.client import Client
from stacks.connectors import check_covers, create_connector
from stacks.connectors.azure_account import parse
from stacks.connectors.azure_sas import VERSION
from stacks.credentials import AzureCredentials
from stacks.errors import (
    ConnectorScopeError,
    CredentialsExpiredError,
    CredentialsMissingError,
)

Make = Callable[..., Any]
IDENTITIES = ("implicit", "service-principal", "access-token")
KEYS = ("account-key", "connection-string")


def refused(call: Any, *arguments: Any, **options: Any) -> bool:
    """Whether the service refuses the call for lack of a permission; it must not fail otherwise."""
    try:
        answer = call(*arguments, **options)
        if not isinstance(answer, dict | bytes) and hasattr(answer, "__iter__"):
            list(answer)
    except HttpResponseError as error:
        if error.status_code == 403:
            return True
        raise
    return False


# -- what a store receives


@pytest.mark.parametrize("method", [*IDENTITIES, *KEYS])
def test_every_method_gives_a_signature_that_reaches_one_container_and_nothing_else(
    azurite: Azurite, make: Make, method: str
) -> None:
    credentials = make(method).credentials_for("az://data/mine")
    assert isinstance(credentials, AzureCredentials)
    assert credentials.sas_token
    assert credentials.expires_at is not None
    assert timedelta(minutes=58) < credentials.expires_at - datetime.now(UTC) <= timedelta(minutes=60)
    assert ("skoid" in parse_qs(credentials.sas_token)) is (method in IDENTITIES)

    with azurite.service(credentials.sas_token) as service:
        data = service.get_container_client("data")
        data.get_blob_client("mine/b").upload_blob(b"hello")
        assert data.get_blob_client("mine/b").download_blob().readall() == b"hello"
        data.get_blob_client("mine/b").upload_blob(b"again", overwrite=True)
        assert sorted(data.list_blob_names(name_starts_with="mine/")) == ["mine/a", "mine/b"]
        data.get_blob_client("mine/b").delete_blob()

        database = service.get_container_client("database")
        assert refused(database.get_blob_client("mine/a").download_blob)
        assert refused(database.list_blob_names)
        assert refused(database.get_blob_client("mine/b").upload_blob, b"x")
        assert refused(service.list_containers)
        assert refused(service.create_container, "new-one")
        assert refused(data.delete_container)
        assert refused(data.get_container_access_policy)


def test_a_key_signs_as_the_sdk_does(azurite: Azurite, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.storage.blob import generate_container_sas

    credentials = make("account-key").credentials_for("az://data")
    monkeypatch.setattr("azure.storage.blob._shared_access_signature.X_MS_VERSION", VERSION)
    official = generate_container_sas(
        ACCOUNT, "data", azurite.key, permission="rcwdl", expiry=credentials.expires_at, protocol="https"
    )
    assert parse_qs(credentials.sas_token) == parse_qs(official)


@pytest.mark.parametrize("method", ["service-principal", "account-key"])
def test_read_only_signatures_do_not_write(azurite: Azurite, make: Make, method: str) -> None:
    credentials = make(method).credentials_for("az://data", "read-only")
    with azurite.service(credentials.sas_token) as service:
        data = service.get_container_client("data")
        assert data.get_blob_client("mine/a").download_blob().readall() == b"x"
        assert sorted(data.list_blob_names()) == ["mine/a", "other/a"]
        assert refused(data.get_blob_client("mine/b").upload_blob, b"x")
        assert refused(data.get_blob_client("mine/a").delete_blob)


def test_a_read_only_connector_grants_no_writing(make: Make) -> None:
    connector = make("account-key", access="read-only")
    assert connector.access == "read-only"
    with pytest.raises(ConnectorScopeError, match="grants reading only"):
        connector.credentials_for("az://data", "read-write")


def test_a_signature_that_is_over_is_refused_and_ends_when_it_says(azurite: Azurite, make: Make) -> None:
    connector = make("account-key", session_seconds=600, expires_skew_tolerance=60)
    credentials = connector.credentials_for("az://data")
    assert timedelta(seconds=520) < credentials.expires_at - datetime.now(UTC) <= timedelta(seconds=540)
    assert parse_qs(credentials.sas_token)["spr"] == ["https"]


def test_with_a_hierarchical_namespace_the_signature_is_for_the_directory_alone(make: Make) -> None:
    """Azurite has no such accounts: the signature's own fields are what can be looked at."""
    for method in ("account-key", "service-principal"):
        connector = make(method, hierarchical_namespace=True)
        fields = parse_qs(connector.credentials_for("az://data/mine/deep").sas_token)
        assert (fields["sr"], fields["sdd"]) == (["d"], ["2"])
        assert parse_qs(connector.credentials_for("az://data").sas_token)["sr"] == ["c"]


def test_a_given_signature_is_handed_on_until_its_own_end(azurite: Azurite, make: Make) -> None:
    given = make("account-key", session_seconds=1800).credentials_for("az://data")
    connector = create_connector(
        azure_record(azurite, "sas-token"), Secrets(key={"sas_token": f"?{given.sas_token}\n"})
    )
    assert connector.credentials_for("az://data") == given
    assert connector.verify("az://data") == ["az://data"]
    over = Secrets(key={"sas_token": "sv=2024-11-04&se=2020-01-01T00%3A00%3A00Z&sr=c&sp=r&sig=canary"})
    with pytest.raises(CredentialsExpiredError, match="expired at 2020-01-01") as caught:
        create_connector(azure_record(azurite, "sas-token"), over).credentials_for("az://data")
    assert "canary" not in everything(caught.value)


def test_a_connection_string_may_hold_a_signature(azurite: Azurite, make: Make) -> None:
    given = make("account-key").credentials_for("az://data")
    text = f"BlobEndpoint={azurite.url};AccountName={ACCOUNT};SharedAccessSignature={given.sas_token}"
    secrets = Secrets(key={"connection_string": text})
    connector = create_connector(azure_record(None, "connection-string"), secrets)
    assert connector.credentials_for("az://data") == given
    assert connector.store_settings() == {"account_name": ACCOUNT, "account_url": azurite.url}


def test_without_a_resource_an_identity_gives_its_token_and_a_key_gives_nothing(make: Make) -> None:
    credentials = make("service-principal").credentials_for()
    assert credentials.token
    assert credentials.sas_token is None
    with pytest.raises(ConnectorScopeError, match="for one container"):
        make("account-key").credentials_for()


# -- what the environment has


def test_the_variables_of_the_documents_are_taken_in_their_order(
    azurite: Azurite, entra: Entra, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    implicit = azure_record(None, "implicit", account_url=azurite.url, authority_host=entra.url)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_STORAGE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_STORAGE_CLIENT_SECRET", entra.client_secret)
    connector = create_connector(implicit, Secrets(key={}))
    assert connector.verify("az://data") == ["az://data"]
    assert "skoid" in (connector.credentials_for("az://data").sas_token or "")  # type: ignore[union-attr] # Azure's
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azurite.key)
    assert connector.verify("az://data") == ["az://data"]
    assert "skoid" not in (connector.credentials_for("az://data").sas_token or "")  # type: ignore[union-attr] # as above
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    assert connector.store_settings() == {"account_name": ACCOUNT, "account_url": azurite.url}
    assert connector.list_resources() == ["az://data", "az://database"]


def test_a_login_of_azures_command_line_is_an_identity(
    azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_az(tmp_path, monkeypatch, access_token())
    connector = create_connector(azure_record(azurite, "implicit"), Secrets(key={}))
    assert connector.verify("az://data") == ["az://data"]
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "bm90IHRoZSBrZXk=")
    alone = create_connector(azure_record(azurite, "implicit", identity_only=True), Secrets(key={}))
    assert alone.verify("az://data") == ["az://data"]


def test_without_any_identity_it_says_where_to_get_one(
    azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_az(tmp_path, monkeypatch, None)
    with pytest.raises(CredentialsMissingError, match="there is none") as caught:
        create_connector(azure_record(azurite, "implicit"), Secrets(key={})).credentials_for("az://data")
    assert "az login" in (caught.value.hint or "")


# -- resources


def test_a_connector_with_a_resource_of_its_own_covers_that_alone(make: Make) -> None:
    connector = make("account-key", "az://data/mine")
    assert connector.list_resources() == ["az://data/mine"]
    assert connector.verify() == ["az://data/mine"]
    assert connector.verify("abfs://data/mine/deeper") == ["az://data/mine/deeper"]
    for outside in ("az://data", "az://data/minefield", "abfs://database/mine"):
        with pytest.raises(ConnectorScopeError, match="does not contain"):
            connector.credentials_for(outside)
        with pytest.raises(ConnectorScopeError, match="does not contain"):
            check_covers(connector.record, frozenset({"az://"}), outside)


@pytest.mark.parametrize("method", [*IDENTITIES, *KEYS])
def test_containers_are_listed(make: Make, method: str) -> None:
    connector = make(method)
    assert connector.list_resources() == ["az://data", "az://database"]
    assert connector.verify() == ["az://data", "az://database"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("az://data/a/b", "az://data/a/b"),
        ("abfs://data", "az://data"),
        ("abfss://data@acmestore.dfs.core.windows.net/a", "az://data/a"),
        ("https://acmestore.blob.core.windows.net/data/a", "az://data/a"),
        ("http://127.0.0.1:10000/devstoreaccount1/data", "az://data"),
        ("data/a/", "az://data/a"),
    ],
)
def test_containers_have_many_names(text: str, place: str) -> None:
    assert str(parse(text)) == place


def test_a_store_of_the_account_that_it_names_itself_works_through_the_connector(
    azurite: Azurite, entra: Entra, tmp_path: Path
) -> None:
    """The connector of the documents names no account: the store does."""
    client = Client(str(tmp_path / "state.json"))
    client.register_connector(
        "cloud_connector",
        "azure",
        "service-principal",
        config={
            "tenant_id": TENANT,
            "client_id": CLIENT,
            "client_secret": entra.client_secret,
            "authority_host": entra.url,
        },
    )
    place = {"account_name": ACCOUNT, "account_url": azurite.url}
    client.register_artifact_store(
        "az_store", "azure", "az://data/mine", config=place, connector="cloud_connector"
    )
    store = client.get_artifact_store("az_store")
    with store.open("az://data/mine/hello.txt", "w") as file:
        file.write("hello")
    assert sorted(store.listdir("az://data/mine")) == ["a", "hello.txt"]
    assert entra.client_secret not in (tmp_path / "state.json").read_text()
