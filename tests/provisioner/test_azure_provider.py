"""Azure behind the catalog: what a manifest may say, what is rendered from it, and what is registered."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from provisioner.catalog import PROVIDERS
from provisioner.deploy import store_manifest
from provisioner.errors import ManifestError
from provisioner.manifest import Manifest, dump_manifest, parse_manifest
from provisioner.register import Applied, check_registrable, registered
from provisioner.render import render
from stacks.connectors import create_connector
from stacks.state import State
from stacks.stores.registry import store_class

SUBSCRIPTION = "77777777-0000-0000-0000-000000000000"
SOMEBODY = "11111111-0000-0000-0000-000000000000"
ACTIONS = "https://token.actions.githubusercontent.com#repo:acme/ml:environment:prod"
KEY = "https://acme-keys.vault.azure.net/keys/ml"
NETWORK = "providers/Microsoft.Network/virtualNetworks/ml"
SUBNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/{NETWORK}/subnets/a"


def azure(*stores: dict[str, Any], connectors: list[dict[str, Any]] | None = None, **top: Any) -> Manifest:
    """A manifest with these stores, or with one that says nothing but its name."""
    fields: dict[str, Any] = {
        "version": 1,
        "name": "ml-prod",
        "provider": "azure",
        "region": "westeurope",
        "account": SUBSCRIPTION,
        "artifact_stores": [{"name": f"store_{at}", **store} for at, store in enumerate(stores or ({},))],
        **top,
    }
    if connectors is not None:
        fields["connectors"] = connectors
    return parse_manifest(json.dumps(fields))


def problems(*stores: dict[str, Any], **rest: Any) -> list[str]:
    """What is wrong with such a manifest, as ``path: message``."""
    with pytest.raises(ManifestError) as refused:
        azure(*stores, **rest)
    return [f"{problem.path}: {problem.message}" for problem in refused.value.problems]


# --- the manifest -------------------------------------------------------------------------------------------


def test_the_least_says_where_and_in_which_subscription() -> None:
    manifest = azure()

    (connector,) = manifest.connectors
    assert (connector.name, connector.auth_method) == ("store_0_connector", "implicit")
    for missing in ("region", "account"):
        assert any("required field is missing" in text for text in problems(**{missing: None}))


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ({"bucket": "Artifacts"}, "a container name has 3 to 63 characters"),
        ({"bucket": "two--dashes"}, "a container name has 3 to 63 characters"),
        ({"bucket": "a-" * 40 + "a"}, "at most 63 characters"),
        ({"bucket": "tail-"}, "a container name has 3 to 63 characters"),
        ({"storage_account": "acme-ml"}, "only a-z and 0-9"),
        ({"storage_account": "ab"}, "a storage account name has 3 to 24 characters"),
        ({"storage_account": "a" * 25}, "a storage account name has 3 to 24 characters"),
        ({"resource_group": "ends."}, "1 to 90 letters"),
        ({"encryption": {"kms_key": "alias/ml"}}, "a key is https://VAULT.vault.azure.net/keys/NAME"),
        ({"encryption": {"kms_key": "https://evil.example/keys/ml"}}, "a key is https://VAULT"),
        ({"allowed_networks": ["0.0.0.0/0"]}, "would allow everybody"),
        ({"allowed_networks": ["10.0.0.0/8"]}, "private addresses never arrive"),
        ({"allowed_networks": ["203.0.113.7/32"]}, "a public IPv4 address, a range up to /30"),
        ({"allowed_networks": ["300.0.113.7"]}, "a public IPv4 address, a range up to /30"),
        ({"private_endpoint_subnet": "subnet"}, "the resource id of a subnet"),
        ({"storage_class": "infrequent"}, "allowed: standard"),
        ({"lifecycle": {"abort_multipart_days": 3}}, "Azure drops an unfinished upload by itself"),
        ({"existing": True, "bucket": "artifacts"}, "adopts a container by its name and its account's"),
        (
            {"existing": True, "bucket": "artifacts", "storage_account": "acme", "resource_group": "g"},
            "not with",
        ),
        ({"profile": "strict", "allowed_networks": ["203.0.113.7"]}, "encrypts with a key of yours"),
        ({"profile": "strict", "encryption": {"kms_key": KEY}}, "refuses everyone on the network"),
    ],
)
def test_what_azure_would_refuse_is_refused_before(store: dict[str, Any], said: str) -> None:
    assert any(said in text for text in problems(store))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("region", "West Europe", "region"),
        ("region", "eu-west-1", "a location is the short name of an Azure region"),
        ("account", "123456789012", "a subscription id is a UUID"),
        ("tags", {"a/b": "c"}, "none of < > % & \\ ? /"),
        ("tags", {"windowsthing": "c"}, "reserved by Azure"),
        ("endpoint_url", "http://127.0.0.1:10000", "not for provider azure"),
    ],
)
def test_what_stands_at_the_top_is_held_to_azures_rules(field: str, value: Any, said: str) -> None:
    assert any(said in text for text in problems(**{field: value}))


@pytest.mark.parametrize(
    ("connector", "said"),
    [
        ({"trusted_principals": ["arn:aws:iam::123456789012:role/ci"]}, "a principal is the object id"),
        ({"trusted_principals": [ACTIONS]}, "with auth_method implicit they are object ids"),
        ({"auth_method": "workload-identity"}, "trusts nobody who is not named"),
        (
            {"auth_method": "workload-identity", "trusted_principals": [SOMEBODY]},
            "ISSUER#SUBJECT of the tokens",
        ),
        ({"auth_method": "managed-identity", "trusted_principals": [SOMEBODY]}, "whatever the identity is"),
        ({"auth_method": "service-principal", "trusted_principals": [SOMEBODY]}, "whoever has its secret"),
        ({"auth_method": "account-key"}, "allowed: implicit, managed-identity, workload-identity"),
        ({"external_id": "acme"}, "not for provider azure"),
    ],
)
def test_a_connector_names_whom_its_method_can_trust(connector: dict[str, Any], said: str) -> None:
    found = problems({"connector": "mine"}, connectors=[{"name": "mine", **connector}])
    assert any(said in text for text in found)


def test_an_account_is_created_once_and_granted_on_once() -> None:
    one = {"storage_account": "acmeml", "bucket": "one"}
    adopted = {**one, "existing": True}
    twice = problems(one, {**one, "bucket": "two"})
    assert any("found the account of artifact_stores[0] again" in text for text in twice)
    (granted,) = problems(adopted, {**adopted, "bucket": "two"})
    assert "whoever applies is granted access to this account by store_0_connector already" in granted

    azure(
        {**adopted, "connector": "mine"},
        {**adopted, "bucket": "two", "connector": "mine"},
        connectors=[{"name": "mine"}],
    )
    azure({"bucket": "artifacts"}, {"bucket": "artifacts"})  # in an account of its own each


def test_other_providers_have_none_of_it() -> None:
    for field, value in (
        ("resource_group", "g"),
        ("allowed_networks", ["203.0.113.7"]),
        ("private_endpoint_subnet", SUBNET),
        ("storage_account", "acme"),
    ):
        with pytest.raises(ManifestError, match="not for provider local"):
            parse_manifest(
                json.dumps(
                    {
                        "version": 1,
                        "name": "demo",
                        "provider": "local",
                        "artifact_stores": [{"name": "main", field: value}],
                    }
                )
            )


def test_a_store_can_be_deployed_without_a_manifest() -> None:
    options = {"region": "westeurope", "account": SUBSCRIPTION, "path": "az://artifacts/team"}
    manifest = parse_manifest(dump_manifest(store_manifest("ml_store", "azure", options)))
    (store,) = manifest.artifact_stores
    assert (manifest.provider, store.bucket, store.prefix) == ("azure", "artifacts", "team")


def test_the_example_is_a_manifest_that_holds() -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "azure" / "stack.yaml"
    assert parse_manifest(example.read_text()).provider == "azure"


# --- the Terraform root -------------------------------------------------------------------------------------

EVERYTHING = azure(
    {"renamed_from": "old_store"},
    {"storage_account": "acmeml", "bucket": "two", "existing": True, "connector": "named"},
    {"connector": "workload", "resource_group": "g", "allowed_networks": ["203.0.113.0/24", SUBNET]},
    {
        "connector": "machine",
        "profile": "strict",
        "encryption": {"kms_key": KEY},
        "private_endpoint_subnet": SUBNET,
    },
    {"connector": "secret"},
    connectors=[
        {"name": "named", "trusted_principals": [SOMEBODY]},
        {"name": "workload", "auth_method": "workload-identity", "trusted_principals": [ACTIONS]},
        {"name": "machine", "auth_method": "managed-identity", "access": "read-only"},
        {"name": "secret", "auth_method": "service-principal", "renamed_from": "old_secret"},
    ],
    tags={"team": "ml"},
)


@pytest.mark.parametrize("manifest", [azure(), EVERYTHING], ids=["least", "everything"])
def test_terraform_fmt_has_nothing_to_say(manifest: Manifest, tmp_path: Path) -> None:
    binary = shutil.which("terraform") or shutil.which("tofu")
    if binary is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    (tmp_path / "main.tf").write_text(render(manifest)["main.tf"])
    argv = [binary, "fmt", "-check", "-diff", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_applications_and_their_provider_are_there_only_where_they_are_asked_for() -> None:
    least, everything = render(azure())["main.tf"], render(EVERYTHING)["main.tf"]
    assert "hashicorp/azuread" not in least
    assert not any("application" in path for path in render(azure()))
    assert any("application" in path for path in render(EVERYTHING))
    assert everything.count('provider "azuread"') == 1
    assert re.findall(r'module "application_(\w+)"', everything) == ["secret", "workload"]
    assert "from = module.application_old_secret" in everything.replace("  ", " ")


def test_strict_stands_for_its_settings() -> None:
    stores = json.loads(render(EVERYTHING)["terraform.tfvars.json"])["artifact_stores"]
    settings = ("replication", "infrastructure_encryption", "network_default_deny", "logging")
    assert [stores["store_3"][name] for name in settings] == ["GRS", True, True, True]
    assert [stores["store_0"][name] for name in settings] == ["LRS", False, False, False]


def test_what_a_user_wrote_reaches_no_hcl() -> None:
    root = render(EVERYTHING)["main.tf"]
    for text in (SUBSCRIPTION, SOMEBODY, ACTIONS, KEY, SUBNET, "acmeml", "203.0.113.0/24"):
        assert text not in root


def test_the_plan_says_who_may_do_what() -> None:
    provider = PROVIDERS["azure"]
    who = {connector.name: provider.trusted(connector) for connector in EVERYTHING.connectors}
    assert who == {
        "store_0_connector": "whoever applies this",
        "named": SOMEBODY,
        "workload": ACTIONS,
        "machine": "whatever its managed identity is assigned to",
        "secret": "whoever has the secret secret_key",
    }
    for connector in EVERYTHING.connectors:
        role = "Reader" if connector.access == "read-only" else "Contributor"
        assert f"Storage Blob Data {role} on the container" in provider.permissions(connector)


def test_the_plan_does_not_promise_what_azures_roles_cannot() -> None:
    assert PROVIDERS["azure"].missing_protections(azure({"prefix": "team"})) == [
        "permissions below team/ alone, for store_0: Azure's roles are for a container"
    ]
    assert not PROVIDERS["azure"].missing_protections(azure())


# --- the records --------------------------------------------------------------------------------------------


def outputs(manifest: Manifest, url: str | None = None) -> dict[str, Any]:
    """What the root answers."""
    return {
        "account": SUBSCRIPTION,
        "artifact_stores": {
            store.name: {
                "bucket": f"acc{at}/data",
                "path": "az://data",
                "storage_account": f"acc{at}",
                "url": url or f"https://acc{at}.blob.core.windows.net/",
            }
            for at, store in enumerate(manifest.artifact_stores)
        },
        "connectors": {
            connector.name: {
                "accounts": {
                    f"acc{at}": {"resource_group": "g", "url": url}
                    for at, store in enumerate(manifest.artifact_stores)
                    if store.connector == connector.name
                },
                "client_id": f"client-of-{connector.name}",
                "tenant_id": "tenant",
                "object_id": None,
                "identity_id": None,
            }
            for connector in manifest.connectors
        },
    }


def test_what_an_apply_registers_is_what_the_runtime_takes() -> None:
    state = registered(State(), Applied(EVERYTHING, "/m", "0" * 64, outputs(EVERYTHING), "/w", "t"))

    store = state.artifact_store("store_0")
    assert (store.flavor, store.path, store.config) == ("azure", "az://data", {"account_name": "acc0"})
    methods = {record.name: record.auth_method for record in state.connectors.values()}
    assert methods == {
        "store_0_connector": "implicit",
        "named": "implicit",
        "workload": "implicit",
        "machine": "implicit",
        "secret": "service-principal",
    }
    machine = state.connector("machine").config
    assert machine["client_id"] == "client-of-machine"
    assert machine["identity_only"] is True
    secret = state.connector("secret")
    assert secret.authentication_secret == "secret_key"
    assert secret.config["tenant_id"] == "tenant"
    assert {"account_name", "resource_group", "subscription_id"} <= secret.config.keys()
    secrets = {"secret_key": {"client_secret": "x"}}
    for record in state.connectors.values():
        create_connector(record, secrets)
    for held in state.artifact_stores.values():
        store_class(held.flavor)(held.path, **held.config)


def test_another_cloud_of_microsofts_is_registered_with_its_address() -> None:
    manifest = azure()
    said = outputs(manifest, "https://acc0.blob.core.chinacloudapi.cn/")
    state = registered(State(), Applied(manifest, "/m", "0" * 64, said, "/w", "t"))

    address = "https://acc0.blob.core.chinacloudapi.cn"
    assert state.artifact_store("store_0").config["account_url"] == address
    assert state.connector("store_0_connector").config["account_url"] == address


def test_it_can_be_tried_before_the_apply() -> None:
    check_registrable(State(), EVERYTHING)
