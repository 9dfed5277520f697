"""Our own rules, held against a real plan: what is granted is what the README lists, and nothing wider."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import PRINCIPAL
from terraform_rig import MODULES

from provisioner.manifest import generated_bucket

Grant = tuple[str, str, str]  # action, on what, only if


def resources(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every managed resource that the plan would leave behind."""
    for child in plan["planned_values"]["root_module"]["child_modules"]:
        yield from (item for item in child["resources"] if item["mode"] == "managed")


def planned(plan: dict[str, Any], address: str) -> dict[str, Any]:
    """The planned values of one resource."""
    (found,) = [item["values"] for item in resources(plan) if item["address"] == address]
    values: dict[str, Any] = found
    return values


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one as the one."""
    return value if isinstance(value, list) else [value]


def grants(policy: str) -> list[Grant]:
    """Every (action, resource, condition) that the policy allows."""
    found: list[Grant] = []
    for statement in as_list(json.loads(policy)["Statement"]):
        assert statement["Effect"] == "Allow"
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        condition = ""
        for test, keys in statement.get("Condition", {}).items():
            assert test == "StringLike"
            condition = "; ".join(f"`{key}` like `{value}`" for key, value in keys.items())
        found.extend(
            (action, resource, condition)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        )
    return found


def listed_in_readme(access: str) -> list[Grant]:
    """The rows of the README's table for one kind of access."""
    text = (MODULES / "aws/service-connector/README.md").read_text()
    (table,) = re.findall(f"<!-- {access} -->\n(.*?)<!-- /{access} -->", text, flags=re.DOTALL)
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()[2:]]
    return [(action.strip("`"), on.strip("`"), condition) for action, on, condition in rows]


@pytest.mark.parametrize(("module", "access"), [("writer", "read-write"), ("reader", "read-only")])
def test_granted_is_exactly_what_the_readme_lists(aws_plan: dict[str, Any], module: str, access: str) -> None:
    policy = planned(aws_plan, f"module.connector_{module}.aws_iam_role_policy.access")["policy"]
    key = aws_plan["planned_values"]["outputs"]["keyed"]["value"]["kms_key_arn"]
    named = {"acme-ml-prod": "BUCKET", "team/artifacts": "PREFIX", key: "KEY"}
    granted = [
        tuple(re.sub("|".join(named), lambda found: named[found[0]], part) for part in grant)
        for grant in grants(policy)
    ]
    listed = listed_in_readme(access)
    assert sorted(granted) == sorted(listed)
    assert len(set(listed)) == len(listed)


def test_without_prefix_and_key_nothing_is_granted_for_them(aws_plan: dict[str, Any]) -> None:
    bucket = aws_plan["planned_values"]["outputs"]["plain"]["value"]["bucket"]
    expected = [
        (action, on.replace("BUCKET", bucket).replace("PREFIX/", ""), "")
        for action, on, _ in listed_in_readme("read-write")
        if on != "KEY"
    ]
    policy = planned(aws_plan, "module.connector_plain.aws_iam_role_policy.access")["policy"]
    assert sorted(grants(policy)) == sorted(expected)


@pytest.mark.parametrize("module", ["plain", "writer", "reader"])
def test_no_wildcard_in_any_granted_action_and_no_resource_beyond_the_store(
    aws_plan: dict[str, Any], module: str
) -> None:
    policy = planned(aws_plan, f"module.connector_{module}.aws_iam_role_policy.access")["policy"]
    store = aws_plan["planned_values"]["outputs"]["plain" if module == "plain" else "keyed"]["value"]
    ours = (store["bucket_arn"], f"{store['bucket_arn']}/*", f"{store['bucket_arn']}/{store['prefix']}/*")
    for action, resource, _ in grants(policy):
        assert re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action)
        assert resource in (*ours, store["kms_key_arn"])
    if store["prefix"]:
        assert f"{store['bucket_arn']}/*" not in [resource for _, resource, _ in grants(policy)]


def test_output_actions_are_the_granted_ones(aws_plan: dict[str, Any]) -> None:
    for name in ("plain", "writer", "reader"):
        policy = planned(aws_plan, f"module.connector_{name}.aws_iam_role_policy.access")["policy"]
        said = aws_plan["output_changes"]["connectors"]["after"][name]["actions"]
        assert said == sorted({action for action, _, _ in grants(policy)})


def test_only_the_named_principal_may_assume_the_role(aws_plan: dict[str, Any]) -> None:
    for name, condition in (
        ("plain", {}),
        ("writer", {"Condition": {"StringEquals": {"sts:ExternalId": "acme-ml"}}}),
    ):
        role = planned(aws_plan, f"module.connector_{name}.aws_iam_role.this")
        (statement,) = as_list(json.loads(role["assume_role_policy"])["Statement"])
        assert statement == {
            "Sid": "NamedPrincipals",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": PRINCIPAL},
            **condition,
        }


def test_the_bucket_policy_only_denies(aws_plan: dict[str, Any]) -> None:
    policies = [item for item in resources(aws_plan) if item["type"] == "aws_s3_bucket_policy"]
    assert len(policies) == 2
    for item in policies:
        (statement,) = as_list(json.loads(item["values"]["policy"])["Statement"])
        arn = f"arn:aws:s3:::{item['values']['bucket']}"
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert sorted(statement["Resource"]) == [arn, f"{arn}/*"]


def test_the_generated_name_is_the_one_that_the_manifest_foretells(aws_plan: dict[str, Any]) -> None:
    """The rule stands twice, in HCL and in Python: the journal names a bucket before Terraform makes it."""
    bucket = aws_plan["planned_values"]["outputs"]["plain"]["value"]["bucket"]
    assert bucket == generated_bucket("ml-prod", "plain_store", "123456789012")


def test_no_user_no_key_no_attached_policy_is_ever_made(aws_plan: dict[str, Any]) -> None:
    assert {item["type"] for item in resources(aws_plan)} == {
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_s3_bucket",
        "aws_s3_bucket_lifecycle_configuration",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_policy",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
    }


def test_everything_that_can_be_tagged_says_who_made_it(aws_plan: dict[str, Any]) -> None:
    tagged = [item for item in resources(aws_plan) if "tags" in item["values"]]
    assert {item["type"] for item in tagged} == {"aws_s3_bucket", "aws_iam_role"}
    for item in tagged:
        tags = item["values"]["tags"]
        assert (tags["provisioned-by"], tags["stack"]) == ("stack-provisioner", "ml-prod")


def test_policies_stand_in_the_plan_word_for_word(aws_plan: dict[str, Any]) -> None:
    """A policy that is only known after the apply cannot be reviewed before it."""
    for change in aws_plan["resource_changes"]:
        after = change["change"].get("after_unknown", {})
        unknown = {key for key, value in after.items() if value}
        if change["type"] == "aws_s3_bucket":  # its own `policy` is the provider's reading, not ours
            continue
        assert not unknown & {"policy", "assume_role_policy", "bucket"}
