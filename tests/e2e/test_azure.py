"""Azure from a manifest to a program's artifacts and back.

Real Terraform; the real azurerm provider where it is found, else a stand-in; a management of the tests' own;
Azurite for the data. Each test says in its output which provider ran.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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
    azurite_program,
    running_azurite,
    running_entra,
)
from standin.mirror import Mirror
from terraform_rig import provider_mirror
from world import World, ended, wait_until

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups"
PROGRAM = """
from stacks import Client

store = Client().active_stack.artifact_store
path = f"{store.path}/models/a.bin"
with store.open(path, "wb") as stream:
    stream.write(b"artifact" * 1000)
with store.open(path, "rb") as stream:
    assert stream.read() == b"artifact" * 1000
print(store.listdir(f"{store.path}/models"))
"""


@dataclass
class Azure:
    """A world, and the Azure that it reaches."""

    world: World
    management: Subscription
    azurite: Azurite
    ran: str

    def manifest(self, *, connector: dict[str, Any] | None = None, **store: Any) -> Path:
        """A stack with one store in the account that Azurite knows."""
        fields: dict[str, Any] = {
            "artifact_stores": [
                {
                    "name": "prod_store",
                    "storage_account": ACCOUNT,
                    "bucket": "artifacts",
                    "protect": False,
                    **store,
                }
            ]
        }
        if connector is not None:
            fields["artifact_stores"][0]["connector"] = "prod_connector"
            fields["connectors"] = [{"name": "prod_connector", **connector}]
        return self.world.manifest(provider="azure", region="westeurope", account=SUBSCRIPTION, **fields)

    @property
    def account(self) -> dict[str, Any]:
        """The storage account, as the management keeps it."""
        (found,) = self.management.of_type("storageAccounts")
        return found


@pytest.fixture(scope="module", params=[pytest.param("4.55.0", marks=pytest.mark.slow), "5.10.0"])
def mirror(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    """The real providers where they are found, else stand-ins."""
    made = Mirror(tmp_path_factory.mktemp("mirror"))
    for name, version in (("azurerm", request.param), ("azuread", "3.7.0")):
        made.real_or_stand_in(name, version, mirrors=(provider_mirror(),), handlers=f"standin_{name}")
    return made


@pytest.fixture
def azure(
    tmp_path: Path, any_terraform: Path | None, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Azure]:
    """Entra ID, the management and Azurite, each over TLS on a port of its own."""
    certificate, both = loopback_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))  # for the management, which speaks to Azurite
    (tmp_path / "azurite").mkdir()
    with (
        running_azurite(azurite_program(), tmp_path / "azurite", certificate, both) as azurite,
        running_entra(both) as entra,
        managing(azurite, both, entra) as management,
    ):
        world = World.create(
            tmp_path / "world",
            any_terraform,
            PROVISION_PLUGIN_MIRROR=str(mirror.folder),
            STANDIN_SERVER=management.url,
            SSL_CERT_FILE=str(certificate),
            REQUESTS_CA_BUNDLE=str(certificate),
            PROVISION_AZURE_MANAGEMENT_URL=management.url,
            PROVISION_AZURE_GRAPH_URL=management.url,
            AZURE_AUTHORITY_HOST=entra.url,
            AZURE_TENANT_ID=TENANT,
            AZURE_CLIENT_ID=CLIENT,
            AZURE_CLIENT_SECRET=entra.client_secret,
            AZURE_TOKEN_CREDENTIALS="EnvironmentCredential",
            ARM_METADATA_HOSTNAME=management.url.partition("://")[2],
        )
        print(mirror.ran)
        yield Azure(world, management, azurite, mirror.ran["azurerm"])
        world.close()


def told(world: World, manifest: Path, *options: str) -> dict[str, Any]:
    """What a drift says of each resource: what an apply would do, and to which attributes."""
    (summary,) = world.provision("drift", manifest, *options, "--format", "json", expect=2).json
    return {
        change["address"]: (change["action"], {item["path"] for item in change["attributes"]})
        for change in summary["drift"]
    }


def test_from_the_manifest_to_artifacts_and_back(azure: Azure) -> None:
    """Apply, no-change plan, a program, update, drift, refused destroy, destroy."""
    world, management = azure.world, azure.management
    manifest = azure.manifest()

    applied = world.provision("apply", manifest, "-y")

    assert "put, get, list and delete work" in applied.said
    properties = azure.account["properties"]
    assert properties["allowSharedKeyAccess"] is properties["allowBlobPublicAccess"] is False
    assert properties["minimumTlsVersion"] == "TLS1_2"
    assert azure.account["tags"]["stack"] == "demo"
    grants = {
        thing["properties"]["scope"].split("/")[-1]: thing["properties"]["principalId"]
        for thing in management.of_type("roleAssignments")
    }
    assert grants == {"artifacts": APPLIER, ACCOUNT: APPLIER}

    assert world.provision("plan", manifest, "--detailed-exitcode").code == 0
    assert "No drift" in world.provision("drift", manifest, "--fast").out
    program = world.folder / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program],
        env=world.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "['a.bin']"), done.stderr

    assert azure.account["properties"]["accessTier"] == "Hot"
    changed = azure.manifest(versioning=False, lifecycle={"noncurrent_days": 30}, storage_class="cold")
    world.provision("apply", changed, "-y", "--no-verify")
    assert azure.account["properties"]["accessTier"] == "Cold"
    (service,) = management.of_type("blobServices")
    assert service["properties"]["isVersioningEnabled"] is False
    assert "daysAfterCreationGreaterThan" in json.dumps(management.of_type("managementPolicies"))

    azure.account["properties"]["allowBlobPublicAccess"] = True
    azure.account["properties"]["minimumTlsVersion"] = "TLS1_0"
    azure.account["properties"]["accessTier"] = "Hot"
    azure.account["tags"]["added"] = "x"
    service["properties"]["deleteRetentionPolicy"]["days"] = 1
    (container,) = management.of_type("containers")
    container["properties"]["publicAccess"] = "Blob"
    (policy,) = management.of_type("managementPolicies")
    policy["properties"]["policy"]["rules"][0]["enabled"] = False
    gone = management.of_type("roleAssignments")[0]["id"].lower()
    del management.things[gone]
    for how in ((), ("--fast",)):
        drifted = world.provision("drift", changed, *how, expect=2)
        assert "allow_nested_items_to_be_public" in drifted.said
        assert 'access_tier: is "Hot", was applied as "Cold"' in drifted.said
    assert told(world, changed, "--fast") == told(world, changed)
    world.provision("apply", changed, "-y")
    assert azure.account["properties"]["allowBlobPublicAccess"] is False

    refused = world.provision("destroy", changed, "-y", expect=6)
    assert "still holds 1 object" in refused.said
    world.provision("destroy", changed, "-y", "--force-nonempty")
    assert management.things == {}
    assert world.registered() == []


def test_a_client_secret_goes_past_terraform_into_the_secret_store(azure: Azure) -> None:
    """Minted after the apply, with an end; the probe uses it; a destroy ends it."""
    world, management = azure.world, azure.management
    manifest = azure.manifest(connector={"auth_method": "service-principal"})

    applied = world.provision("apply", manifest, "-y")

    assert "lies in the secret prod_connector_key" in applied.said
    assert "put, get, list and delete work" in applied.said
    (held,) = management.graph.passwords.values()
    assert held["endDateTime"]
    assert management.entra is not None
    (secret,) = management.entra.also_takes
    written = [path for path in world.folder.rglob("*") if path.is_file()]
    assert world.terraform_state() in written
    assert not [path for path in written if secret.encode() in path.read_bytes()]
    assert secret not in applied.said
    assert "No drift" in world.provision("drift", manifest, "--fast").out

    world.provision("destroy", manifest, "-y")
    assert (management.things, management.graph.applications) == ({}, {})
    assert "prod_connector_key" not in world.provision("secret", "list").out


@pytest.mark.slow
def test_an_application_is_found_after_a_kill_and_watched(azure: Azure) -> None:
    """Entra ID makes up its id: it is found by its tags. Told is what changed, and who else can act as it."""
    world, graph = azure.world, azure.management.graph
    trusted = ["https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main"]
    connector = {"auth_method": "workload-identity", "trusted_principals": trusted}
    manifest = azure.manifest(connector=connector)
    apply_and_kill_at(azure, "applications", manifest)
    (left,) = graph.applications.values()

    rerun = world.provision("apply", manifest, "-y", "--no-verify")

    address = "module.application_prod_connector.azuread_application"
    assert f"taken into the state: {address}.this (/applications/{left['id']})" in rerun.err
    assert list(graph.applications) == [left["id"]]
    (principal,) = graph.principals.values()
    (federated,) = graph.federated[left["id"]].values()

    graph.allows = False
    unseen = world.provision("drift", manifest, "--fast")
    assert "No drift" in unseen.out
    assert "not looked at: azuread_application (the identity in use may not read it" in unseen.err
    graph.allows = True
    unchanged = world.provision("drift", manifest, "--fast")
    assert ("not looked at" in unchanged.said, "No drift" in unchanged.out) == (False, True)

    federated["subject"] = "repo:mallory/ml:ref:refs/heads/main"
    left["signInAudience"] = "AzureADMultipleOrgs"
    del graph.principals[principal["id"]]
    audiences = federated["audiences"]
    graph.trust(left, name="extra", issuer="https://evil.example", subject="me", audiences=audiences)
    key = "00000000-0000-0000-0000-0000000000b1"
    left["passwordCredentials"].append({"keyId": key, "displayName": "mine", "hint": "abc"})
    drifted = world.provision("drift", manifest, "--fast", expect=2)
    assert "trusts me of https://evil.example (federated credential extra)" in drifted.said
    assert "has a client secret that was not made here: mine" in drifted.said
    found, grants = told(world, manifest, "--fast"), ".azurerm_role_assignment."
    # Without a service principal Terraform foretells that what it was granted has to be granted again.
    assert found == {name: how for name, how in told(world, manifest).items() if grants not in name}
    assert found == {
        f"{address}.this": ("update", {"sign_in_audience"}),
        f'{address}_federated_identity_credential.trusted["{trusted[0]}"]': ("update", {"subject"}),
        "module.application_prod_connector.azuread_service_principal.this": ("create", set()),
    }

    world.provision("destroy", manifest, "-y")
    assert (azure.management.things, graph.applications) == ({}, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("servicePrincipals", "(/servicePrincipals/"),
        ("federatedIdentityCredentials", "/federatedIdentityCredential/"),
    ],
)
def test_what_belongs_to_an_application_is_found_after_a_kill(azure: Azure, kind: str, found: str) -> None:
    """The state has the application; Entra ID would refuse to make the rest of it a second time."""
    world, graph = azure.world, azure.management.graph
    trusted = [f"https://token.example#repo:acme/ml:ref:refs/heads/{branch}" for branch in ("main", "dev")]
    manifest = azure.manifest(connector={"auth_method": "workload-identity", "trusted_principals": trusted})
    apply_and_kill_at(azure, kind, manifest)

    rerun = world.provision("apply", manifest, "-y", "--no-verify")

    assert found in rerun.err
    (application,) = graph.applications.values()
    assert len(graph.principals) == 1
    assert {one["subject"] for one in graph.federated[application["id"]].values()} == {
        name.partition("#")[2] for name in trusted
    }
    assert world.provision("plan", manifest, "--detailed-exitcode").code == 0
    world.provision("destroy", manifest, "-y")
    assert (azure.management.things, graph.applications) == ({}, {})


def apply_and_kill_at(azure: Azure, kind: str, manifest: Path) -> None:
    """Let an apply make one thing of this kind, and kill its Terraform before it hears of that."""
    azure.management.answers_late = kind
    apply = azure.world.start("apply", manifest, "-y", "--no-verify")
    wait_until(azure.management.reached.is_set, f"one of the {kind} to be made")
    for process in azure.world.processes():
        if (process.info["name"] or "").startswith("terraform"):
            process.kill()
    assert "killed by signal 9" in ended(apply, 5).err
    azure.management.answers_late = ""
    azure.management.go.set()


def test_what_is_adopted_is_left_as_it_is(azure: Azure) -> None:
    """An account, its container and resource group: access alone is granted, passed on, and taken back."""
    world, management = azure.world, azure.management
    account = f"{GROUP}/theirs/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
    body = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "tags": {}}
    for path, content in (
        (f"{GROUP}/theirs", {"location": "westeurope"}),
        (account, body),
        (f"{account}/blobServices/default/containers/artifacts", {"properties": {"publicAccess": "None"}}),
    ):
        assert management._put(path, content).status == 200
    before = json.dumps(management.things)

    applied = world.provision("apply", azure.manifest(existing=True), "-y")
    assert "put, get, list and delete work" in applied.said
    assert {thing["properties"]["principalId"] for thing in management.of_type("roleAssignments")} == {
        APPLIER
    }

    manifest = azure.manifest(existing=True, connector={"auth_method": "managed-identity"})
    world.provision("apply", manifest, "-y", "--no-verify")  # this machine has no managed identity

    (identity,) = management.of_type("userAssignedIdentities")
    assert identity["id"].startswith(f"{GROUP}/theirs/")
    holders = {thing["properties"]["principalId"] for thing in management.of_type("roleAssignments")}
    assert holders == {identity["properties"]["principalId"]}
    (record,) = world.state()["connectors"]
    assert record["config"]["client_id"] == identity["properties"]["clientId"]

    world.provision("destroy", manifest, "-y")
    assert json.dumps(management.things) == before


@pytest.mark.slow
def test_what_a_killed_terraform_left_is_taken_into_the_state(azure: Azure) -> None:
    """Killed while the account is made: the rerun finds it by its name and its tags, and goes on."""
    world, management = azure.world, azure.management
    manifest = azure.manifest()
    apply_and_kill_at(azure, "storageAccounts", manifest)

    rerun = world.provision("apply", manifest, "-y", "--no-verify")

    address = "module.store_prod_store.azurerm_storage_account.this[0]"
    assert f"taken into the state: {address} ({azure.account['id']})" in rerun.err
    assert len(management.of_type("containers")) == 1
    world.provision("destroy", manifest, "-y")
    assert management.things == {}


@pytest.mark.slow
def test_strict_from_plan_to_destroy(azure: Azure) -> None:
    """The extra resources are shown before they are made; a second plan finds nothing to do."""
    world, management = azure.world, azure.management
    vault = f"{GROUP}/keys/providers/Microsoft.KeyVault/vaults/acme-keys"
    management.things[vault.lower()] = {
        "id": vault,
        "name": "acme-keys",
        "type": "Microsoft.KeyVault/vaults",
        "location": "westeurope",
    }
    network = f"{GROUP}/net/providers/Microsoft.Network/virtualNetworks/ml"
    manifest = azure.manifest(
        profile="strict",
        encryption={"kms_key": "https://acme-keys.vault.azure.net/keys/ml"},
        private_endpoint_subnet=f"{network}/subnets/endpoints",
    )
    planned = world.provision("plan", manifest).said
    for extra in ("azurerm_private_endpoint", "azurerm_log_analytics_workspace", "azurerm_role_assignment"):
        assert extra in planned

    world.provision("apply", manifest, "-y", "--no-verify")
    properties = azure.account["properties"]
    assert azure.account["sku"]["name"] == "Standard_GRS"
    assert properties["encryption"]["keyvaultproperties"]["keyname"] == "ml"
    assert (properties["networkAcls"]["defaultAction"], properties["publicNetworkAccess"]) == (
        "Deny",
        "Disabled",
    )
    assert world.provision("plan", manifest, "--detailed-exitcode").code == 0
    world.provision("destroy", manifest, "-y")
    assert list(management.things) == [vault.lower()]


@pytest.mark.slow
def test_one_store_is_deployed_and_destroyed_by_its_name(azure: Azure) -> None:
    world = azure.world
    options = [f"--storage_account={ACCOUNT}", "--path=az://artifacts/team", "--region=westeurope"]
    environment = {"AZURE_SUBSCRIPTION_ID": SUBSCRIPTION}

    deployed = world.provision(
        "artifact-store", "deploy", "az_store", "--flavor", "azure", *options, "-y", environment=environment
    )

    assert f"took --account={SUBSCRIPTION} from AZURE_SUBSCRIPTION_ID" in deployed.said
    (record,) = world.state()["artifact_stores"]
    assert (record["path"], record["config"]["account_name"]) == ("az://artifacts/team", ACCOUNT)
    world.provision("artifact-store", "destroy", "az_store", "-y")
    assert azure.management.things == {}
