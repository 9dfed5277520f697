"""What a policy says of manifests and of plans, and at which line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from policy_samples import planned, policy, said, stack

from provisioner.errors import PolicyDeniedError
from provisioner.policy import judge_manifest, refuse_denied
from provisioner.policy.granted import AWS_ACTIONS, GRANTING, KNOWN, ROLES
from provisioner.summary import Danger

MODULES = Path(__file__).parents[3] / "modules"

# --- the manifest alone -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        "providers: {allowed: [aws, local]}",
        "regions: {allowed: [eu-*]}",
        "accounts: {allowed: ['123456789012']}",
        "tags: {required: {team: '*', env: 'p*'}}",
        "names: {stack: 'd*', artifact_store: '*', connector: access, bucket: '*'}",
        "protected: deny",
        "profile: {minimum: baseline}",
        "trusted_principals: {allowed: ['arn:aws:iam::123456789012:role/*', 'arn:aws:iam::9*:root']}",
    ],
)
def test_what_is_allowed_is_not_mentioned(tmp_path: Path, rules: str) -> None:
    assert said(tmp_path, rules) == []


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            "providers: {allowed: [gcp]}",
            "stack.yaml:3:11: provider: providers: found aws; the policy allows gcp",
        ),
        (
            "regions: {allowed: [us-*, ca-*]}",
            "stack.yaml:4:9: region: regions: found eu-west-1; the policy allows us-* or ca-*",
        ),
        (
            "accounts: {allowed: ['9*']}",
            "stack.yaml:5:10: account: accounts: found 123456789012; the policy allows 9*",
        ),
        (
            "tags: {required: {cost: '*'}}",
            "stack.yaml:6:7: tags: tags: the tag cost is missing; the policy asks for it",
        ),
        (
            "tags: {required: {env: dev}}",
            "stack.yaml:6:23: tags.env: tags: the tag env is prod; the policy allows dev",
        ),
        ("names: {stack: 'ml-*'}", "stack.yaml:2:7: name: names: found demo; the policy allows ml-*"),
        (
            "names: {bucket: 'acme-*'}",
            "stack.yaml:12:13: artifact_stores[1].bucket: names: found theirs; the policy allows acme-*",
        ),
        (
            "customer_key: deny",
            (
                "stack.yaml:8:5: artifact_stores[0].encryption: customer_key: main has no key of its own; "
                "the policy asks for encryption.kms_key"
            ),
        ),
        (
            "profile: deny",
            (
                "stack.yaml:8:5: artifact_stores[0].profile: profile: main has the profile baseline; "
                "the policy asks for strict"
            ),
        ),
        (
            "trusted_principals: {allowed: ['arn:aws:iam::123456789012:role/*']}",
            (
                "stack.yaml:20:9: connectors[0].trusted_principals[1]: trusted_principals: access trusts "
                "arn:aws:iam::999999999999:root; the policy allows arn:aws:iam::123456789012:role/*"
            ),
        ),
    ],
)
def test_each_rule_names_the_line_that_it_is_about(tmp_path: Path, rules: str, expected: str) -> None:
    assert said(tmp_path, rules) == [expected]


def test_what_is_not_said_is_not_allowed_where_it_has_to_be_said(tmp_path: Path) -> None:
    text = "version: 1\nname: demo\nprovider: aws\nregion: eu-west-1\nartifact_stores: [{name: main}]\n"

    assert said(tmp_path, "accounts: {allowed: ['*']}, trusted_principals: {allowed: ['*']}", text=text) == [
        "stack.yaml:1:1: account: accounts: nothing is said; the policy allows *",
        (
            "stack.yaml:1:1: connectors[0].trusted_principals: trusted_principals: main_connector trusts "
            "whoever applies; the policy asks to say whom"
        ),
    ]


def test_a_protection_taken_away_by_an_option_is_found_at_the_option(tmp_path: Path) -> None:
    (finding,) = said(tmp_path, "protected: deny", "artifact_stores.main.protect=false")

    assert finding.startswith("--set artifact_stores.main.protect=…: artifact_stores[0].protect: protected:")


def test_what_another_file_says_is_found_in_that_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("version: 1\nregion: us-east-1\n")
    text = "version: 1\nextends: base.yaml\nname: demo\nprovider: aws\nartifact_stores: [{name: main}]\n"

    assert said(tmp_path, "regions: {allowed: [eu-*]}", text=text) == [
        "base.yaml:2:9: region: regions: found us-east-1; the policy allows eu-*"
    ]


STRICT = """\
version: 1
name: demo
provider: aws
region: eu-west-1
artifact_stores:
  - name: main
    profile: strict
    replica_region: us-east-1
