"""What of a plan deserves a second look: each kind, by the manifest and by the plan."""

from __future__ import annotations

import json
from typing import Any

import manifests
import pytest

from provisioner.dangers import dangers, needs_details
from provisioner.summary import Danger
from provisioner.terraform.stream import Change

STORE: dict[str, Any] = {"name": "main", "bucket": "acme", "prefix": "a/b", "connector": "access"}
ACCESS: dict[str, Any] = {
    "name": "access",
    "access": "read-only",
    "external_id": "agreed",
    "trusted_principals": ["arn:aws:iam::123456789012:role/ci"],
}


def between(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The dangers of going from one manifest to another, as (kind, component, text)."""
    old, new = (
        manifests.aws(
            artifact_stores=[STORE | fields.get("store", {}), *fields.get("more", ())],
            connectors=[ACCESS | fields.get("connector", {})],
            **fields.get("top", {}),
        )
        for fields in (before, after)
    )
    found = dangers(new, old, (), None, operation="apply")
    return [(danger.kind, danger.component, danger.text) for danger in found]


def store(**fields: Any) -> dict[str, Any]:
    """A change to the store."""
    return {"store": fields}


def connector(**fields: Any) -> dict[str, Any]:
    """A change to the connector."""
    return {"connector": fields}


KEY = "alias/ml"
LIFECYCLE = {"noncurrent_days": None}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (store(), store(protect=False), ("protection", "main", "it may be destroyed from now on")),
        (store(), store(versioning=False), ("protection", "main", "versioning is switched off")),
        (
            store(encryption={"kms_key": KEY}),
            store(),
            ("protection", "main", "new objects are encrypted no longer with the key alias/ml"),
        ),
        (
            store(encryption={"kms_key": KEY}),
            store(encryption={"kms_key": "alias/x"}),
            ("protection", "main", "new objects are encrypted with alias/x instead of alias/ml"),
        ),
        (
            store(),
            store(lifecycle={"noncurrent_days": 30}),
            ("data", "main", "old versions are removed after 30 days instead of 90"),
        ),
        (
            store(lifecycle=LIFECYCLE),
            store(),
            ("data", "main", "old versions are removed after 90 days instead of being kept"),
        ),
        (store(), store(prefix="a"), ("permissions", "access", "reaches main below a/, not only a/b/")),
        (store(), store(prefix=None), ("permissions", "access", "reaches main in the whole bucket")),
        (
            {},
            {"more": [{"name": "more", "bucket": "more", "connector": "access"}]},
            ("permissions", "access", "now also reaches more"),
        ),
        (connector(), connector(access="read-write"), ("permissions", "access", "may now write and delete")),
        (
            connector(),
            connector(trusted_principals=[*ACCESS["trusted_principals"], "arn:aws:iam::123456789012:root"]),
            ("trust", "access", "is now also trusted to arn:aws:iam::123456789012:root"),
        ),
        (
            connector(),
            connector(trusted_principals=[]),
            ("trust", "access", "is now trusted to whoever applies"),
        ),
        (
            connector(),
            connector(external_id=None),
            ("trust", "access", "callers need not say the agreed external id any longer"),
        ),
    ],
)
def test_each_danger_is_told_one_way_and_not_the_other(
    before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    ((kind, component, text),) = between(before, after)
    assert (kind, component) == expected[:2]
    assert text.startswith(expected[2])
    assert (kind, component, text) not in between(after, before)
    assert between(after, after) == []


def test_another_address_is_told_whatever_is_there() -> None:
    there, here = ({"top": {"endpoint_url": f"{scheme}://s3.example"}} for scheme in ("https", "http"))
    moved = ("trust", "demo", "its service is at {} from now on, instead of {}")

    trust, protection = between(there, here)
    assert trust == (*moved[:2], moved[2].format("http://s3.example", "https://s3.example"))
    assert protection[2].startswith("no longer there: the policy that denies plain HTTP")
    assert between(here, there) == [(*moved[:2], moved[2].format("https://s3.example", "http://s3.example"))]
    assert between({}, there) == [(*moved[:2], moved[2].format("https://s3.example", "the cloud itself"))]


def test_a_deeper_prefix_and_a_new_name_are_no_danger() -> None:
    assert between(store(), store(prefix="a/b/c")) == []
    assert between(store(), store(name="renamed", renamed_from="main")) == []
    assert between(store(), store(prefix="a/bc")) != []  # not below a/b


SUBNET = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network"
    "/virtualNetworks/net/subnets/{}"
)
OFFICE, ENDPOINT = ["203.0.113.0/24"], SUBNET.format("endpoints")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"allowed_networks": OFFICE}, {}, ("public", "the account is reached from every network")),
        ({"private_endpoint_subnet": ENDPOINT}, {}, ("public", "the account is reached from every network")),
        (
            {"allowed_networks": OFFICE},
            {"allowed_networks": [*OFFICE, "198.51.100.7"]},
            ("permissions", "is now also reached from 198.51.100.7"),
        ),
        (
            {"private_endpoint_subnet": ENDPOINT},
            {"private_endpoint_subnet": ENDPOINT, "allowed_networks": OFFICE},
            ("permissions", "is now also reached from 203.0.113.0/24"),
        ),
        (
            {"allowed_networks": OFFICE},
            {"allowed_networks": [SUBNET.format("vms")]},
            ("permissions", f"is now also reached from {SUBNET.format('vms')}"),
        ),
    ],
)
def test_networks_that_did_not_reach_a_store(
    before: dict[str, Any], after: dict[str, Any], expected: tuple[str, str]
) -> None:
    (danger,) = reached(before, after)
    assert (danger.kind, danger.component, danger.text) == (expected[0], "main", expected[1])


def test_fewer_networks_are_no_danger() -> None:
    office, both = {"allowed_networks": OFFICE}, {"allowed_networks": [*OFFICE, "198.51.100.7"]}

    assert reached({}, office) == reached(both, office) == reached(office, office) == reached({}, {}) == []


def reached(before: dict[str, Any], after: dict[str, Any]) -> list[Danger]:
    """The dangers of going from one store on Azure to another."""
    old, new = (
        manifests.manifest(
            provider="azure",
            region="westeurope",
            account="00000000-0000-0000-0000-000000000000",
            artifact_stores=[{"name": "main", **fields}],
        )
        for fields in (before, after)
    )
    return dangers(new, old, (), None, operation="apply")


def planned(*changes: tuple[str, str, Any, Any], operation: str = "apply") -> list[Danger]:
    """The dangers of a plan: resource and action, before and after."""
    told, details = [], []
    for resource, action, before, after in changes:
        kind = "connector" if "iam" in resource or "role" in resource else "store"
        address = f"module.{kind}_main.{resource}.this[0]"
        told.append(Change(address, resource, action))
        details.append({"address": address, "change": {"before": before, "after": after}})
    manifest = manifests.aws()
    return dangers(manifest, None, told, {"resource_changes": details}, operation=operation, known={"main"})


@pytest.mark.parametrize("action", ["delete", "replace"])
@pytest.mark.parametrize("kind", ["aws_s3_bucket", "google_storage_bucket", "azurerm_storage_account"])
def test_a_bucket_that_goes_takes_its_data_along(kind: str, action: str) -> None:
    for operation in ("apply", "destroy"):
        (danger,) = planned((kind, action, {}, {}), operation=operation)
        assert (danger.kind, danger.component) == ("data", "main")
        assert "with everything in it" in danger.text


@pytest.mark.parametrize(
    ("resource", "before", "after", "kind"),
    [
        (
            "aws_s3_bucket_public_access_block",
            {"block_public_acls": True},
            {"block_public_acls": False},
            "public",
        ),
        (
            "aws_s3_bucket_versioning",
            {"versioning_configuration": [{"status": "Enabled"}]},
            {"versioning_configuration": [{"status": "Suspended"}]},
            "protection",
        ),
        (
            "google_storage_bucket",
            {"public_access_prevention": "enforced"},
            {"public_access_prevention": "inherited"},
            "public",
        ),
        (
            "azurerm_storage_account",
            {"shared_access_key_enabled": False},
            {"shared_access_key_enabled": True},
            "permissions",
        ),
        (
            "azurerm_storage_account",
            {"network_rules": [{"default_action": "Deny"}]},
            {"network_rules": [{"default_action": "Allow"}]},
            "public",
        ),
        (
            "azurerm_storage_container",
            {"container_access_type": "private"},
            {"container_access_type": "blob"},
            "public",
        ),
    ],
)
def test_a_setting_that_leaves_the_safe_side(
    resource: str, before: dict[str, Any], after: dict[str, Any], kind: str
) -> None:
    (danger,) = planned((resource, "update", before, after))
    assert (danger.kind, danger.component) == (kind, "main")
    assert planned((resource, "update", after, before)) == []
    assert planned((resource, "update", after, after)) == []


def test_a_protection_that_is_deleted_while_its_bucket_stays() -> None:
    block = ("aws_s3_bucket_public_access_block", "delete", {}, None)

    assert [danger.kind for danger in planned(block)] == ["public"]
    assert [danger.kind for danger in planned(block, ("aws_s3_bucket", "delete", {}, None))] == ["data"]


def document(*actions: str) -> str:
    """A policy that allows these."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "arn:aws:s3:::acme/*"}
    return json.dumps({"Statement": [statement, {"Effect": "Deny", "Action": "s3:DeleteBucket"}]})


def test_permissions_that_a_role_did_not_have() -> None:
    less, more = {"policy": document("s3:GetObject")}, {"policy": document("s3:GetObject", "s3:PutObject")}

    (danger,) = planned(("aws_iam_role_policy", "update", less, more))
    assert (danger.kind, danger.text) == ("permissions", "may now also: s3:PutObject")
    assert planned(("aws_iam_role_policy", "update", more, less)) == []
    assert planned(("aws_iam_role_policy", "update", less, {"policy": None})) == []  # known after the apply


CI, ROOT = "arn:aws:iam::123456789012:role/ci", "arn:aws:iam::123456789012:root"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    """A role that trusts by these statements."""
    allowed = [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement} for statement in statements]
    return {"assume_role_policy": json.dumps({"Version": "2012-10-17", "Statement": allowed})}


def named(*principals: str, external_id: str | None = None) -> dict[str, Any]:
    """Principals of AWS."""
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    return {"Principal": {"AWS": list(principals)}} | condition


def workload(
    *subjects: str, operator: str = "StringEquals", audience: str | None = "sts.amazonaws.com"
) -> Any:
    """Workloads that show tokens of GitHub."""
    tests: dict[str, Any] = {operator: {f"{GITHUB}:sub": list(subjects)}}
    if audience is not None:
        tests.setdefault("StringEquals", {})[f"{GITHUB}:aud"] = audience
    return {"Principal": {"Federated": PROVIDER}, "Condition": tests}


PROD, EVIL = "repo:acme/ml:environment:prod", "repo:evil/x:ref:refs/heads/main"
OF_GITHUB = f"{GITHUB}:aud is sts.amazonaws.com and {GITHUB}:sub is"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (named(CI), named(ROOT), ROOT),
        (named(CI), named(CI, ROOT), ROOT),
        (workload(PROD), workload(EVIL), f"{PROVIDER} where {OF_GITHUB} {EVIL}"),
        (workload(PROD), workload(PROD, EVIL), f"{PROVIDER} where {OF_GITHUB} {PROD} or {EVIL}"),
        (
            workload(PROD),
            workload("repo:*", operator="StringLike"),
            f"{PROVIDER} where {GITHUB}:aud is sts.amazonaws.com and {GITHUB}:sub is repo:*",
        ),
        (workload(PROD), workload(PROD, audience=None), f"{PROVIDER} where {GITHUB}:sub is {PROD}"),
        (workload(PROD), {"Principal": {"Federated": PROVIDER}}, f"{PROVIDER}, without conditions"),
        (named(CI, external_id="agreed"), named(CI), f"{CI}, without conditions"),
        (
            named(CI, external_id="agreed"),
            named(CI, external_id="other"),
            f"{CI} where sts:ExternalId is other",
        ),
        (named(CI), named(CI) | {"Action": ["sts:AssumeRole", "sts:TagSession"]}, CI),
        (named(CI), {"NotPrincipal": {"AWS": CI}}, f"everybody but {CI}"),
    ],
)
def test_those_whom_a_role_did_not_trust(
    before: dict[str, Any], after: dict[str, Any], expected: str
) -> None:
    """There need be no manifest from before: a runner does not know any."""
    (danger,) = planned(("aws_iam_role", "update", role(before), role(after)))

    assert (danger.kind, danger.text) == ("trust", f"is now also trusted to {expected}")
    assert planned(("aws_iam_role", "update", role(after), role(after))) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (named(CI, ROOT), named(CI)),
        (named(CI), named(CI, external_id="agreed")),
        (workload(PROD, EVIL), workload(PROD)),
        (workload(PROD, audience=None), workload(PROD)),
    ],
)
def test_trust_that_is_narrowed_is_no_danger(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert planned(("aws_iam_role", "update", role(before), role(after))) == []
    assert planned(("aws_iam_role", "update", role(named(CI), before), role(after))) == []


@pytest.mark.parametrize(
    ("resource", "attribute", "value", "kind"),
    [
        ("google_storage_bucket_iam_member", "role", "roles/storage.objectUser", "permissions"),
        ("azurerm_role_assignment", "role_definition_name", "Storage Blob Data Contributor", "permissions"),
        ("google_service_account_iam_member", "member", "user:a@example.com", "trust"),
    ],
)
def test_what_is_given_to_an_identity_that_is_there(
    resource: str, attribute: str, value: str, kind: str
) -> None:
    given = (resource, "create", None, {attribute: value})

    (danger,) = planned(given)
    assert (danger.kind, danger.text.endswith(value)) == (kind, True)
    assert planned((resource, "replace", {attribute: value}, {attribute: value})) == []
    told = Change(f"module.connector_main.{resource}.x", resource, "create")
    assert needs_details([told], {"main"})
    # What is new, or made in the same plan, is granted as a whole; that is among the permissions.
    assert not needs_details([told], {"other"})
    made = Change("module.connector_main.google_service_account.this", "google_service_account", "create")
    assert not needs_details([made, told], {"main"})


def test_a_narrower_role_in_the_place_of_a_wider_one_is_no_danger() -> None:
    user, viewer = ({"role": f"roles/storage.object{name}"} for name in ("User", "Viewer"))

    assert planned(("google_storage_bucket_iam_member", "replace", user, viewer)) == []
    (danger,) = planned(("google_storage_bucket_iam_member", "replace", viewer, user))
    assert danger.text == "is given the role roles/storage.objectUser"


def test_the_worst_stands_first() -> None:
    found = planned(
        ("aws_s3_bucket_versioning", "delete", {}, None),
        ("aws_iam_role_policy", "update", {"policy": document()}, {"policy": document("s3:PutObject")}),
        ("azurerm_storage_account", "replace", {}, {}),
    )

    assert [danger.kind for danger in found] == ["data", "permissions"]
