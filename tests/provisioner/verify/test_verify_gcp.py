"""Google Cloud as the engine asks for it: a project of the tests' own behind google-cloud-storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google_identities import OWNER, PROJECT
from google_project import Project, running_project
from small_server import Answer, serving

from provisioner.errors import CredentialsError, UpstreamError, WrongAccountError
from provisioner.journal import Intent
from provisioner.manifest import Connector, Manifest, generated_bucket, parse_manifest
from provisioner.verify import gcp_identity
from provisioner.verify.base import Cloud, Places, connect

PLAIN = generated_bucket("demo", "plain", PROJECT)
SOUND = {
    "location": "EU",
    "versioning": {"enabled": True},
    "iamConfiguration": {
        "uniformBucketLevelAccess": {"enabled": True},
        "publicAccessPrevention": "enforced",
    },
    "labels": {"provisioned-by": "stack-provisioner", "stack": "demo"},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with running_project(tmp_path_factory.mktemp("project")) as project:
        yield project


@pytest.fixture
def project(running: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, found where Google's own programs look for one."""
    for name in [*running.buckets]:
        for item in running.objects.names(name):
            running.objects.forget(name, item)
        del running.buckets[name]
        running.objects.drop_bucket(name)
    running.accounts = {OWNER: running.accounts[OWNER]}
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT", "CLOUDSDK_CORE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(running.key_file(tmp_path)))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", running.url)
    monkeypatch.setenv("GOOGLE_IAM_CUSTOM_ENDPOINT", f"{running.url}/v1/")
    return running


def manifest(*stores: dict[str, Any], **fields: Any) -> Manifest:
    """A manifest for the project."""
    whole = {
        "version": 1,
        "name": "demo",
        "provider": "gcp",
        "region": "EU",
        "account": PROJECT,
        "artifact_stores": list(stores) or [{"name": "plain"}],
        **fields,
    }
    return parse_manifest(json.dumps(whole))


def cloud(*stores: dict[str, Any], **fields: Any) -> Any:
    """The project as the engine sees it."""
    made: Cloud = connect(manifest(*stores, **fields), Places(Path("/nowhere"), Path("/nowhere")))
    return made


@pytest.mark.usefixtures("project")
def test_the_account_is_the_project_of_the_manifest_once_it_answers() -> None:
    assert cloud().account() == PROJECT
    assert not cloud().credentials_end_within(3600), "they renew themselves"
    with pytest.raises(UpstreamError, match="no access to the project somebody-elses"):
        cloud(account="somebody-elses").account()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("variable", ["GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT", "CLOUDSDK_CORE_PROJECT"])
def test_an_environment_that_names_another_project_is_refused(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "another")
    with pytest.raises(WrongAccountError, match=f"{variable} names the project another"):
        cloud().account()


def test_a_key_that_was_deleted_is_told_as_what_it_is(project: Project) -> None:
    project.keys.clear()
    with pytest.raises(CredentialsError, match="the credentials are refused"):
        cloud().account()


@pytest.mark.usefixtures("project")
def test_only_who_applies_is_asked_and_only_where_that_matters() -> None:
    named = {"name": "plain_connector", "trusted_principals": ["user:a@b.example"]}
    keyed = {"name": "plain_connector", "auth_method": "service-account"}
    assert cloud().machine_variables() == {"applying_principal": f"serviceAccount:{OWNER}"}
    assert cloud(connectors=[named]).machine_variables() == {}
    assert cloud(connectors=[keyed]).machine_variables() == {}
    strict = {"name": "plain", "profile": "strict"}
    assert cloud(strict, connectors=[named]).machine_variables() == {
        "storage_agent": "service-100200300@gs-project-accounts.iam.gserviceaccount.com"
    }


