"""Our own rules and Checkov's, held against a real plan of the Azure modules with the stand-in provider.

A plan of both profiles and of each kind of connector; nothing is applied.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure_management import SUBSCRIPTION, Subscription
from module_hcl import load_module
from ruamel.yaml import YAML
from small_server import serving
from standin.mirror import Mirror
from terraform_rig import MODULES, Terraform, provider_mirror, terraform_in

from provisioner.manifest import Connector, parse_manifest
from provisioner.verify import azure_names

ROOT = Path(__file__).parent / "roots" / "azure"
PRINCIPAL = "00000000-0000-0000-0000-000000000002"
VAULT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/acme-keys"
OWN_ENVIRONMENT = MODULES.parent / ".venv-checkov" / "bin" / "checkov"

# The checks that the design asks for, by profile. 59, and with it 35, is a skip of the baseline: see there.
BASELINE = {f"CKV_AZURE_{number}" for number in (3, 34, 36, 44, 190, 244)} | {
    f"CKV2_AZURE_{number}" for number in (38, 40, 41, 47)
}
STRICT = BASELINE | {"CKV_AZURE_35", "CKV_AZURE_59", "CKV_AZURE_206", "CKV2_AZURE_1", "CKV2_AZURE_33"}

# Microsoft's own definitions: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_SIGN = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
ACTIONS = {
    "Storage Blob Data Contributor": {
        *(f"{_CONTAINERS}/{verb}" for verb in ("delete", "read", "write")),
        *(f"{_BLOBS}/{verb}" for verb in ("delete", "read", "move/action", "write", "add/action")),
        _SIGN,
    },
    "Storage Blob Data Reader": {f"{_CONTAINERS}/read", f"{_BLOBS}/read", _SIGN},
    "Storage Blob Delegator": {_SIGN},
}


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory, terraform: Path) -> Iterator[Terraform]:
    """The root, initialised, and an Azure that holds nothing but a key vault."""
    base = tmp_path_factory.mktemp("azure")
    mirror = Mirror(base / "mirror")
    for name, version in (("azurerm", "5.10.0"), ("azuread", "3.10.0")):
        mirror.real_or_stand_in(name, version, mirrors=(provider_mirror(),), handlers=f"standin_{name}")
    if mirror.is_real("azurerm"):
        pytest.skip("the real azurerm asks Azure itself while it plans: tests/e2e/test_azure.py runs with it")
    print(mirror.ran)
    shutil.copytree(MODULES, base / "modules")
    shutil.copytree(ROOT, base / "root")
    azure = Subscription(None)
    azure.things[VAULT.lower()] = {
        "id": VAULT,
        "name": "acme-keys",
        "type": "Microsoft.KeyVault/vaults",
        "location": "westeurope",
    }
    rig = terraform_in(base / "root", terraform, mirror.folder)
    with serving(azure.handle) as url:
        rig = dataclasses.replace(rig, environment={**rig.environment, "STANDIN_SERVER": url})
        rig.init()
        rig.variables({"subscription_id": SUBSCRIPTION, "principal": PRINCIPAL})
        yield rig
    azure.published.settle()


@pytest.fixture(scope="module")
def plan(planner: Terraform) -> dict[str, Any]:
    """The plan's JSON."""
    assert planner.plan()
    return planner.shown_plan()


def resources(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every managed resource that the plan would leave behind."""
    children = plan["planned_values"]["root_module"]["child_modules"]
    return [item for child in children for item in child["resources"] if item["mode"] == "managed"]


def assignments(plan: dict[str, Any], module: str) -> set[tuple[str, str]]:
    """The roles that a module assigns, with their scopes."""
    return {
        (item["values"]["role_definition_name"], item["values"]["scope"])
        for item in resources(plan)
        if item["type"] == "azurerm_role_assignment" and item["address"].startswith(f"module.{module}.")
    }


def listed_in_readme(access: str) -> dict[tuple[str, str], set[str]]:
    """The rows of the README's table for one kind of access: role and scope, and the actions."""
    text = (MODULES / "azure/service-connector/README.md").read_text()
    (table,) = re.findall(f"<!-- {access} -->\n(.*?)<!-- /{access} -->", text, flags=re.DOTALL)
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()[2:]]
    return {(role, on.strip("`")): set(re.findall("`([^`]+)`", actions)) for role, on, actions in rows}


