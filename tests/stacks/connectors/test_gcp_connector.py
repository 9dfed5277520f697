"""GCP connectors, against token endpoints and a Cloud Storage that enforce what Google documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from fake_gcs import create_bucket, running_gcs
from gcp_connectors import external_account, gcp_connector, gcp_record
from google_services import ACCOUNT, Google
from named_secrets import Secrets

from stacks.client import Client
from stacks.connectors import check_covers, connector_type, create_connector
from stacks.connectors.gcp_boundary import ROLES, boundary, parse
from stacks.credentials import GcpToken
from stacks.errors import (
    ConnectorConfigError,
    ConnectorError,
    ConnectorScopeError,
    CredentialsExpiredError,
    InvalidValueError,
)
from stacks.state import ConnectorRecord

METHODS = ("implicit", "user-account", "service-account", "external-account", "oauth2-token", "impersonation")


class Bucket:
    """Cloud Storage as the holder of a token sees it: every call answers with its status."""

    def __init__(self, google: Google, token: GcpToken) -> None:
        self._google = google
        self._headers = {"Authorization": f"Bearer {token.token}"}

    def __call__(self, method: str, path: str, **params: str) -> int:
        url = f"{self._google.url}{path}"
        data = b"x" if method == "POST" else None
        answer = requests.request(method, url, params=params, headers=self._headers, data=data, timeout=10)
        return answer.status_code


# -- what a store receives


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_token_that_reaches_one_prefix_and_nothing_else(
    google: Google, adc: Path, tmp_path: Path, method: str
) -> None:
    token = gcp_connector(google, method, tmp_path).credentials_for("gs://data/mine")
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
    call = Bucket(google, gcp_connector(google, "service-account", tmp_path).credentials_for("gs://data"))
    assert call("GET", "/storage/v1/b/data") == 200
    assert call("GET", "/storage/v1/b/data/o") == 200
    assert call("GET", "/storage/v1/b/data/o/other%2Fa") == 200
    assert call("GET", "/storage/v1/b/database/o") == 403
    assert call("GET", "/storage/v1/b/database") == 403


def test_read_only_tokens_do_not_write(google: Google, tmp_path: Path) -> None:
    mine = gcp_connector(google, "service-account", tmp_path)
    call = Bucket(google, mine.credentials_for("gs://data", "read-only"))
    assert call("GET", "/storage/v1/b/data/o/mine%2Fa") == 200
    assert call("GET", "/storage/v1/b/data/o") == 200
    assert call("POST", "/upload/storage/v1/b/data/o", uploadType="media", name="mine/b") == 403
    assert call("DELETE", "/storage/v1/b/data/o/mine%2Fa") == 403


def test_a_read_only_connector_grants_no_writing(google: Google, tmp_path: Path) -> None:
    mine = gcp_connector(google, "service-account", tmp_path, access="read-only")
    assert mine.access == "read-only"
    with pytest.raises(ConnectorScopeError, match="grants reading only"):
        mine.credentials_for("gs://data", "read-write")


def test_a_key_whose_tokens_are_not_to_be_temporary_reaches_all_its_storage_and_nothing_more(
    google: Google, tmp_path: Path
) -> None:
    """--generate_temporary_tokens=False, as the documents that our users come from have it."""
    mine = gcp_connector(google, "service-account", tmp_path, generate_temporary_tokens="False")
    token = mine.credentials_for("gs://data/mine")
    assert google.tokens[token.token].boundary is None
    assert google.tokens[token.token].scope == "https://www.googleapis.com/auth/devstorage.read_write"
    assert Bucket(google, token)("GET", "/storage/v1/b/database/o") == 200
    reading = google.tokens[mine.credentials_for("gs://data", "read-only").token]
    assert reading.scope == "https://www.googleapis.com/auth/devstorage.read_only"


def test_without_a_resource_the_token_is_for_all_of_the_project(google: Google, tmp_path: Path) -> None:
    token = gcp_connector(google, "user-account", tmp_path).credentials_for()
    assert google.tokens[token.token].principal == "user:engineer@example.com"
    assert google.tokens[token.token].boundary is None


def test_the_end_of_the_source_holds_when_the_exchange_names_none(google: Google, tmp_path: Path) -> None:
    google.says_lifetime = False
    token = gcp_connector(google, "service-account", tmp_path).credentials_for("gs://data")
    assert token.expires_at is not None
    assert timedelta(minutes=50) < token.expires_at - datetime.now(UTC) <= timedelta(minutes=60)


def test_an_impersonated_token_lives_as_long_as_asked_less_the_tolerance(
    google: Google, tmp_path: Path
) -> None:
    mine = gcp_connector(google, "impersonation", tmp_path, session_seconds=900, expires_skew_tolerance=60)
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
        gcp_record(google, "external-account"), Secrets(key={"external_account_json": document})
    )
    token = mine.credentials_for("gs://data")
    assert google.tokens[token.token].principal == ACCOUNT


def test_a_token_from_elsewhere_ends_when_it_says(google: Google) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    secrets = Secrets(key={"token": google.issue()})
    mine = gcp_record(google, "oauth2-token", expires_at=end.isoformat(), expires_skew_tolerance=60)
    assert create_connector(mine, secrets).credentials_for().expires_at == end - timedelta(seconds=60)
    over = gcp_record(google, "oauth2-token", expires_at="2020-01-01T00:00:00+00:00")
    google.asked.clear()
    with pytest.raises(CredentialsExpiredError, match="expired at 2020-01-01"):
        create_connector(over, secrets).credentials_for("gs://data")
    assert not google.asked


# -- resources


def test_a_connector_with_a_resource_of_its_own_covers_that_alone(google: Google) -> None:
    secrets = Secrets(key={"service_account_json": google.service_account_json()})
    bound = gcp_record(google, "service-account", "gs://data/mine")
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
    mine = gcp_connector(google, "service-account", tmp_path, project_id="project")
    assert mine.list_resources() == ["gs://data", "gs://database"]
    assert mine.verify() == ["gs://data", "gs://database"]
    with pytest.raises(ConnectorConfigError, match="names no project") as caught:
        gcp_connector(google, "service-account", tmp_path).list_resources()
    assert "--project_id=" in (caught.value.hint or "")


def test_verifying_tells_a_missing_bucket_from_a_missing_right(google: Google, tmp_path: Path) -> None:
    mine = gcp_connector(google, "service-account", tmp_path)
    with pytest.raises(ConnectorScopeError, match="no bucket gs://gone"):
        mine.verify("gs://gone")
    writer = google.issue(scope="https://www.googleapis.com/auth/devstorage.write_only")
    other = gcp_record(google, "oauth2-token", generate_temporary_tokens=False)
    with pytest.raises(InvalidValueError, match="no field 'generate_temporary_tokens'"):
        create_connector(other, Secrets(key={"token": writer}))
    with pytest.raises(ConnectorError, match="cannot be downscoped"):
        create_connector(gcp_record(google, "oauth2-token"), Secrets(key={"token": writer})).verify(
            "gs://data"
        )


def test_what_a_store_takes_from_its_connector(google: Google, tmp_path: Path) -> None:
    mine = gcp_connector(google, "service-account", tmp_path, project_id="project")
    assert mine.store_settings() == {"project": "project", "endpoint_url": google.url}
    assert connector_type("gcp").resource_types == ("gcs-bucket", "gcp-generic")


def test_a_store_works_through_the_connector_of_the_documents(google: Google, tmp_path: Path) -> None:
    """--service_account_json=@… --project_id=… and nothing else, as they have it."""
    client = Client(str(tmp_path / "state.json"))
    with running_gcs(tmp_path) as storage:
        create_bucket(storage, "data")
        client.register_connector(
            "cloud_connector",
            "gcp",
            "service-account",
            config={
                "service_account_json": google.service_account_json(),
                "project_id": "project",
                **google.endpoints(),
                "endpoint_url": storage,
            },
        )
        client.register_artifact_store("cloud_artifact_store", "gcp", "gs://data/mine")
        client.connect_artifact_store("cloud_artifact_store", "cloud_connector")
        store = client.get_artifact_store("cloud_artifact_store")
        with store.open("gs://data/mine/hello.txt", "w") as file:
            file.write("hello")
        assert store.listdir("gs://data/mine") == ["hello.txt"]
    assert any(token.boundary for token in google.tokens.values())
    assert "PRIVATE KEY" not in (tmp_path / "state.json").read_text()


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
        google,
        gcp_connector(google, "service-account", tmp_path).credentials_for("gs://data/it's\\a || true"),
    )
    assert call("GET", "/storage/v1/b/data/o/it's%5Ca%20%7C%7C%20true%2Fx") == 200
    assert call("GET", "/storage/v1/b/data/o/mine%2Fa") == 403


# -- where it asks


def test_the_environment_may_name_other_addresses_and_the_connectors_own_go_before(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for gcloud: an emulator, or a private endpoint that all of a machine goes through."""
    google.objects["models"] = {"a": b"x"}
    google.creators.add(ACCOUNT)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.url)
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", f"{google.url}/")
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", google.url)
    secrets = Secrets(key={"service_account_json": google.service_account_json()})

    def made(**config: str) -> ConnectorRecord:
        fields = {"target_principal": ACCOUNT, **config}
        return ConnectorRecord(
            "mine", "gcp", "impersonation", "gcs-bucket", None, fields, authentication_secret="key"
        )

    connector = create_connector(made(), secrets)
    assert connector.verify("gs://models") == ["gs://models"]
    assert connector.store_settings() == {"endpoint_url": google.url}

    elsewhere = create_connector(made(iam_endpoint_url="http://127.0.0.1:9"), secrets)
    with pytest.raises(ConnectorError):
        elsewhere.verify("gs://models")


def test_no_token_is_sent_in_clear_to_what_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", "http://sts.example.com")
    with pytest.raises(InvalidValueError, match="sts_endpoint_url"):
        create_connector(ConnectorRecord("mine", "gcp", "implicit", config={}), Secrets())


def test_an_emulator_of_the_network_is_taken_as_googles_own_client_takes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://gcs:4443")
    connector = create_connector(ConnectorRecord("mine", "gcp", "implicit", config={}), Secrets())
    assert connector.store_settings() == {"endpoint_url": "http://gcs:4443"}
