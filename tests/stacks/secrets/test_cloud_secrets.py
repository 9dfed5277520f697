"""Secrets in AWS Secrets Manager, Google Secret Manager and Azure Key Vault: one behaviour."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aws import REGION, Aws
from certificates import loopback_certificate
from google_services import Google, running_google
from hypothesis import given
from hypothesis import strategies as st
from microsoft_services import access_token, fake_az
from named_secrets import everything
from secret_services import KeyVault, SecretManager, running_key_vault, running_secret_manager
from small_server import Answer

from stacks.client import Client
from stacks.errors import (
    ComponentExistsError,
    CredentialsExpiredError,
    CredentialsMissingError,
    InvalidNameError,
    InvalidValueError,
    SecretError,
    SecretLockedError,
    SecretNotFoundError,
)
from stacks.secrets import SecretStore, secret_store
from stacks.secrets.cloud import escaped, unescaped

VAULT = "https://vault.azure.net"
CLOUDS = ("aws", "google", "azure")


@dataclass
class Rig:
    """A cloud's service, and a store in it as STACKS_SECRET_STORE names it."""

    name: str
    store: SecretStore
    refuse: Callable[[], None]
    service: Aws | SecretManager | KeyVault

    def keep(self, identifier: str, text: str) -> None:
        """Something that the service holds, whoever put it there."""
        if isinstance(self.service, Aws):
            self.service.client("secretsmanager").create_secret(Name=identifier, SecretString=text)
        elif isinstance(self.service, SecretManager):
            self.service.secrets[identifier] = [text]
        else:
            self.service.secrets[identifier] = text


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """A Google whose key is what the environment has."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with running_google() as google:
        key = tmp_path / "adc.json"
        key.write_text(google.service_account_json())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        yield google


@pytest.fixture
def manager(google: Google, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretManager]:
    """Google Secret Manager of the project acme."""
    with running_secret_manager(google) as manager:
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", manager.url)
        yield manager


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVault]:
    """A key vault, on a machine where ``az login`` was run."""
    certificate, both = loopback_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    fake_az(tmp_path, monkeypatch, access_token(VAULT))
    monkeypatch.setattr("stacks.secrets.azure_key_vault._PAUSE", 0.01)
    with running_key_vault(both) as vault:
        yield vault


def chosen(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    monkeypatch.setenv("STACKS_SECRET_STORE", url)
    return secret_store(home)


@pytest.fixture(params=CLOUDS)
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Each cloud in turn."""
    if request.param == "aws":
        aws: Aws = request.getfixturevalue("aws")
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
        user = aws.user("keeper", "sts:GetCallerIdentity")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_access_key)
        store = chosen(f"aws-secrets-manager://{REGION}", tmp_path, monkeypatch)
        return Rig("aws", store, aws.enforce, aws)
    if request.param == "google":
        manager: SecretManager = request.getfixturevalue("manager")
        denied = {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Permission denied"}}
        store = chosen("google-secret-manager://acme", tmp_path, monkeypatch)
        return Rig("google", store, lambda: setattr(manager, "refuses", Answer(403, denied)), manager)
    vault: KeyVault = request.getfixturevalue("vault")
    forbidden = Answer(403, {"error": {"code": "Forbidden", "message": "no"}})
    store = chosen(f"azure-key-vault://{vault.place}", tmp_path, monkeypatch)
    return Rig("azure", store, lambda: setattr(vault, "refuses", forbidden), vault)


# -- one behaviour


def test_what_is_put_is_there_under_its_name(rig: Rig) -> None:
    names = ["my_secret", "my-secret", "MY-secret", "mine.artifact-store", "a"]
    for name in names:
        rig.store.put(name, {"key": name, "other": "ünïcode 🔑\n"})
    assert rig.store.names() == sorted(names)
    for name in names:
        assert dict(rig.store.get(name)) == {"key": name, "other": "ünïcode 🔑\n"}


def test_a_name_is_taken_once_and_replaced_only_on_request(rig: Rig) -> None:
    rig.store.put("mine", {"key": "1"})
    with pytest.raises(ComponentExistsError, match="'mine'"):
        rig.store.put("mine", {"key": "2"})
    assert rig.store.get("mine")["key"] == "1"
    rig.store.put("mine", {"key": "3"}, replacing=True)
    assert rig.store.get("mine")["key"] == "3"
    rig.store.put("new", {"key": "4"}, replacing=True)
    assert rig.store.get("new")["key"] == "4"


def test_what_is_deleted_is_gone_and_its_name_is_free_again(rig: Rig) -> None:
    rig.store.put("mine", {"key": "1"})
    rig.store.delete("mine")
    assert rig.store.names() == []
    with pytest.raises(SecretNotFoundError, match="'mine'"):
        rig.store.get("mine")
    with pytest.raises(SecretNotFoundError):
        rig.store.delete("mine")
    rig.store.put("mine", {"key": "2"})
    assert rig.store.get("mine")["key"] == "2"
    rig.store.delete("mine")
    rig.store.put("mine", {"key": "3"}, replacing=True)
    assert rig.store.get("mine")["key"] == "3"


def test_a_secret_can_be_renamed_but_not_onto_another(rig: Rig) -> None:
    rig.store.put("mine", {"key": "1"})
    rig.store.put("other", {"key": "2"})
    with pytest.raises(ComponentExistsError):
        rig.store.rename("mine", "other")
    rig.store.rename("mine", "yours")
    assert rig.store.names() == ["other", "yours"]
    assert rig.store.get("yours")["key"] == "1"
    with pytest.raises(SecretNotFoundError):
        rig.store.rename("mine", "x")


def test_what_others_keep_there_is_neither_listed_nor_read(rig: Rig) -> None:
    """Nor is what looks like ours and is not."""
    ours = "stacks/odd" if rig.name == "aws" else "stacks-odd"
    for identifier in ("database-password", "stacksandmore", ours):
        rig.keep(identifier, "canary")
    assert rig.store.names() == ["odd"]
    with pytest.raises(SecretError, match="holds no secret of this library") as caught:
        rig.store.get("odd")
    assert "canary" not in everything(caught.value)


def test_the_environment_goes_first(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.store.put("mine", {"key": "cloud"})
    monkeypatch.setenv("STACKS_SECRET__MINE__KEY", "here")
    assert rig.store.get("mine")["key"] == "here"


def test_a_missing_right_names_the_right(rig: Rig) -> None:
    rig.store.put("mine", {"key": "canary"})
    rig.refuse()
    for call in (rig.store.names, lambda: rig.store.get("mine"), lambda: rig.store.delete("mine")):
        with pytest.raises(SecretLockedError) as caught:
            call()
        hint = caught.value.hint or ""
        assert "secretsmanager:" in hint or "roles/secretmanager" in hint or "Key Vault Secrets" in hint


def test_too_much_for_the_service_is_refused_here(rig: Rig) -> None:
    with pytest.raises(InvalidValueError, match="larger than") as caught:
        rig.store.put("mine", {"key": "canary" * 20_000})
    assert "canary" not in everything(caught.value)


def test_no_repr_pickle_or_log_has_a_value(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rig.store.put("mine", {"key": "canary-value"})
    assert "canary" not in f"{rig.store!r} {rig.store.get('mine')!r}"
    again = pickle.loads(pickle.dumps(rig.store))
    assert b"canary" not in pickle.dumps(rig.store)
    assert again.get("mine")["key"] == "canary-value"
    assert "canary" not in caplog.text


def test_components_keep_their_secrets_there(rig: Rig, tmp_path: Path) -> None:
    client = Client(str(tmp_path / "state.json"))
    client.register_connector(
        "mine",
        "aws",
        "secret-key",
        config={"aws_access_key_id": "AKIA", "aws_secret_access_key": "canary"},
    )
    assert rig.store.get("mine.service-connector")["aws_secret_access_key"] == "canary"
    assert not (tmp_path / "secrets.json").exists()
    assert "canary" not in (tmp_path / "state.json").read_text()
    client.delete_connector("mine")
    assert rig.store.names() == []


# -- each service's own


def test_a_google_secret_without_a_version_is_none_yet(
    manager: SecretManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Creating takes two requests; who was interrupted in between has left a name that is still free."""
    store = chosen("google-secret-manager://acme", tmp_path, monkeypatch)
    manager.secrets = {"stacks-half": [], "stacks-destroyed": ["x", None]}
    for name in ("half", "destroyed"):
        with pytest.raises(SecretNotFoundError):
            store.get(name)
        store.put(name, {"key": "1"})
        assert store.get(name)["key"] == "1"


def test_google_errors_say_what_to_do(
    manager: SecretManager, google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = chosen("google-secret-manager://nope", tmp_path, monkeypatch)
    with pytest.raises(SecretError, match="knows no project nope"):
        store.names()
    off = {
        "error": {"message": "Secret Manager API has not been used in project acme before or it is disabled."}
    }
    manager.refuses = Answer(403, off)
    with pytest.raises(SecretError, match="switched off") as caught:
        chosen("google-secret-manager://acme", tmp_path, monkeypatch).names()
    assert "gcloud services enable" in (caught.value.hint or "")
    google.key_revoked = True
    with pytest.raises(CredentialsExpiredError):
        chosen("google-secret-manager://acme", tmp_path, monkeypatch).names()
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    with pytest.raises(CredentialsMissingError):
        chosen("google-secret-manager://acme", tmp_path, monkeypatch).names()


def test_no_token_of_a_vault_goes_elsewhere(
    vault: KeyVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = chosen(f"azure-key-vault://{vault.place}", tmp_path, monkeypatch)
    vault.secrets = {f"stacks-{n}": json.dumps({"k": "v"}) for n in "abc"}
    assert store.names() == ["a", "b", "c"]
    vault.next_link = "https://evil.example/secrets"
    with pytest.raises(SecretError, match="next page elsewhere"):
        store.names()


def test_who_is_not_logged_in_at_microsoft_is_told_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_az(tmp_path, monkeypatch, None)
    with pytest.raises(CredentialsMissingError) as caught:
        chosen("azure-key-vault://acme", tmp_path, monkeypatch).names()
    assert "az login" in (caught.value.hint or "")


def test_who_has_no_credentials_of_aws_is_told_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialsMissingError, match="no AWS credentials"):
        chosen(f"aws-secrets-manager://{REGION}", tmp_path, monkeypatch).names()
    with pytest.raises(SecretError, match="needs a region"):
        chosen("aws-secrets-manager://", tmp_path, monkeypatch).names()
    monkeypatch.setenv("AWS_REGION", REGION)
    with pytest.raises(CredentialsMissingError, match="no AWS credentials"):
        chosen("aws-secrets-manager://", tmp_path, monkeypatch).names()


# -- choosing one


@pytest.mark.parametrize(
    "named",
    [
        "vault://x",
        "aws-secrets-manager",
        "google-secret-manager://",
        "azure-key-vault://a b",
        "azure-key-vault://v/Pre-fix",
    ],
)
def test_a_store_that_does_not_exist_is_refused(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        chosen(named, tmp_path, monkeypatch)
    assert caught.value.hint


def test_the_encrypted_file_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for named in ("", "file"):
        assert "EncryptedFileSecretStore" in repr(chosen(named, tmp_path, monkeypatch))


def test_two_prefixes_share_a_place(vault: KeyVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = chosen(f"azure-key-vault://{vault.place}/one", tmp_path, monkeypatch)
    two = chosen(f"azure-key-vault://{vault.place}/two", tmp_path, monkeypatch)
    one.put("mine", {"key": "1"})
    assert (one.names(), two.names()) == (["mine"], [])


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", fullmatch=True))
def test_every_name_survives_where_only_small_letters_digits_and_dashes_do(name: str) -> None:
    assert set(escaped(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert unescaped(escaped(name)) == name


def test_a_name_too_long_for_the_vault_is_refused_here(
    vault: KeyVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = chosen(f"azure-key-vault://{vault.place}", tmp_path, monkeypatch)
    with pytest.raises(InvalidNameError, match="too long for Azure Key Vault"):
        store.put("A" * 100, {"key": "1"})
