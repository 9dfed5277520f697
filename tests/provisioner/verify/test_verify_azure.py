"""Questions to Azure itself, put to Azurite, an Entra ID and a management of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure_management import APPLIER, SUBSCRIPTION, Subscription, managing
from certificates import loopback_certificate
from microsoft_services import (
    ACCOUNT,
    CLIENT,
    TENANT,
    Azurite,
    Entra,
    azurite_program,
    running_azurite,
    running_entra,
)
from small_server import Answer, Asked, serving

from provisioner.errors import CredentialsError, UpstreamError
from provisioner.journal import Intent
from provisioner.manifest import Manifest, parse_manifest
from provisioner.verify import azure_names
from provisioner.verify.azure import Azure, connect
from provisioner.verify.base import Places

SOON = timedelta(minutes=1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return loopback_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]) -> Iterator[Azurite]:
    with running_azurite(azurite_program(), tmp_path_factory.mktemp("azurite"), *certificate) as running:
        yield running


@pytest.fixture
def entra(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Entra]:
    """An Entra ID, and the environment of somebody who is known to it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with running_entra(certificate[1]) as entra:
        for name, value in {
            "AZURE_AUTHORITY_HOST": entra.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": entra.client_secret,
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        }.items():
            monkeypatch.setenv(name, value)
        yield entra


@pytest.fixture
def azure(
    azurite: Azurite, entra: Entra, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subscription]:
    """A subscription with nothing in it; the containers that a test makes go with it."""
    with managing(azurite, certificate[1], entra) as azure:
        monkeypatch.setenv("PROVISION_AZURE_MANAGEMENT_URL", azure.url)
        monkeypatch.setenv("PROVISION_AZURE_GRAPH_URL", azure.url)
        yield azure
        with azurite.service() as service:
            for container in list(service.list_containers()):
                service.delete_container(container.name)


def manifest(connector: dict[str, Any] | None = None, **store: Any) -> Manifest:
    """A stack with one store, in the account that Azurite knows."""
    fields: dict[str, Any] = {
        "version": 1,
        "name": "ml-prod",
        "provider": "azure",
        "region": "westeurope",
        "account": SUBSCRIPTION,
        "artifact_stores": [
            {"name": "main", "storage_account": ACCOUNT, "bucket": "data", "connector": "mine", **store}
        ],
        "connectors": [{"name": "mine", **(connector or {})}],
    }
    return parse_manifest(json.dumps(fields))


def asked(of: Manifest) -> Azure:
    """The cloud of a manifest."""
    return connect(of, Places(Path("/m"), Path("/h")))


def apply(azure: Subscription, of: Manifest, **properties: Any) -> azure_names.Whereabouts:
    """What an apply of the modules leaves; ``properties`` are other settings of the account."""
    (store,) = of.artifact_stores
    lies = azure_names.place(of, store)
    tags = {"provisioned-by": "stack-provisioner", "stack": of.name, "artifact-store": store.name}
    group = lies.account_id.partition("/providers/")[0]
    settings = {
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": False,
        "allowCrossTenantReplication": False,
        "supportsHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "encryption": {"keySource": "Microsoft.Storage"},
        "networkAcls": {"defaultAction": "Allow"},
        **properties,
    }
    kept = {"enabled": True, "days": 7}
    blobs = {
        "isVersioningEnabled": True,
        "deleteRetentionPolicy": kept,
        "containerDeleteRetentionPolicy": kept,
    }
    account = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "tags": tags}
    for path, body in (
        (group, {"location": "westeurope", "tags": tags}),
        (lies.account_id, {**account, "properties": settings}),
        (f"{lies.account_id}/blobServices/default", {"properties": blobs}),
        (lies.container_id, {"properties": {"publicAccess": "None"}}),
    ):
        answer = azure._put(path, body)
        assert answer.status == 200, answer.body
    return lies


# --- who we are -------------------------------------------------------------------------------------------


