"""Static keys of Google and Azure are replaced without an outage; for AWS, see the tests of the commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gcp_connectors import gcp_record
from google_services import Google
from microsoft_management import SUBSCRIPTION, Microsoft
from microsoft_services import CLIENT, TENANT, Azurite, Entra, access_token, azure_record, fake_az
from small_server import serving

from stacks.connectors import create_connector, gcp_rotation
from stacks.connectors.rotation import rotate
from stacks.errors import ConnectorError, CredentialsError, InvalidValueError
from stacks.secrets import Secret
from stacks.state import ConnectorRecord


class Vault:
    """A secret store with the one secret ``key``."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.broken = False

    def names(self) -> list[str]:
        return ["key"]

    def get(self, name: str) -> Secret:
        return Secret(name, self.values)

    def put(self, name: str, values: Any, *, replacing: bool = False) -> None:
        assert (name, replacing) == ("key", True)
        if self.broken:
            raise OSError("no space left on device")
        self.values = dict(values)

    def delete(self, name: str) -> None:
        raise AssertionError(name)

    def rename(self, old: str, new: str) -> None:
        raise AssertionError((old, new))


# ---- Google: a service account's key, by the service account itself -----------------------------------


@pytest.fixture
def account(google: Google) -> tuple[ConnectorRecord, Vault]:
    record = gcp_record(google, "service-account", "gs://data/mine")
    return record, Vault(service_account_json=google.service_account_json(), note="kept")


def key_id(vault: Vault) -> str:
    return str(json.loads(vault.values["service_account_json"])["private_key_id"])