# --- our own rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "store", "access"),
    [
        ("connector_named", "plain", "read-write"),
        ("connector_writer", "strict", "read-write"),
        ("connector_reader", "strict", "read-only"),
    ],
)
def test_granted_is_exactly_what_the_readme_lists(
    plan: dict[str, Any], module: str, store: str, access: str
) -> None:
    container = plan["planned_values"]["outputs"]["stores"]["value"][store]["container_id"]
    account = container.partition("/blobServices/")[0]
    names = {container: "CONTAINER", account: "ACCOUNT"}
    granted = {(role, names[scope]) for role, scope in assignments(plan, module)}
    assert granted == set(listed_in_readme(access))


@pytest.mark.parametrize("access", ["read-write", "read-only"])
def test_the_readme_lists_the_actions_of_microsofts_own_roles(access: str) -> None:
    for (role, _), actions in listed_in_readme(access).items():
        assert actions == ACTIONS[role]
        assert not any("*" in action for action in actions)


def test_no_role_on_data_is_assigned_above_a_container(plan: dict[str, Any]) -> None:
    """Storage Blob Delegator, which sees no data, is the one exception, explained in the README."""
    every = [item for item in resources(plan) if item["type"] == "azurerm_role_assignment"]
    assert len(every) == 7
    for item in every:
        role, scope = item["values"]["role_definition_name"], item["values"]["scope"]
        assert role in {*ACTIONS, "Key Vault Crypto Service Encryption User"}
        assert not {"Owner", "Contributor"} & {role}
        if role == "Storage Blob Delegator":
            assert re.fullmatch(r".*/Microsoft\.Storage/storageAccounts/[a-z0-9]+", scope)
        elif role.startswith("Key Vault"):
            assert scope == f"{VAULT}/keys/ml"
        else:
            assert re.fullmatch(r".*/blobServices/default/containers/[a-z0-9-]+", scope)


def test_scopes_and_names_of_assignments_stand_in_the_plan(plan: dict[str, Any]) -> None:
    """What is only known after the apply cannot be reviewed before it, nor found after a crash."""
    for change in plan["resource_changes"]:
        if change["type"] == "azurerm_role_assignment":
            assert not {"scope", "name", "role_definition_name"} & set(change["change"]["after_unknown"])


def test_no_key_no_password_and_no_custom_role_is_ever_made(plan: dict[str, Any]) -> None:
    assert {item["type"] for item in resources(plan)} == {
        "azuread_application",
        "azuread_application_federated_identity_credential",
        "azuread_service_principal",
        "azurerm_log_analytics_workspace",
        "azurerm_monitor_diagnostic_setting",
        "azurerm_private_endpoint",
        "azurerm_resource_group",
        "azurerm_role_assignment",
        "azurerm_storage_account",
        "azurerm_storage_container",
        "azurerm_storage_management_policy",
        "azurerm_user_assigned_identity",
    }


def test_everything_that_can_be_tagged_says_who_made_it(plan: dict[str, Any]) -> None:
    tagged = [item for item in resources(plan) if "tags" in item["values"]]
    assert len({item["type"] for item in tagged}) == 7
    for item in tagged:
        tags = item["values"]["tags"]
        if isinstance(tags, list):  # applications have words, not values
            of_ours = {"provisioned-by:stack-provisioner", f"subscription:{SUBSCRIPTION}", "stack:ml-prod"}
            assert of_ours <= set(tags)
        else:
            assert (tags["provisioned-by"], tags["stack"]) == ("stack-provisioner", "ml-prod")