def test_the_subscription_is_a_guard(azure: Subscription) -> None:
    assert asked(manifest()).account() == SUBSCRIPTION
    elsewhere = manifest().model_copy(update={"account": "00000000-0000-0000-0000-000000000001"})
    assert asked(elsewhere).account() == SUBSCRIPTION  # which is not the manifest's: the engine refuses
    assert not asked(manifest()).credentials_end_within(3600)


def test_wrong_credentials_are_told_as_what_they_are(
    azure: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    with pytest.raises(CredentialsError, match="Invalid client secret") as refused:
        asked(manifest()).account()
    assert "az login" in (refused.value.hint or "")


@pytest.mark.parametrize("proof", ["ARM_CLIENT_SECRET", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH"])
def test_the_identity_of_terraforms_provider_goes_first(
    azure: Subscription, entra: Entra, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proof: str
) -> None:
    """Else the checks would be made by somebody else than the apply."""
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    monkeypatch.setenv("ARM_TENANT_ID", TENANT)
    monkeypatch.setenv("ARM_CLIENT_ID", CLIENT)
    token = tmp_path / "token"
    token.write_text("federated")
    given = {
        "ARM_CLIENT_SECRET": entra.client_secret,
        "ARM_OIDC_TOKEN": "federated",
        "ARM_OIDC_TOKEN_FILE_PATH": str(token),
    }
    monkeypatch.setenv(proof, given[proof])
    if proof == "ARM_CLIENT_SECRET":
        assert asked(manifest()).account() == SUBSCRIPTION
        return
    with pytest.raises(CredentialsError):  # this Entra ID takes secrets alone; it was asked with the token
        asked(manifest()).account()
    assert any(b"client_assertion=federated" in one.body for one in entra.asked)


# --- what is there ----------------------------------------------------------------------------------------


def test_an_account_as_it_should_be_has_no_deviations(azure: Subscription) -> None:
    apply(azure, manifest())
    assert asked(manifest()).deviations() == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"allowBlobPublicAccess": True}, "containers can be made public"),
        ({"allowSharedKeyAccess": True}, "shared keys work"),
        ({"supportsHttpsTrafficOnly": False}, "plain HTTP is allowed"),
        ({"minimumTlsVersion": "TLS1_0"}, "TLS is allowed from version TLS1_0"),
        ({"allowCrossTenantReplication": True}, "replicated to other tenants"),
        ({"encryption": {"keySource": "Microsoft.Keyvault"}}, "keys of Microsoft.Keyvault instead"),
    ],
)
def test_each_protection_that_is_missing_is_named(
    azure: Subscription, setting: dict[str, Any], said: str
) -> None:
    apply(azure, manifest(), **setting)
    (found,) = asked(manifest()).deviations()
    assert said in found
    assert found.startswith(f"main ({ACCOUNT}/data): ")


def test_history_networks_and_the_container_are_looked_at_too(azure: Subscription) -> None:
    closed = manifest(allowed_networks=["203.0.113.7"])
    lies = apply(azure, closed)
    azure.resource(f"{lies.account_id}/blobServices/default")["properties"] = {}
    azure.resource(lies.container_id)["properties"]["publicAccess"] = "Blob"
    found = "; ".join(asked(closed).deviations())
    for words in ("versioning is off", "soft delete is off", "everyone on the network", "is public: Blob"):
        assert words in found
    del azure.things[lies.container_id.lower()]
    assert asked(closed).deviations() == [f"main ({ACCOUNT}/data): the container or its account is missing"]


def test_contents_are_counted_and_emptied(azure: Subscription, azurite: Azurite) -> None:
    apply(azure, manifest())
    cloud = asked(manifest())
    assert cloud.contents(f"{ACCOUNT}/data").empty
    with azurite.service() as service:
        for name in ("a", "b/c", "b/d"):
            service.get_blob_client("data", name).upload_blob(b"x")
    assert str(cloud.contents(f"{ACCOUNT}/data")) == "3 objects and 0 old versions (for example a, b/c, b/d)"
    cloud.empty(f"{ACCOUNT}/data", "b/")
    assert cloud.contents(f"{ACCOUNT}/data").examples == ("a",)
    cloud.empty(f"{ACCOUNT}/data")
    assert cloud.contents(f"{ACCOUNT}/data").empty