"""


def test_the_region_that_everything_is_copied_to_has_to_be_allowed_as_well(tmp_path: Path) -> None:
    assert said(tmp_path, "regions: {allowed: [eu-*]}", text=STRICT) == [
        (
            "stack.yaml:8:21: artifact_stores[0].replica_region: regions: found us-east-1; "
            "the policy allows eu-*"
        )
    ]
    assert said(tmp_path, "regions: {allowed: [eu-*, us-*]}", text=STRICT) == []
    assert said(tmp_path, "regions: {allowed: [eu-*], exempt: [demo/main]}", text=STRICT) == []


def test_rules_that_a_provider_does_not_know_are_not_for_it(tmp_path: Path) -> None:
    text = "version: 1\nname: demo\nprovider: local\nartifact_stores: [{name: main}]\n"
    rules = "regions: {allowed: [eu-*]}, accounts: {allowed: ['1']}, customer_key: deny"

    assert said(tmp_path, f"{rules}, trusted_principals: {{allowed: [x]}}", text=text) == []


def test_levels_and_exemptions(tmp_path: Path) -> None:
    rules = "names: {stack: 'ml-*', level: %s, exempt: [%s]}"
    loaded = stack(tmp_path)

    (warned,) = judge_manifest(policy(tmp_path, rules % ("warn", "other")), loaded)
    assert warned.level == "warn"
    refuse_denied("demo", [warned])
    assert judge_manifest(policy(tmp_path, rules % ("off", "")), loaded) == []
    assert judge_manifest(policy(tmp_path, rules % ("deny", "dem?")), loaded) == []
    key = "customer_key: {exempt: [%s]}"
    assert judge_manifest(policy(tmp_path, key % "demo/main"), loaded) == []
    (denied,) = judge_manifest(policy(tmp_path, key % "demo/other"), loaded)
    with pytest.raises(PolicyDeniedError, match=r"stack\.yaml:8:5: .*customer_key"):
        refuse_denied("demo", [warned, denied])


def test_off_alone_is_enough_even_for_a_rule_with_more_to_say(tmp_path: Path) -> None:
    assert said(tmp_path, "regions: off, tags: off, names: off, checkov: off") == []


# --- the plan -----------------------------------------------------------------------------------------


def resource(kind: str, after: dict[str, Any], module: str = "connector_access") -> dict[str, Any]:
    """One resource of a plan."""
    mode = "data" if kind.endswith("document") else "managed"
    address = f"module.{module}.{kind}.this"
    change = {"actions": ["create"], "before": None, "after": after}
    return {"resource_changes": [{"address": address, "type": kind, "mode": mode, "change": change}]}


def allow(*actions: str, on: str = "arn:aws:s3:::acme-main/*") -> dict[str, Any]:
    """A role's policy."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return {"policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


def test_lost_data_is_found_at_its_store(tmp_path: Path) -> None:
    lost = Danger("data", "main", "aws_s3_bucket.this[0] is deleted, with everything in it")
    less = Danger("protection", "main", "versioning is switched off")

    assert planned(tmp_path, "data_destroyed: deny", None, lost, less) == [
        (
            "stack.yaml:8:5: artifact_stores[0]: data_destroyed: main: aws_s3_bucket.this[0] is deleted, "
            "with everything in it"
        )
    ]


