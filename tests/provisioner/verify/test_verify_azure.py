"""Questions to Azure itself, put to Azurite, an Entra ID and a management of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure_management import APPLIER, SUBSCRIPTION, Subscription
from azure_stack import apply, asked, manifest
from microsoft_services import ACCOUNT, CLIENT, TENANT, Azurite, Entra
from small_server import Answer, Asked, serving

from provisioner.errors import CredentialsError, UpstreamError
from provisioner.verify.azure_services import own_object_id

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


@dataclass(frozen=True)
class Opaque:
    """An identity whose tokens say nothing."""

    token: str

    def get_token(self, _scope: str) -> Opaque:
        """The token."""
        return self


def test_whoever_applies_is_asked_for_only_where_that_one_is_trusted(azure: Subscription) -> None:
    assert asked(manifest()).machine_variables() == {"applying_principal": APPLIER}
    assert asked(manifest({"trusted_principals": [APPLIER]})).machine_variables() == {}
    assert asked(manifest({"auth_method": "managed-identity"})).machine_variables() == {}


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "e30.e30.x", "e30.W10.x"])
def test_a_token_that_does_not_say_whose_it_is_trusts_nobody(token: str) -> None:
    with pytest.raises(CredentialsError, match="do not say whose they are") as refused:
        own_object_id(Opaque(token))
    assert "name trusted_principals" in (refused.value.hint or "")


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
