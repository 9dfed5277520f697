"""What a cut-off run has left in Azure and in Entra ID: found again, and never taken from somebody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure_management import APPLIER, SUBSCRIPTION, Subscription
from azure_stack import apply, asked, intents, manifest

from provisioner.journal import Intent
from provisioner.verify.azure import Azure

SOON = timedelta(minutes=1)


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
TAGS = [
    "provisioned-by:stack-provisioner",
    f"subscription:{SUBSCRIPTION}",
    "stack:ml-prod",
    "connector:mine",
]
ELSEWHERE = "subscription:00000000-0000-0000-0000-00000000000e"


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
        {"tags": [TAGS[0], TAGS[1], "stack:other", "connector:mine"]},
        {"tags": [TAGS[0], ELSEWHERE, *TAGS[2:]]},
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
