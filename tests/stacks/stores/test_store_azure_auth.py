"""Where an Azure store gets its account and its credentials from."""

from __future__ import annotations

import pytest

from stacks.credentials import AzureCredentials
from stacks.errors import StoreConfigError
from stacks.stores.azure import AzureArtifactStore
from stacks.stores.azure_auth import resolve_account

KEY_STRING = (
    "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5==;EndpointSuffix=core.windows.net"
)


@pytest.mark.parametrize(
    ("config", "environment", "url", "credentials"),
    [
        (
            {"account_name": "acme", "account_key": "k"},
            {},
            "https://acme.blob.core.windows.net",
            {"account_key": "k"},
        ),
        (
            {"account_name": "acme", "sas_token": "?sv=1"},
            {},
            "https://acme.blob.core.windows.net",
            {"sas_token": "sv=1"},
        ),
        (
            {"connection_string": KEY_STRING},
            {},
            "https://acme.blob.core.windows.net",
            {"account_key": "a2V5=="},
        ),
        (
            {"connection_string": "BlobEndpoint=https://x.example/;SharedAccessSignature=sv=1&sig=a=b"},
            {},
            "https://x.example",
            {"sas_token": "sv=1&sig=a=b"},
        ),
        (
            {},
            {"AZURE_STORAGE_CONNECTION_STRING": KEY_STRING},
            "https://acme.blob.core.windows.net",
            {"account_key": "a2V5=="},
        ),
        (
            {},
            {"AZURE_STORAGE_ACCOUNT_NAME": "env", "AZURE_STORAGE_ACCOUNT_KEY": "k"},
            "https://env.blob.core.windows.net",
            {"account_key": "k"},
        ),
        (
            {"account_name": "mine"},
            {"AZURE_STORAGE_ACCOUNT_NAME": "env", "AZURE_STORAGE_SAS_TOKEN": "s"},
            "https://mine.blob.core.windows.net",
            {"sas_token": "s"},
        ),
    ],
)
def test_where_credentials_come_from(
    config: dict[str, str], environment: dict[str, str], url: str, credentials: dict[str, str]
) -> None:
    found = resolve_account(config, None, None, environment)
    assert found.url == url
    assert found.provider() == AzureCredentials(**credentials)


def test_what_is_given_is_not_mixed_with_the_environment() -> None:
    found = resolve_account(
        {"account_name": "acme", "account_key": "mine"},
        None,
        None,
        {"AZURE_STORAGE_CONNECTION_STRING": KEY_STRING},
    )
    assert found.provider() == AzureCredentials(account_key="mine")


def test_a_callable_comes_first() -> None:
    def provide() -> AzureCredentials:
        return AzureCredentials(sas_token="short-lived")

    found = resolve_account({"account_name": "acme"}, provide, None, {"AZURE_STORAGE_ACCOUNT_KEY": "k"})
    assert found.provider is provide


@pytest.mark.parametrize(
    "config",
    [{"connection_string": "nonsense"}, {"account_name": "a", "tenant_id": "t"}],
)
def test_what_does_not_hold(config: dict[str, str]) -> None:
    with pytest.raises(StoreConfigError):
        resolve_account(config, None, None, {})


@pytest.mark.parametrize("config", [{}, {"account_key": "k"}])
def test_an_account_may_be_named_later_but_must_be_when_it_is_used(config: dict[str, str]) -> None:
    account = resolve_account(config, None, None, {})
    with pytest.raises(StoreConfigError, match="names no storage account"):
        account.reached_at("az_store")


def test_a_secret_of_the_seeds_form() -> None:
    provider = AzureArtifactStore.credentials_from_secret({"account_name": "a", "account_key": "k"})
    assert provider() == AzureCredentials(account_key="k")
    assert AzureArtifactStore.credentials_from_secret(
        {"connection_string": KEY_STRING}
    )() == AzureCredentials(account_key="a2V5==")
    with pytest.raises(StoreConfigError, match="pasword"):
        AzureArtifactStore.credentials_from_secret({"pasword": "x"})


def test_both_schemes_name_the_same_file() -> None:
    store = AzureArtifactStore("abfs://box/p", account_name="acme", account_key="k")
    assert store._key("az://box/p/x") == store._key("abfs://box/p/x") == "x"
    assert store.path == "abfs://box/p"
