"""What a new Azure connector takes from the environment; no key where an identity will do."""

from __future__ import annotations

from pathlib import Path

import pytest
from microsoft_services import access_token, fake_az

from stacks.connectors.discovery import discover
from stacks.errors import CredentialsMissingError

KEY = {"AZURE_STORAGE_ACCOUNT_NAME": "acmestore", "AZURE_STORAGE_ACCOUNT_KEY": "canary"}
PRINCIPAL = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "canary"}


@pytest.fixture
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where ``az login`` was run."""
    fake_az(tmp_path, monkeypatch, access_token())


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any identity."""
    fake_az(tmp_path, monkeypatch, None)


def given(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_login_stays_where_it_is(logged_in: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "acmestore")
    found = discover("azure")
    assert (found.auth_method, found.config) == ("implicit", {"account_name": "acmestore"})
    assert "which stays where it is" in found.taken[0]
    assert found.taken[1] == "the storage account acmestore"


def test_an_identity_goes_before_every_key(logged_in: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stays before it: an implicit connector would otherwise prefer the variables."""
    given(monkeypatch, {**KEY, **PRINCIPAL})
    found = discover("azure")
    assert found.auth_method == "implicit"
    assert found.config == {"account_name": "acmestore", "identity_only": True}


@pytest.mark.parametrize(
    ("variables", "method", "fields"),
    [
        (KEY, "account-key", {"account_name", "account_key"}),
        ({"AZURE_STORAGE_CONNECTION_STRING": "canary"}, "connection-string", {"connection_string"}),
        (PRINCIPAL, "service-principal", {"tenant_id", "client_id", "client_secret"}),
        (
            {**KEY, **PRINCIPAL},
            "service-principal",
            {"account_name", "tenant_id", "client_id", "client_secret"},
        ),
        ({**KEY, "AZURE_STORAGE_SAS_TOKEN": "canary"}, "sas-token", {"account_name", "sas_token"}),
    ],
)
def test_without_an_identity_the_variables_are_taken_the_weakest_first(
    stranger: None,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    method: str,
    fields: set[str],
) -> None:
    given(monkeypatch, variables)
    found = discover("azure")
    assert (found.auth_method, set(found.config)) == (method, fields)
    assert "into the secret store" in found.taken[0]
    assert "canary" not in f"{found!r} {found.taken}"


def test_a_method_that_is_asked_for_takes_its_own_variables(
    logged_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, {**KEY, **PRINCIPAL})
    assert discover("azure", "account-key").auth_method == "account-key"
    with pytest.raises(CredentialsMissingError, match="connection-string") as caught:
        discover("azure", "connection-string")
    assert "AZURE_STORAGE_CONNECTION_STRING" in (caught.value.hint or "")
    with pytest.raises(CredentialsMissingError) as caught:
        discover("azure", "access-token")
    assert "az account get-access-token" in (caught.value.hint or "")


def test_with_nothing_at_all_it_says_what_there_could_be(stranger: None) -> None:
    with pytest.raises(CredentialsMissingError) as caught:
        discover("azure")
    assert "az login" in (caught.value.hint or "")


def test_implicit_takes_variables_where_there_is_no_identity(
    stranger: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(monkeypatch, KEY)
    found = discover("azure", "implicit")
    assert (found.auth_method, found.config) == ("implicit", {"account_name": "acmestore"})