def test_the_names_are_those_that_the_code_foretells(plan: dict[str, Any]) -> None:
    """The rules stand twice, in HCL and in Python: the journal names a resource before Terraform makes it."""
    manifest = parse_manifest(
        json.dumps(
            {
                "version": 1,
                "name": "ml-prod",
                "provider": "azure",
                "region": "westeurope",
                "account": SUBSCRIPTION,
                "artifact_stores": [
                    {"name": "plain_store", "connector": "named"},
                    {
                        "name": "strict_store",
                        "storage_account": "acmemlstrict",
                        "bucket": "artifacts",
                        "connector": "reader",
                        "profile": "strict",
                        "encryption": {"kms_key": "https://acme-keys.vault.azure.net/keys/ml"},
                        "private_endpoint_subnet": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net"
                        "/providers/Microsoft.Network/virtualNetworks/ml/subnets/endpoints",
                    },
                ],
                "connectors": [
                    {"name": "named", "trusted_principals": [PRINCIPAL]},
                    {"name": "reader", "auth_method": "managed-identity"},
                ],
            }
        )
    )
    writer = Connector(
        name="writer",
        auth_method="workload-identity",
        trusted_principals=("https://token.actions.githubusercontent.com#repo:acme/ml:ref:refs/heads/main",),
    )
    places = {store.name: azure_names.place(manifest, store) for store in manifest.artifact_stores}
    named, reader = manifest.connectors
    foretold = {
        **dict(azure_names.of_store(manifest.artifact_stores[0], places["plain_store"], None)),
        **dict(azure_names.of_store(manifest.artifact_stores[1], places["strict_store"], VAULT)),
        **dict(azure_names.of_connector(manifest, named, [places["plain_store"]])),
        **dict(azure_names.of_connector(manifest, reader, [places["strict_store"]])),
        **dict(azure_names.of_application(manifest, writer)),
    }
    foretold = {
        re.sub(r"store_(plain|strict)_store\.", r"store_\1.", address).replace(f"#{PRINCIPAL}", "#ci"): name
        for address, name in foretold.items()
    }
    made = {item["address"]: item["values"] for item in resources(plan)}
    unnamed = {address for address in made if "connector_writer" in address}
    assert foretold.keys() == made.keys() - unnamed
    for address, identifier in foretold.items():
        values = made[address]
        if "managementPolicies" in identifier or "service_principal" in address:
            continue  # it has no name of its own
        if "|" in identifier:
            assert identifier.endswith(f"|{values['name']}")
        elif "roleAssignments" in identifier and "connector_named" in address:
            assert identifier.startswith(values["scope"])  # the name holds the manifest's own principal
        elif "application_writer" in address:
            assert f"/{identifier}".endswith(f"/{values['display_name']}")
        else:
            assert identifier.endswith(f"/{values['name']}")


# --- Checkov ------------------------------------------------------------------------------------------------


def checkov(home: Path, *argv: str) -> dict[str, set[tuple[str, str]]]:
    """Run Checkov: which checks passed and failed, on which resources."""
    program = OWN_ENVIRONMENT if OWN_ENVIRONMENT.exists() else shutil.which("checkov")
    if program is None:
        pytest.skip("checkov is not installed; `make test` installs it into an environment of its own")
    done = subprocess.run(
        [program, *argv, "--output", "json", "--skip-download"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    return {
        result: {(check["check_id"], check["resource"]) for check in report["results"][f"{result}_checks"]}
        for result in ("passed", "failed", "skipped")
    }


@pytest.fixture(scope="module")
def over_plan(tmp_path_factory: pytest.TempPathFactory, plan: dict[str, Any]) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("checkov-plan")
    (home / "plan.json").write_text(json.dumps(plan))
    return checkov(home, "--file", str(home / "plan.json"), "--framework", "terraform_plan")


def skips(profile: str) -> dict[str, str]:
    """The named skips of a profile that are about Azure."""
    read = YAML(typ="safe").load(MODULES / f"checkov-{profile}.yaml")
    return {check: reason for check, reason in read.items() if "_AZURE_" in check}


@pytest.mark.parametrize(
    ("profile", "module", "wanted"),
    [("baseline", "store_plain", BASELINE), ("strict", "store_strict", STRICT)],
)
def test_a_real_plan_fails_nothing_but_the_named_skips(
    over_plan: dict[str, Any], profile: str, module: str, wanted: set[str]
) -> None:
    here = {
        result: {check for check, resource in found if resource.startswith(f"module.{module}.")}
        for result, found in over_plan.items()
    }
    named = skips(profile)
    assert here["failed"] == set(named) - {"CKV_AZURE_249"}  # a skip that is needed no longer goes
    assert wanted <= here["passed"]
    assert not over_plan["skipped"]  # nothing is skipped inside the modules
    assert all(len(reason) > 40 for reason in named.values())


def test_connectors_fail_nothing_over_a_plan(over_plan: dict[str, Any]) -> None:
    assert not [found for found in over_plan["failed"] if not found[1].startswith("module.store_")]


def test_modules_fail_nothing_but_the_named_skips(tmp_path: Path) -> None:
    """Over the modules alone, where what is a variable has no value."""
    found = checkov(tmp_path, "--directory", str(MODULES / "azure"), "--framework", "terraform")
    assert {check for check, _ in found["failed"]} <= set(skips("baseline"))
    assert not found["skipped"]


def test_every_module_is_in_the_plan() -> None:
    used = {block.arguments["source"].strip('"') for block in load_module(ROOT).all("module")}
    assert used == {f"../modules/azure/{path.name}" for path in (MODULES / "azure").iterdir()}
