"""What GCP connectors say when something is wrong, and what they never say."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import pytest
from gcp_connectors import external_account, gcp_record
from google_services import ACCOUNT, Google
from named_secrets import Secrets, everything

from stacks.connectors import create_connector
from stacks.connectors.gcp_errors import sdk_installed
from stacks.errors import (
    ConnectorError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    InvalidValueError,
    MissingExtraError,
    StacksError,
)
from stacks.state import ConnectorRecord

# -- errors, each with the command that mends it


def failing(google: Google, method: str, secret: dict[str, str], **config: Any) -> StacksError:
    with pytest.raises(StacksError) as caught:
        create_connector(gcp_record(google, method, **config), Secrets(key=secret)).credentials_for(
            "gs://data"
        )
    return caught.value


def test_a_revoked_login_says_how_to_log_in_again(google: Google) -> None:
    document = google.user_account_json("refresh-canary")
    google.refresh_tokens.clear()
    error = failing(google, "user-account", {"user_account_json": document})
    assert isinstance(error, CredentialsExpiredError)
    assert "gcloud auth application-default login" in (error.hint or "")
    assert "canary" not in everything(error)


def test_an_unknown_client_is_told_apart(google: Google) -> None:
    document = json.loads(google.user_account_json()) | {"client_secret": "canary"}
    error = failing(google, "user-account", {"user_account_json": json.dumps(document)})
    assert isinstance(error, CredentialsWrongError)
    assert "canary" not in everything(error)


def test_a_deleted_key_says_how_to_make_another(google: Google) -> None:
    google.key_revoked = True
    error = failing(google, "service-account", {"service_account_json": google.service_account_json()})
    assert isinstance(error, CredentialsExpiredError)
    assert "gcloud iam service-accounts keys create" in (error.hint or "")


def test_who_may_not_impersonate_is_given_the_command_for_it(google: Google) -> None:
    google.creators = set()
    key = {"service_account_json": google.service_account_json()}
    error = failing(google, "impersonation", key, target_principal=ACCOUNT)
    assert isinstance(error, ConnectorError)
    assert ACCOUNT in str(error)
    assert "roles/iam.serviceAccountTokenCreator" in (error.hint or "")
    gone = failing(google, "impersonation", key, target_principal="gone@project.iam.gserviceaccount.com")
    assert "there is no service account gone@project" in str(gone)
    google.creators = {ACCOUNT}
    long = failing(google, "impersonation", key, target_principal=ACCOUNT, session_seconds=7200)
    assert "allowServiceAccountCredentialLifetimeExtension" in (long.hint or "")


def test_a_pool_that_refuses_says_so(google: Google, tmp_path: Path) -> None:
    document = external_account(google, tmp_path)
    google.federated.clear()
    error = failing(google, "external-account", {"external_account_json": document})
    assert isinstance(error, CredentialsWrongError)
    assert "workload-identity-pools" in (error.hint or "")


def test_an_access_token_that_is_over_is_expired(google: Google) -> None:
    error = failing(google, "oauth2-token", {"token": google.issue(seconds=-1)})
    assert isinstance(error, CredentialsExpiredError)
    assert "gcloud auth print-access-token" in (error.hint or "")


def test_without_any_credentials_it_says_where_to_get_some(google: Google) -> None:
    error = failing(google, "implicit", {})
    assert isinstance(error, CredentialsMissingError)
    assert "gcloud auth application-default login" in (error.hint or "")


def test_no_ambient_credentials_stand_in_for_a_connectors_own(google: Google, adc: Path) -> None:
    """The environment could answer all of these; none of them asks it."""
    document = google.user_account_json()
    google.refresh_tokens.clear()
    assert isinstance(
        failing(google, "user-account", {"user_account_json": document}), CredentialsExpiredError
    )
    assert isinstance(failing(google, "oauth2-token", {"token": "unknown"}), CredentialsExpiredError)
    google.creators = set()
    error = failing(google, "impersonation", {}, target_principal=ACCOUNT)
    assert "may not create tokens" in str(error)


def test_a_google_that_is_not_there_is_said() -> None:
    fields = {"sts_endpoint_url": "http://127.0.0.1:9", "endpoint_url": "http://127.0.0.1:9"}
    mine = ConnectorRecord("mine", "gcp", "oauth2-token", config=fields, authentication_secret="key")
    with pytest.raises(ConnectorError, match="does not reach Google"):
        create_connector(mine, Secrets(key={"token": "t"})).credentials_for("gs://data")
    with pytest.raises(ConnectorError, match="does not reach Cloud Storage"):
        create_connector(
            ConnectorRecord("mine", "gcp", "oauth2-token", None, None, {**fields, "project_id": "p"}, "key"),
            Secrets(key={"token": "t"}),
        ).list_resources()


@pytest.mark.parametrize(
    ("method", "field", "value", "why"),
    [
        ("service-account", "service_account_json", "canary{", "no JSON document"),
        ("service-account", "service_account_json", '{"type": "authorized_user", "x": "canary"}', "lacks"),
        ("service-account", "service_account_json", "@/no/canary.json", "cannot be read"),
        ("user-account", "user_account_json", '["canary"]', "no JSON document"),
        ("external-account", "external_account_json", '{"type": "service_account"}', "lacks audience"),
        ("oauth2-token", "token", "canary\nX-Evil: 1", "characters that none can have"),
        ("oauth2-token", "token", "  ", "has no token"),
    ],
)
def test_what_cannot_be_credentials_is_refused_without_being_quoted(
    google: Google, method: str, field: str, value: str, why: str
) -> None:
    error = failing(google, method, {field: value})
    assert why in str(error)
    assert error.hint
    assert "canary" not in everything(error).replace("/no/canary.json", "")


def test_a_private_key_that_does_not_parse_is_refused_without_being_quoted(google: Google) -> None:
    document = json.loads(google.service_account_json()) | {"private_key": "canary"}
    error = failing(google, "service-account", {"service_account_json": json.dumps(document)})
    assert isinstance(error, CredentialsWrongError)
    assert "canary" not in everything(error)


def test_a_key_may_lie_in_a_file_of_its_own(google: Google, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(google.service_account_json())
    mine = gcp_record(google, "service-account")
    assert create_connector(mine, Secrets(key={"service_account_json": f"@{path}"})).verify("gs://data")


@pytest.mark.parametrize("field", ["token_url", "service_account_impersonation_url"])
def test_no_document_sends_a_token_anywhere_in_clear(google: Google, tmp_path: Path, field: str) -> None:
    document = external_account(google, tmp_path, **{field: "http://evil.example/token"})
    error = failing(google, "external-account", {"external_account_json": document})
    assert isinstance(error, InvalidValueError)
    assert "no https:// URL" in str(error)


@pytest.mark.parametrize(
    ("config", "resource", "why"),
    [
        ({"endpoint_url": "http://storage.example"}, None, "no https:// URL"),
        ({"sts_endpoint_url": "https://user:pw@sts.example"}, None, "more than scheme"),
        ({}, "gs://A", "names no Cloud Storage bucket"),
        ({}, "gs://data/../other", "names no place"),
        ({"generate_temporary_tokens": "perhaps"}, None, "must be true or false"),
        ({"access": "all"}, None, "'all' is neither of"),
    ],
)
def test_a_record_that_does_not_hold_is_refused_before_anything_is_contacted(
    config: dict[str, Any], resource: str | None, why: str
) -> None:
    mine = ConnectorRecord("m", "gcp", "service-account", None, resource, config, "key")
    with pytest.raises(InvalidValueError, match=why):
        create_connector(mine, Secrets(key={"service_account_json": "{}"}))


def test_who_is_impersonated_must_be_a_service_account() -> None:
    mine = ConnectorRecord("m", "gcp", "impersonation", config={"target_principal": "me@example.com"})
    with pytest.raises(InvalidValueError, match="is no service account"):
        create_connector(mine, Secrets())


# -- secrets stay where they are


def test_no_repr_log_or_pickle_has_a_secret(
    google: Google, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    google.refresh_tokens["canary"] = "user:engineer@example.com"
    secrets = Secrets(key={"user_account_json": google.user_account_json("canary-refresh")})
    mine = create_connector(gcp_record(google, "user-account"), secrets)
    token = mine.credentials_for("gs://data")
    assert token.token not in f"{token!r} {token}"
    assert "canary" not in f"{mine!r} {mine} {mine.record!r}"
    assert b"canary" not in pickle.dumps(mine.record.name)
    said = " ".join(one.getMessage() for one in caplog.records)
    assert "canary" not in said
    assert token.token not in said


def test_a_missing_sdk_names_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingExtraError, match="need google-auth") as caught, sdk_installed():
        raise ModuleNotFoundError("No module named 'google'", name="google.auth")
    assert caught.value.extra == "gcp"
    with pytest.raises(ModuleNotFoundError, match="other"), sdk_installed():
        raise ModuleNotFoundError("No module named 'other'", name="other")