@pytest.mark.parametrize("form", ["token", "text", "path", "impersonation"])
def test_it_acts_as_the_terraform_provider_does(
    project: Project, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one identity would be checked, and another would apply."""
    other = f"other@{PROJECT}.iam.gserviceaccount.com"
    project.accounts[other] = {"name": f"projects/{PROJECT}/serviceAccounts/{other}", "email": other}
    key = project.key_file(tmp_path, other)
    if form == "impersonation":
        project.policies[other] = {
            "etag": "0",
            "bindings": [
                {"role": "roles/iam.serviceAccountTokenCreator", "members": [f"serviceAccount:{OWNER}"]}
            ],
        }
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", project.url)
    name, value = {
        "token": ("GOOGLE_OAUTH_ACCESS_TOKEN", project.issue(other)),
        "text": ("GOOGLE_CREDENTIALS", key.read_text()),
        "path": ("GOOGLE_CREDENTIALS", str(key)),
        "impersonation": ("GOOGLE_IMPERSONATE_SERVICE_ACCOUNT", other),
    }[form]
    monkeypatch.setenv(name, value)

    with pytest.raises(UpstreamError, match=f"{other} may not do this"):
        cloud().account()


class Person:
    """Credentials of a person: they do not say whose they are."""

    valid, token = True, "ya29.of-a-person"

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {self.token}"


@pytest.mark.parametrize(
    ("answer", "principal"),
    [
        (Answer(200, {"email": "engineer@example.com"}), "user:engineer@example.com"),
        (
            Answer(200, {"email": "x@y.iam.gserviceaccount.com"}),
            "serviceAccount:x@y.iam.gserviceaccount.com",
        ),
        (Answer(200, {"scope": "openid"}), None),
        (Answer(400, {"error": "invalid_token"}), None),
    ],
)
def test_a_person_is_known_by_the_token(
    answer: Answer, principal: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(lambda _: answer) as url:
        monkeypatch.setattr(gcp_identity, "_TOKEN_INFO", f"{url}/tokeninfo")
        if principal is not None:
            assert gcp_identity.own_principal(Person()) == principal
            return
        with pytest.raises(CredentialsError, match="do not say whose they are") as caught:
            gcp_identity.own_principal(Person())
        assert "trusted_principals" in (caught.value.hint or "")


@pytest.mark.usefixtures("project")
def test_what_must_be_found_again_has_a_name_before_it_is_there() -> None:
    names = cloud(
        {"name": "plain", "profile": "strict"}, {"name": "theirs", "bucket": "theirs", "existing": True}
    ).identifiers(PROJECT)
    assert names["module.store_plain.google_storage_bucket.this[0]"] == PLAIN
    assert names["module.store_plain.google_storage_bucket.logs[0]"] == f"{PLAIN}-logs"
    assert "module.store_theirs.google_storage_bucket.this[0]" not in names
    account = names["module.connector_theirs_connector.google_service_account.this"]
    assert account.startswith(f"projects/{PROJECT}/serviceAccounts/demo-theirs-connect-")


@pytest.mark.parametrize(
    ("settings", "fields", "problem"),
    [
        ({}, {}, None),
        ({"versioning": {"enabled": False}}, {}, "versioning is off"),
        ({"versioning": {"enabled": False}}, {"versioning": False}, None),
        (
            {"iamConfiguration": {**SOUND["iamConfiguration"], "publicAccessPrevention": "inherited"}},
            {},
            "public access prevention is inherited",
        ),
        (
            {
                "iamConfiguration": {
                    **SOUND["iamConfiguration"],
                    "uniformBucketLevelAccess": {"enabled": False},
                }
            },
            {},
            "uniform bucket-level access is off",
        ),
        (
            {},
            {"encryption": {"kms_key": "projects/acme-ml-prod/locations/eu/keyRings/r/cryptoKeys/k"}},
            "encryption is with keys of Google instead of projects/",
        ),
        ({}, {"profile": "strict"}, "encryption is with keys of Google instead of a customer key"),
        ({}, {"profile": "strict"}, "access logging is off"),
    ],
)
def test_each_protection_that_is_not_there_is_told(
    project: Project, settings: dict[str, Any], fields: dict[str, Any], problem: str | None
) -> None:
    project.add_bucket({"name": PLAIN, **SOUND, **settings})
    found = cloud({"name": "plain", **fields}).deviations()
    if problem is None:
        assert found == []
    else:
        assert problem in "\n".join(found)


@pytest.mark.usefixtures("project")
def test_a_bucket_that_is_missing_is_told() -> None:
    assert cloud().deviations() == [f"plain ({PLAIN}): the bucket is missing"]


def test_contents_are_counted_with_their_old_versions_and_emptied_with_them(project: Project) -> None:
    project.add_bucket({"name": PLAIN, **SOUND})
    here = cloud()
    assert here.contents(PLAIN).empty
    bucket = here._storage.bucket(PLAIN)
    for content in ("1", "2"):
        bucket.blob("runs/a").upload_from_string(content)
    bucket.blob("other").upload_from_string("3")
    bucket.blob("other").delete()

    assert str(here.contents(PLAIN)) == "1 object and 2 old versions (for example other, runs/a)"
    here.empty(PLAIN, "runs/")
    assert project.objects.names(PLAIN) == ["other"]
    here.empty(PLAIN)
    assert here.contents(PLAIN).empty
    assert here.contents("never-was").empty


def test_what_a_cut_off_run_left_is_found_and_nothing_else(project: Project) -> None:
    here = cloud()
    names = here.identifiers(PROJECT)
    intents = [Intent(address, "create", address.split(".")[2], name) for address, name in names.items()]
    began = datetime.now(UTC)
    assert here.orphans(intents, began).found == []
    project.add_bucket({"name": PLAIN, **SOUND})
    email = names["module.connector_plain_connector.google_service_account.this"].rpartition("/")[2]
    title = "stack-provisioner: demo/plain_connector"
    project.accounts[email] = {"name": f"projects/{PROJECT}/serviceAccounts/{email}", "displayName": title}

    assert here.orphans(intents, began).found == intents

    assert intents[0] not in here.orphans(intents, began + timedelta(hours=1)).found, (
        "it is older than the run"
    )
    project.buckets[PLAIN]["labels"] = {"stack": "another"}
    project.accounts[email]["displayName"] = "somebody's own"
    assert here.orphans(intents, began).found == []


def test_a_minted_key_works_is_recognised_and_can_be_ended(project: Project) -> None:
    email = f"store@{PROJECT}.iam.gserviceaccount.com"
    project.accounts[email] = {"name": f"projects/{PROJECT}/serviceAccounts/{email}", "email": email}
    here, connector = cloud(), Connector(name="plain_connector", auth_method="service-account")

    first = here.mint(connector, {"email": email})
    assert "it ends only when it is deleted" in first.says
    assert "PRIVATE KEY" not in repr(first)
    assert here.holds({"email": email}, first.values)
    assert not here.holds({"email": "another@x.iam.gserviceaccount.com"}, first.values)
    assert not here.holds({"email": email}, {"service_account_json": "no document"})

    second = here.mint(connector, {"email": email})
    assert not here.holds({"email": email}, first.values), "there is one key, and no more"
    here.revoke(second.values)
    here.revoke(second.values)
    assert not here.holds({"email": email}, second.values)