def test_a_service_account_s_key_is_replaced_once_the_new_one_works(
    google: Google, account: tuple[ConnectorRecord, Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcp_rotation, "_PAUSE_SECONDS", 0.01)
    record, vault = account
    google.unknown_for = 2  # Google takes a while to know a new key
    assert rotate(record, vault) == "key"
    assert list(google.keys) == [key_id(vault)] != ["1"]
    assert vault.values["note"] == "kept"
    assert create_connector(record, vault).verify() == ["gs://data/mine"]


def test_the_old_key_can_stay(google: Google, account: tuple[ConnectorRecord, Vault]) -> None:
    record, vault = account
    rotate(record, vault, keep_old=True)
    assert sorted(google.keys) == sorted(["1", key_id(vault)])


def test_a_new_key_that_cannot_be_kept_is_deleted(
    google: Google, account: tuple[ConnectorRecord, Vault]
) -> None:
    record, vault = account
    vault.broken = True
    with pytest.raises(OSError, match="no space"):
        rotate(record, vault)
    assert list(google.keys) == ["1"] == [key_id(vault)]


def test_a_new_key_that_google_never_knows_is_deleted(
    google: Google, account: tuple[ConnectorRecord, Vault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcp_rotation, "_SETTLE_SECONDS", 0.0)
    record, vault = account
    google.unknown_for = 1000
    with pytest.raises(CredentialsError):
        rotate(record, vault)
    assert list(google.keys) == ["1"] == [key_id(vault)]


def test_who_may_not_make_keys_is_told_what_to_allow(
    google: Google, account: tuple[ConnectorRecord, Vault]
) -> None:
    record, vault = account
    google.manages_keys = False
    with pytest.raises(ConnectorError, match="may not create its own keys") as caught:
        rotate(record, vault)
    assert "roles/iam.serviceAccountKeyAdmin" in str(caught.value.hint)
    assert "private_key" not in f"{caught.value} {caught.value.hint}"


def test_what_has_no_key_of_its_own_is_not_rotated(google: Google) -> None:
    record = gcp_record(google, "user-account")
    with pytest.raises(InvalidValueError, match="has no static key of its own"):
        rotate(record, Vault(user_account_json=google.user_account_json()))


# ---- Azure: a storage account's keys, and an application's secrets -----------------------------------


@pytest.fixture
def microsoft(
    azurite: Azurite,
    entra: Entra,
    _certificate: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Microsoft]:
    """The management of Azurite's account; when it makes key2 anew, that is Azurite's second."""
    fake_az(tmp_path, monkeypatch, access_token("https://management.azure.com"))
    made = Microsoft(
        keys={"key1": azurite.key, "key2": "stale"},
        next_keys={"key2": [azurite.second_key]},
        entra=entra,
        passwords={"old": entra.client_secret},
    )
    with serving(made.handle, _certificate[1]) as url:
        made.url = url
        yield made
        made.published.settle()


def by_key(azurite: Azurite, url: str) -> tuple[ConnectorRecord, Vault]:
    record = azure_record(azurite, "account-key", "az://data", management_url=url)
    return record, Vault(account_key=azurite.key)


def by_string(azurite: Azurite, url: str) -> tuple[ConnectorRecord, Vault]:
    record = azure_record(azurite, "connection-string", "az://data", management_url=url)
    return record, Vault(connection_string=azurite.connection_string)


@pytest.mark.parametrize("made", [by_key, by_string])
def test_the_account_s_other_key_takes_the_place_of_the_one_in_use(
    microsoft: Microsoft, azurite: Azurite, made: Callable[..., tuple[ConnectorRecord, Vault]]
) -> None:
    record, vault = made(azurite, microsoft.url)
    before = str(vault.values)
    rotate(record, vault)
    assert str(vault.values) == before.replace(azurite.key, azurite.second_key) != before
    assert microsoft.keys["key2"] == azurite.second_key
    assert microsoft.keys["key1"] != azurite.key  # made anew: what was known of it is worth nothing
    assert create_connector(record, vault).verify() == ["az://data"]


def test_the_old_account_key_can_stay(microsoft: Microsoft, azurite: Azurite) -> None:
    record, vault = by_key(azurite, microsoft.url)
    rotate(record, vault, keep_old=True)
    assert microsoft.keys == {"key1": azurite.key, "key2": azurite.second_key}


def test_a_place_that_the_connector_names_is_not_looked_for(microsoft: Microsoft, azurite: Azurite) -> None:
    record = azure_record(
        azurite,
        "account-key",
        management_url=microsoft.url,
        subscription_id=SUBSCRIPTION,
        resource_group="ml",
    )
    rotate(record, Vault(account_key=azurite.key), keep_old=True)
    assert not [line for line in microsoft.asked if line.startswith("GET")]


def test_an_account_key_that_is_not_in_force_is_not_rotated(microsoft: Microsoft, azurite: Azurite) -> None:
    record, _ = by_key(azurite, microsoft.url)
    vault = Vault(account_key=azurite.second_key)
    with pytest.raises(ConnectorError, match="none of the storage account's"):
        rotate(record, vault)
    assert microsoft.keys == {"key1": azurite.key, "key2": "stale"}


def test_who_may_not_manage_keys_is_told_the_role(microsoft: Microsoft, azurite: Azurite) -> None:
    microsoft.allows = False
    record, vault = by_key(azurite, microsoft.url)
    with pytest.raises(ConnectorError, match="403") as caught:
        rotate(record, vault)
    assert "Storage Account Key Operator Service Role" in str(caught.value.hint)
    assert azurite.key not in f"{caught.value} {caught.value.hint}"


def test_a_connection_string_with_a_sas_has_no_key(microsoft: Microsoft, azurite: Azurite) -> None:
    record = azure_record(azurite, "connection-string", management_url=microsoft.url)
    sas = f"BlobEndpoint={azurite.url};AccountName=acmestore;SharedAccessSignature=sv=2022&sig=canary"
    with pytest.raises(InvalidValueError, match="a SAS, and no key") as caught:
        rotate(record, Vault(connection_string=sas))
    assert "canary" not in f"{caught.value} {caught.value.hint}"


@pytest.fixture
def principal(microsoft: Microsoft, azurite: Azurite, entra: Entra) -> tuple[ConnectorRecord, Vault]:
    config = {
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "authority_host": entra.url,
        "graph_url": microsoft.url,
    }
    record = azure_record(azurite, "service-principal", "az://data", **config)
    return record, Vault(client_secret=entra.client_secret)


def test_an_application_s_secret_is_replaced(
    principal: tuple[ConnectorRecord, Vault], microsoft: Microsoft
) -> None:
    record, vault = principal
    rotate(record, vault)
    assert list(microsoft.passwords.values()) == [vault.values["client_secret"]]
    assert create_connector(record, vault).verify() == ["az://data"]


def test_secrets_that_begin_alike_are_not_told_apart_so_none_is_deleted(
    principal: tuple[ConnectorRecord, Vault], microsoft: Microsoft, entra: Entra
) -> None:
    record, vault = principal
    microsoft.passwords["twin"] = f"{entra.client_secret[:3]}-another"
    with pytest.raises(ConnectorError, match="2 secrets of its application begin") as caught:
        rotate(record, vault)
    assert "--keep-old" in str(caught.value.hint)
    assert sorted(microsoft.passwords) == ["old", "twin"]
    assert entra.client_secret not in f"{caught.value} {caught.value.hint}"


def test_an_application_that_does_not_own_itself_is_told_what_to_allow(
    principal: tuple[ConnectorRecord, Vault], microsoft: Microsoft
) -> None:
    microsoft.allows = False
    with pytest.raises(ConnectorError, match="403") as caught:
        rotate(*principal)
    assert "Application.ReadWrite.OwnedBy" in str(caught.value.hint)