def test_what_is_not_there_is_empty(azure: Subscription) -> None:
    apply(azure, manifest())
    assert asked(manifest()).contents(f"{ACCOUNT}/nothing").empty


# --- old versions, which Azurite does not keep ------------------------------------------------------------

_BLOB = (
    "<Blob><Name>{}</Name><VersionId>{}</VersionId>{}"
    "<Properties><BlobType>BlockBlob</BlobType></Properties></Blob>"
)
_LISTED = (
    '<?xml version="1.0"?><EnumerationResults ContainerName="data"><Blobs>'
    + _BLOB.format("a", "2026-01-02T00:00:00.0000000Z", "<IsCurrentVersion>true</IsCurrentVersion>")
    + _BLOB.format("a", "2026-01-01T00:00:00.0000000Z", "")
    + _BLOB.format(".probe-1/object", "2026-01-01T00:00:00.0000000Z", "")
    + "</Blobs><NextMarker/></EnumerationResults>"
)


@contextmanager
def blob_service(certificate: Path, listing: Callable[[], Answer], deleted: list[str]) -> Iterator[str]:
    """A Blob service that lists as it is told; a connector's role is too little to delete old versions."""

    def handle(asked: Asked) -> Answer:
        if asked.method == "GET":
            return listing()
        if "versionid" in asked.query:
            return Answer(403, None, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
        deleted.append(asked.path)
        return Answer(202, None)

    with serving(handle, certificate) as url:
        yield f"{url}/{ACCOUNT}/"


def test_old_versions_count_but_not_those_of_probes_and_go_where_they_may(
    azure: Subscription, certificate: tuple[Path, Path]
) -> None:
    lies = apply(azure, manifest())
    deleted: list[str] = []
    xml = Answer(200, _LISTED.encode(), {"Content-Type": "application/xml"})
    with blob_service(certificate[1], lambda: xml, deleted) as url:
        azure.resource(lies.account_id)["properties"]["primaryEndpoints"] = {"blob": url}
        cloud = asked(manifest())
        assert str(cloud.contents(lies.bucket)) == "1 object and 1 old version (for example a)"
        cloud.empty(lies.bucket)
    assert deleted == [f"/{ACCOUNT}/data/a"]


def test_who_may_not_list_is_told_which_role_is_missing(
    azure: Subscription, certificate: tuple[Path, Path]
) -> None:
    lies = apply(azure, manifest())
    refused = Answer(403, None, {"x-ms-error-code": "AuthorizationPermissionMismatch"})
    with blob_service(certificate[1], lambda: refused, []) as url:
        azure.resource(lies.account_id)["properties"]["primaryEndpoints"] = {"blob": url}
        with pytest.raises(UpstreamError, match="nobody knows what is in it") as told:
            asked(manifest()).contents(lies.bucket)
    assert "Storage Blob Data Reader" in (told.value.hint or "")


# --- after a crash ----------------------------------------------------------------------------------------


def intents(cloud: Azure) -> list[Intent]:
    """Everything that an apply creates, as the journal has it."""
    return [
        Intent(address, "create", address.split(".")[2], identifier)
        for address, identifier in cloud.identifiers(SUBSCRIPTION).items()
    ]


def test_what_a_cut_off_run_left_is_found(azure: Subscription) -> None:
    began = datetime.now(UTC) - SOON
    lies = apply(azure, manifest())
    cloud = asked(manifest())
    scope = lies.container_id
    (mine,) = [one for one in intents(cloud) if "role_assignment.data" in one.address]
    role = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    body = {"properties": {"principalId": APPLIER, "roleDefinitionId": role}}
    assert azure._put(mine.identifier or "", body).status == 200

    found = {intent.type for intent in cloud.orphans(intents(cloud), began).found}

    assert found == {
        "azurerm_resource_group",
        "azurerm_storage_account",
        "azurerm_storage_container",
        "azurerm_role_assignment",
    }


def test_what_is_older_or_somebody_elses_is_never_taken(azure: Subscription) -> None:
    lies = apply(azure, manifest())
    cloud = asked(manifest())
    later = datetime.now(UTC) + timedelta(hours=1)
    taken = {intent.type for intent in cloud.orphans(intents(cloud), later).found}
    assert "azurerm_storage_account" not in taken
    azure.resource(lies.account_id)["tags"]["stack"] = "other"
    began = datetime.now(UTC) - SOON
    taken = {intent.type for intent in cloud.orphans(intents(cloud), began).found}
    assert "azurerm_storage_account" not in taken


TRUSTED = (
    "https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main",
    "https://a.example#b",
)
FEDERATED = {"auth_method": "workload-identity", "trusted_principals": [*TRUSTED]}
TAGS = ["provisioned-by:stack-provisioner", "stack:ml-prod", "connector:mine"]


def registered(cloud: Azure, kind: str = "") -> list[Intent]:
    """What an apply creates in Entra ID; ``kind`` is the beginning of the types that are meant."""
    return [intent for intent in intents(cloud) if intent.type.startswith(kind or "azuread_")]


def name_in_entra(cloud: Azure) -> str:
    """What the connector's application is called."""
    return next(intent.identifier or "" for intent in registered(cloud, "azuread_service_principal"))


def made(azure: Subscription, cloud: Azure, **fields: Any) -> dict[str, Any]:
    """The application as the module makes it; ``fields`` are those that are otherwise."""
    given = {"displayName": name_in_entra(cloud), "tags": [*TAGS], **fields}
    return azure.graph.application(**given)


def trust(azure: Subscription, application: dict[str, Any], cloud: Azure) -> list[dict[str, Any]]:
    """The federated credentials as the module makes them."""
    made = []
    for intent, trusted in zip(registered(cloud, "azuread_application_federated"), TRUSTED, strict=True):
        issuer, _, subject = trusted.partition("#")
        name = (intent.identifier or "").rpartition("/")[2]
        fields = {"name": name, "issuer": issuer, "subject": subject}
        made.append(azure.graph.trust(application, **fields, audiences=["api://AzureADTokenExchange"]))
    return made


def test_what_a_cut_off_run_left_in_entra_is_found_by_tags_and_names(azure: Subscription) -> None:
    """With the ids by which the provider imports them, however long the list of applications is."""
    began = datetime.now(UTC) - SOON
    azure.graph.page = 1
    azure.graph.application(displayName="another", tags=["stack:ml-prod"])
    cloud = asked(manifest(FEDERATED))
    application = made(azure, cloud)
    first, second = trust(azure, application, cloud)
    principal = azure.graph.principal(application, tags=TAGS)

    left = cloud.orphans(registered(cloud), began)

    assert [intent.address for intent in left.found] == [intent.address for intent in registered(cloud)]
    assert left.unsure == ()
    assert [intent.identifier for intent in left.found] == [
        f"/applications/{application['id']}",
        f"/servicePrincipals/{principal['id']}",
        f"{application['id']}/federatedIdentityCredential/{first['id']}",
        f"{application['id']}/federatedIdentityCredential/{second['id']}",
    ]


def test_an_application_that_has_not_got_its_name_yet_is_found(azure: Subscription) -> None:
    """The provider renames a new one for a moment; a Terraform killed then leaves it so."""
    cloud = asked(manifest(FEDERATED))
    made(azure, cloud, displayName="TERRAFORM_UPDATE_0b0c")
    left = cloud.orphans(registered(cloud), datetime.now(UTC) - SOON)
    assert [intent.type for intent in left.found] == ["azuread_application"]


@pytest.mark.parametrize(
    "fields",
    [
        {"createdDateTime": "2020-01-01T00:00:00Z"},
        {"tags": ["provisioned-by:stack-provisioner", "stack:other", "connector:mine"]},
        {"tags": ["stack:ml-prod", "connector:mine"]},
        {"displayName": "somebody's own"},
        {"passwordCredentials": [{"keyId": "00000000-0000-0000-0000-000000000001"}]},
    ],
)
def test_an_application_that_is_older_or_somebody_elses_is_not_taken(
    azure: Subscription, fields: dict[str, Any]
) -> None:
    cloud = asked(manifest(FEDERATED))
    azure.graph.principal(made(azure, cloud, **fields))
    left = cloud.orphans(registered(cloud), datetime.now(UTC) - SOON)
    assert (list(left.found), left.unsure) == ([], ())


def test_what_belongs_to_an_application_of_an_earlier_apply_is_found(azure: Subscription) -> None:
    """The state has the application; its service principal and who it trusts were made by the run."""
    cloud = asked(manifest(FEDERATED))
    application = made(azure, cloud, createdDateTime="2020-01-01T00:00:00Z")
    trust(azure, application, cloud)
    azure.graph.principal(application)
    missing = [intent for intent in registered(cloud) if intent.type != "azuread_application"]
    left = cloud.orphans(missing, datetime.now(UTC) - SOON)
    assert [intent.address for intent in left.found] == [intent.address for intent in missing]


def test_of_two_applications_neither_is_taken_and_that_is_said(azure: Subscription) -> None:
    cloud = asked(manifest(FEDERATED))
    twins = [made(azure, cloud), made(azure, cloud)]
    left = cloud.orphans(registered(cloud), datetime.now(UTC) - SOON)
    assert list(left.found) == []
    (said,) = left.unsure
    assert all(twin["id"] in said for twin in twins)
    assert "there are 2 applications" in said
    assert "az ad app delete" in said


def test_who_may_not_read_applications_is_told_what_was_not_looked_for(azure: Subscription) -> None:
    """What lies in the subscription is found all the same."""
    of = manifest(FEDERATED)
    apply(azure, of)
    cloud = asked(of)
    made(azure, cloud)
    azure.graph.allows = False

    left = cloud.orphans(intents(cloud), datetime.now(UTC) - SOON)

    assert "azurerm_storage_account" in {intent.type for intent in left.found}
    (said,) = left.unsure
    assert f"az ad app list --display-name {name_in_entra(cloud)}" in said
    assert "Application.Read.All" in said


# --- client secrets ---------------------------------------------------------------------------------------


def test_a_client_secret_is_made_with_an_end_and_one_at_a_time(azure: Subscription, entra: Entra) -> None:
    application = azure.graph.application(displayName="ml-prod-mine")
    assert application["appId"] == CLIENT
    output = {"client_id": CLIENT, "tenant_id": TENANT}
    cloud = asked(manifest({"auth_method": "service-principal"}))
    connector = manifest({"auth_method": "service-principal"}).connectors[0]

    first = cloud.mint(connector, output)

    assert first.values.keys() == {"tenant_id", "client_id", "client_secret"}
    assert first.values["client_secret"] in entra.also_takes
    assert first.values["client_secret"] not in repr(first)
    (held,) = azure.graph.passwords.values()
    ends = datetime.fromisoformat(held["endDateTime"])
    assert timedelta(days=179) < ends - datetime.now(UTC) < timedelta(days=181)
    assert cloud.holds(output, first.values)
    assert not cloud.holds({**output, "client_id": "another"}, first.values)

    second = cloud.mint(connector, output)
    assert len(azure.graph.passwords) == 1  # the first was ended
    assert (
        not cloud.holds(output, first.values)
        or first.values["client_secret"][:3] == (second.values["client_secret"][:3])
    )
    cloud.revoke(second.values)
    assert azure.graph.passwords == {}
    cloud.revoke(second.values)  # which is gone: no error
    assert not cloud.holds(output, second.values)