@pytest.mark.parametrize(
    ("details", "wrong"),
    [
        (resource("aws_iam_role_policy", allow("s3:GetObject", "s3:*")), "the action s3:*"),
        (resource("aws_iam_role_policy", allow("s3:GetObject", on="*")), "every resource (*)"),
        (
            resource("aws_iam_policy_document", {"statement": [{"actions": ["s3:PutBucketPolicy"]}]}),
            "the action s3:PutBucketPolicy",
        ),
        (
            resource("aws_iam_policy_document", {"statement": [{"not_actions": ["s3:GetObject"]}]}),
            "the action *",
        ),
        (resource("aws_iam_user", {"name": "x"}), "a resource of type aws_iam_user"),
        (
            resource("google_project_iam_member", {"role": "r"}),
            "a resource of type google_project_iam_member",
        ),
        (
            resource("google_storage_bucket_iam_member", {"role": "roles/storage.admin"}),
            "the role roles/storage.admin",
        ),
        (resource("azurerm_role_assignment", {"role_definition_name": "Owner"}), "the role Owner"),
        (
            resource(
                "azurerm_role_assignment",
                {"role_definition_name": "Storage Blob Data Reader", "scope": "/subscriptions/x"},
            ),
            "the role Storage Blob Data Reader on /subscriptions/x",
        ),
    ],
)
def test_a_permission_that_the_modules_do_not_list(
    tmp_path: Path, details: dict[str, Any], wrong: str
) -> None:
    (found,) = planned(tmp_path, "wider_permissions: deny", details)

    address = details["resource_changes"][0]["address"]
    assert found == (
        f"stack.yaml:17:5: connectors[0]: wider_permissions: {address}: {wrong}, which is not among what "
        "the modules grant"
    )


@pytest.mark.parametrize(
    "details",
    [
        resource("aws_iam_role_policy", allow(*sorted(AWS_ACTIONS))),
        resource("aws_iam_role_policy", {"policy": None}),
        resource("aws_iam_policy_document", {"statement": [{"effect": "Deny", "actions": ["s3:*"]}]}),
        resource(
            "aws_iam_policy_document",
            {"statement": [{"actions": ["sts:AssumeRole"], "principals": [{"type": "AWS"}]}]},
        ),
        resource("aws_s3_bucket", {"bucket": "x"}),
        resource(
            "azurerm_role_assignment",
            {
                "role_definition_name": "Storage Blob Data Reader",
                "scope": "/a/blobServices/default/containers/c",
            },
        ),
    ],
)
def test_what_the_modules_list_may_be_granted(tmp_path: Path, details: dict[str, Any]) -> None:
    assert planned(tmp_path, "wider_permissions: deny", details) == []


def test_every_resource_of_the_modules_that_grants_something_is_judged() -> None:
    text = "".join(path.read_text() for path in MODULES.glob("*/*/*.tf"))
    kinds = set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE))

    assert {kind for kind in kinds if any(word in kind for word in GRANTING)} <= KNOWN
    assert {"aws_iam_role_policy", *ROLES} <= kinds


def test_the_list_is_what_the_modules_say() -> None:
    """The rule is worth no more than its list."""
    readme = (MODULES / "aws" / "service-connector" / "README.md").read_text()
    table = readme.split("<!-- read-write -->")[1].split("<!-- /read-write -->")[0]
    assert set(re.findall(r"^\| `((?:s3|kms):\w+)`", table, re.MULTILINE)) == AWS_ACTIONS
    text = "".join(path.read_text() for path in MODULES.glob("*/*/*.tf"))
    for roles in ROLES.values():
        for role in roles:
            assert f'"{role}"' in text, role
    given = set(re.findall(r'"(roles/[\w.]+|Storage Blob [\w ]+|Key Vault [\w ]+)"', text))
    assert given <= set().union(*ROLES.values())
