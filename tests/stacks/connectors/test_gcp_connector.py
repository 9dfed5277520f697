"""GCP connectors, against token endpoints and a Cloud Storage that enforce what Google documents."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from google_services import ACCOUNT, Google, running_google
from named_secrets import Secrets

from stacks.connectors import check_covers, connector_type, create_connector
from stacks.connectors.gcp_boundary import ROLES, boundary, parse
from stacks.connectors.gcp_errors import sdk_installed
from stacks.credentials import GcpToken
from stacks.errors import (
    ConnectorError,
    ConnectorScopeError,
    CredentialsExpiredError,
    CredentialsMissingError,
    CredentialsWrongError,
    InvalidValueError,
    MissingExtraError,
    StacksError,
)
from stacks.state import ConnectorRecord

METHODS = ("implicit", "user-account", "service-account", "external-account", "oauth2-token", "impersonation")


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """A Google with the buckets ``data`` and ``database``; this machine is none of its own."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with running_google() as google:
        google.objects = {"data": {"mine/a": b"x", "minefield/a": b"x", "other/a": b"x"}, "database": {}}
        google.creators = {ACCOUNT, "user:engineer@example.com"}
        yield google


def record(
    google: Google, auth_method: str, resource_id: str | None = None, **config: Any
) -> ConnectorRecord:
    fields = {**google.endpoints(), **config}
    return ConnectorRecord(
        "mine", "gcp", auth_method, "gcs-bucket", resource_id, fields, authentication_secret="key"
    )


def connector(google: Google, auth_method: str, tmp_path: Path, **config: Any) -> Any:
    """A connector by each of the methods, with what the method needs."""
    secret = {"unused": "by implicit"}
    if auth_method == "user-account":
        secret = {"user_account_json": google.user_account_json()}
    elif auth_method == "service-account":
        secret = {"service_account_json": google.service_account_json()}
    elif auth_method == "external-account":
        secret = {"external_account_json": external_account(google, tmp_path)}
    elif auth_method == "oauth2-token":
        secret = {"token": google.issue()}
    elif auth_method == "impersonation":
        secret = {"service_account_json": google.service_account_json()}
        config = {"target_principal": ACCOUNT, **config}
    return create_connector(record(google, auth_method, **config), Secrets(key=secret))


def external_account(google: Google, tmp_path: Path, **changes: Any) -> str:
    """A workload identity whose token lies in a file, as Kubernetes leaves one."""
    token = tmp_path / "token"
    token.write_text("a-token-of-the-cluster")
    google.federated["a-token-of-the-cluster"] = "principal://pool/subject/ci"
    return json.dumps(
        {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/workloadIdentityPools/a/providers/b",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{google.url}/v1/token",
            "credential_source": {"file": str(token)},
            **changes,
        }
    )


@pytest.fixture
def adc(google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Application Default Credentials: the key of a service account."""
    path = tmp_path / "adc.json"
    path.write_text(google.service_account_json())
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


class Bucket:
    """Cloud Storage as the holder of a token sees it: every call answers with its status."""

    def __init__(self, google: Google, token: GcpToken) -> None:
        self._google = google
        self._headers = {"Authorization": f"Bearer {token.token}"}

    def __call__(self, method: str, path: str, **params: str) -> int:
        url = f"{self._google.url}{path}"
        answer = requests.request(method, url, params=params, headers=self._headers, data=b"x", timeout=10)
        return answer.status_code


# -- what a store receives


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_token_that_reaches_one_prefix_and_nothing_else(
    google: Google, adc: Path, tmp_path: Path, method: str
) -> None:
    token = connector(google, method, tmp_path).credentials_for("gs://data/mine")
    assert token.expires_at is not None
    assert timedelta(minutes=50) < token.expires_at - datetime.now(UTC) <= timedelta(minutes=60)
    call = Bucket(google, token)
    assert call("POST", "/upload/storage/v1/b/data/o", uploadType="media", name="mine/b") == 200
    assert call("GET", "/storage/v1/b/data/o/mine%2Fb") == 200
    assert call("GET", "/storage/v1/b/data/o", prefix="mine/") == 200
    assert call("DELETE", "/storage/v1/b/data/o/mine%2Fb") == 204

    assert call("GET", "/storage/v1/b/data/o/other%2Fa") == 403
    assert call("GET", "/storage/v1/b/data/o/minefield%2Fa") == 403
    assert call("DELETE", "/storage/v1/b/data/o/other%2Fa") == 403
    assert call("POST", "/upload/storage/v1/b/data/o", uploadType="media", name="other/b") == 403
    assert call("GET", "/storage/v1/b/data/o") == 403
    assert call("GET", "/storage/v1/b/data/o", prefix="minefield/") == 403
    assert call("GET", "/storage/v1/b/database/o", prefix="mine/") == 403
    assert call("GET", "/storage/v1/b", project="project") == 403


def test_a_whole_bucket_is_granted_with_its_settings_and_no_other(google: Google, tmp_path: Path) -> None:
    call = Bucket(google, connector(google, "service-account", tmp_path).credentials_for("gs://data"))
    assert call("GET", "/storage/v1/b/data") == 200
    assert call("GET", "/storage/v1/b/data/o") == 200
    assert call("GET", "/storage/v1/b/data/o/other%2Fa") == 200
    assert call("GET", "/storage/v1/b/database/o") == 403
    assert call("GET", "/storage/v1/b/database") == 403


def test_read_only_tokens_do_not_write(google: Google, tmp_path: Path) -> None:
    mine = connector(google, "service-account", tmp_path)
    call = Bucket(google, mine.credentials_for("gs://data", "read-only"))
    assert call("GET", "/storage/v1/b/data/o/mine%2Fa") == 200
    assert call("GET", "/storage/v1/b/data/o") == 200
    assert call("POST", "/upload/storage/v1/b/data/o", uploadType="media", name="mine/b") == 403
    assert call("DELETE", "/storage/v1/b/data/o/mine%2Fa") == 403


def test_a_read_only_connector_grants_no_writing(google: Google, tmp_path: Path) -> None:
    mine = connector(google, "service-account", tmp_path, access="read-only")
    assert mine.access == "read-only"
    with pytest.raises(ConnectorScopeError, match="grants reading only"):
        mine.credentials_for("gs://data", "read-write")


def test_a_key_whose_tokens_are_not_to_be_temporary_reaches_all_its_storage_and_nothing_more(
    google: Google, tmp_path: Path
) -> None:
    """--generate_temporary_tokens=False, as the documents that our users come from have it."""
    mine = connector(google, "service-account", tmp_path, generate_temporary_tokens="False")
    token = mine.credentials_for("gs://data/mine")
    assert google.tokens[token.token].boundary is None
    assert google.tokens[token.token].scope == "https://www.googleapis.com/auth/devstorage.read_write"
    assert Bucket(google, token)("GET", "/storage/v1/b/database/o") == 200
    reading = google.tokens[mine.credentials_for("gs://data", "read-only").token]
    assert reading.scope == "https://www.googleapis.com/auth/devstorage.read_only"


def test_without_a_resource_the_token_is_for_all_of_the_project(google: Google, tmp_path: Path) -> None:
    token = connector(google, "user-account", tmp_path).credentials_for()
    assert google.tokens[token.token].principal == "user:engineer@example.com"
    assert google.tokens[token.token].boundary is None


def test_the_end_of_the_source_holds_when_the_exchange_names_none(google: Google, tmp_path: Path) -> None:
    google.says_lifetime = False
    token = connector(google, "service-account", tmp_path).credentials_for("gs://data")
    assert token.expires_at is not None
    assert timedelta(minutes=50) < token.expires_at - datetime.now(UTC) <= timedelta(minutes=60)


def test_an_impersonated_token_lives_as_long_as_asked_less_the_tolerance(
    google: Google, tmp_path: Path
) -> None:
    mine = connector(google, "impersonation", tmp_path, session_seconds=900, expires_skew_tolerance=60)
    token = mine.credentials_for("gs://data")
    assert token.expires_at is not None
    assert timedelta(seconds=780) < token.expires_at - datetime.now(UTC) <= timedelta(seconds=840)
    generate = next(one for one in google.asked if one.path.endswith(":generateAccessToken"))
    assert json.loads(generate.body)["lifetime"] == "900s"


def test_impersonation_is_asked_for_by_the_environment_where_there_is_no_key(
    google: Google, adc: Path
) -> None:
    mine = ConnectorRecord(
        "mine", "gcp", "impersonation", config={"target_principal": ACCOUNT, **google.endpoints()}
    )
    token = create_connector(mine, Secrets()).credentials_for("gs://data")
    assert google.tokens[token.token].boundary is not None


def test_federation_may_end_in_a_service_account(google: Google, tmp_path: Path) -> None:
    google.creators = {"principal://pool/subject/ci"}
    path = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
    document = external_account(google, tmp_path, service_account_impersonation_url=f"{google.url}{path}")
    mine = create_connector(
        record(google, "external-account"), Secrets(key={"external_account_json": document})
    )
    token = mine.credentials_for("gs://data")
    assert google.tokens[token.token].principal == ACCOUNT


def test_a_token_from_elsewhere_ends_when_it_says(google: Google) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    secrets = Secrets(key={"token": google.issue()})
    mine = record(google, "oauth2-token", expires_at=end.isoformat(), expires_skew_tolerance=60)
    assert create_connector(mine, secrets).credentials_for().expires_at == end - timedelta(seconds=60)
    over = record(google, "oauth2-token", expires_at="2020-01-01T00:00:00+00:00")
    google.asked.clear()
    with pytest.raises(CredentialsExpiredError, match="expired at 2020-01-01"):
        create_connector(over, secrets).credentials_for("gs://data")
    assert not google.asked


# -- resources


def test_a_connector_with_a_resource_of_its_own_covers_that_alone(google: Google) -> None:
    secrets = Secrets(key={"service_account_json": google.service_account_json()})
    bound = record(google, "service-account", "gs://data/mine")
    mine = create_connector(bound, secrets)
    assert mine.list_resources() == ["gs://data/mine"]
    assert mine.verify() == ["gs://data/mine"]
    assert mine.verify("data/mine/deeper") == ["gs://data/mine/deeper"]
    for outside in ("gs://data", "gs://data/minefield", "gs://database/mine"):
        with pytest.raises(ConnectorScopeError, match="does not contain"):
            mine.credentials_for(outside)
        with pytest.raises(ConnectorScopeError, match="does not contain"):
            check_covers(bound, frozenset({"gs://"}), outside)
    with pytest.raises(ConnectorScopeError, match="cannot serve s3://data"):
        check_covers(bound, frozenset({"s3://"}), "s3://data")


def test_resources_are_listed_page_by_page_with_a_project(google: Google, tmp_path: Path) -> None:
    mine = connector(google, "service-account", tmp_path, project_id="project")
    assert mine.list_resources() == ["gs://data", "gs://database"]
    assert mine.verify() == ["gs://data", "gs://database"]
    with pytest.raises(ConnectorError, match="names no project") as caught:
        connector(google, "service-account", tmp_path).list_resources()
    assert "--project_id=" in (caught.value.hint or "")


def test_verifying_tells_a_missing_bucket_from_a_missing_right(google: Google, tmp_path: Path) -> None:
    mine = connector(google, "service-account", tmp_path)
    with pytest.raises(ConnectorScopeError, match="no bucket gs://gone"):
        mine.verify("gs://gone")
    writer = google.issue(scope="https://www.googleapis.com/auth/devstorage.write_only")
    other = record(google, "oauth2-token", generate_temporary_tokens=False)
    with pytest.raises(InvalidValueError, match="no field 'generate_temporary_tokens'"):
        create_connector(other, Secrets(key={"token": writer}))
    with pytest.raises(ConnectorError, match="cannot be downscoped"):
        create_connector(record(google, "oauth2-token"), Secrets(key={"token": writer})).verify("gs://data")


def test_what_a_store_takes_from_its_connector(google: Google, tmp_path: Path) -> None:
    mine = connector(google, "service-account", tmp_path, project_id="project")
    assert mine.store_settings() == {"project": "project", "endpoint_url": google.url}
    assert connector_type("gcp").resource_types == ("gcs-bucket", "gcp-generic")


# -- errors, each with the command that mends it


def failing(google: Google, method: str, secret: dict[str, str], **config: Any) -> StacksError:
    with pytest.raises(StacksError) as caught:
        create_connector(record(google, method, **config), Secrets(key=secret)).credentials_for("gs://data")
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
    mine = record(google, "service-account")
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


# -- boundaries


def test_nothing_in_a_prefix_ends_its_literal() -> None:
    """The server's own parser of these expressions stands in for Google's; see the tests above."""
    place = parse("gs://data/it's\\a || true")
    limits = boundary(place, "read-only")
    (rule,) = limits["accessBoundary"]["accessBoundaryRules"]
    expression = rule["availabilityCondition"]["expression"]
    assert "startsWith('projects/_/buckets/data/objects/it\\'s\\\\a || true/')" in expression
    assert rule["availablePermissions"] == ["inRole:roles/storage.objectViewer"]


def test_no_role_within_a_boundary_may_change_who_has_access() -> None:
    names = {role for roles in ROLES.values() for role in roles}
    assert not {name for name in names if "Admin" in name or "Owner" in name}


def test_hostile_prefixes_reach_themselves_alone(google: Google, tmp_path: Path) -> None:
    google.objects["data"]["it's\\a || true/x"] = b"x"
    call = Bucket(
        google, connector(google, "service-account", tmp_path).credentials_for("gs://data/it's\\a || true")
    )
    assert call("GET", "/storage/v1/b/data/o/it's%5Ca%20%7C%7C%20true%2Fx") == 200
    assert call("GET", "/storage/v1/b/data/o/mine%2Fa") == 403


# -- secrets stay where they are


def everything(error: BaseException | None) -> str:
    """All that printing an error could show, its causes and notes included."""
    said = ""
    while error is not None:
        said += f"{error!r} {error} {getattr(error, 'hint', '')} {getattr(error, '__notes__', '')} "
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said


def test_no_repr_log_or_pickle_has_a_secret(
    google: Google, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    google.refresh_tokens["canary"] = "user:engineer@example.com"
    secrets = Secrets(key={"user_account_json": google.user_account_json("canary-refresh")})
    mine = create_connector(record(google, "user-account"), secrets)
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
