"""The profile strict on AWS: what it adds, what it grants, what Checkov says, and that it can be applied."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from conftest import KEY_ARN
from emulator_memory import forgetting_nothing
from ruamel.yaml import YAML
from terraform_rig import MODULES, Terraform
from test_modules_checkov import checkov
from test_modules_rules import as_list, planned, resources

from provisioner.verify.aws import _beside

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones

boto3 = pytest.importorskip("boto3", reason="boto3 comes with the dev extra")

STRICT = MODULES / "checkov-strict.yaml"
STORE, REPLICA = "module.store_strict", "module.replica_strict"
# The checks that the design asks of strict on top of the baseline. CKV_AWS_143 (object lock) looks only at
# buckets that configure one: a lock would keep what lifecycle and destroy are told to remove.
ADDED = ("CKV_AWS_18", "CKV_AWS_144", "CKV_AWS_145", "CKV2_AWS_62", "CKV_AWS_7", "CKV_AWS_33", "CKV_AWS_227")


@pytest.fixture(scope="module")
def root(make_root: Callable[[str], Terraform]) -> Terraform:
    return make_root("strict")


@pytest.fixture(scope="module")
def plan(root: Terraform) -> dict[str, Any]:
    """With a key that is named, so that every policy stands in the plan."""
    root.variables(
        {"endpoint": "http://127.0.0.1:9", "lifecycle_days": 30, "tls_only": True, "kms_key": KEY_ARN}
    )
    assert root.plan()
    return root.shown_plan()


@pytest.fixture(scope="module")
def report(plan: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    home = tmp_path_factory.mktemp("checkov-strict")
    file = home / "plan.json"
    file.write_text(json.dumps(plan))
    return checkov(home, "--file", str(file), "--framework", "terraform_plan")


def test_a_strict_plan_fails_nothing_but_what_has_a_reason(report: dict[str, set[str]]) -> None:
    reasons = YAML(typ="safe").load(STRICT)
    named = {check for check in reasons if "_AWS_" in check}
    assert report["failed"] == named  # a skip that is needed no longer goes
    assert report["skipped"] == set()
    assert all(len(reasons[check]) > 40 for check in named)


@pytest.mark.parametrize("check", ADDED)
def test_the_store_itself_passes_what_strict_adds(check: str, report: dict[str, set[str]]) -> None:
    assert check in report["passed"]


def test_only_the_buckets_beside_the_store_need_a_reason(plan: dict[str, Any]) -> None:
    """Those checks fail on the logs and on the replica; were they to fail on the store, it would not show."""
    assert {item["address"] for item in resources(plan) if item["type"] == "aws_s3_bucket"} == {
        f"{STORE}.aws_s3_bucket.this[0]",
        f"{STORE}.aws_s3_bucket.logs[0]",
        f"{REPLICA}.aws_s3_bucket.this",
    }
    logging = planned(plan, f"{STORE}.aws_s3_bucket_logging.this[0]")
    store = planned(plan, f"{STORE}.aws_s3_bucket.this[0]")["bucket"]
    assert logging["bucket"] == store
    assert planned(plan, f"{STORE}.aws_s3_bucket_replication_configuration.this[0]")["bucket"] == store
    encryption = f"{STORE}.aws_s3_bucket_server_side_encryption_configuration.this[0]"
    (rule,) = planned(plan, encryption)["rule"]
    assert rule["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "aws:kms"


def test_granted_is_exactly_what_the_readme_lists(plan: dict[str, Any]) -> None:
    text = (MODULES / "aws/artifact-store/README.md").read_text()
    (table,) = re.findall("<!-- strict -->\n(.*?)<!-- /strict -->", text, flags=re.DOTALL)
    listed = [
        tuple(cell.strip().strip("`") for cell in row.strip("|").split("|")) for row in table.splitlines()[2:]
    ]
    role = planned(plan, f"{STORE}.aws_iam_role.replication[0]")
    (trust,) = as_list(json.loads(role["assume_role_policy"])["Statement"])
    assert trust["Action"] == "sts:AssumeRole"
    logs = planned(plan, f"{STORE}.aws_s3_bucket.logs[0]")["bucket"]
    bucket = planned(plan, f"{STORE}.aws_s3_bucket.this[0]")["bucket"]
    named = {f"arn:aws:s3:::{logs}": "LOGS", f"arn:aws:s3:::{bucket}": "BUCKET", KEY_ARN: "KEY"}
    policy = plan_policy(plan)
    granted = [
        (action, _named(resource, named), trust["Principal"]["Service"])
        for statement in policy
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]
    allowed, denied = json.loads(planned(plan, f"{STORE}.aws_s3_bucket_policy.logs[0]")["policy"])[
        "Statement"
    ]
    assert denied["Effect"] == "Deny"
    assert allowed["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }
    granted.append((allowed["Action"], _named(allowed["Resource"], named), allowed["Principal"]["Service"]))
    assert sorted(granted) == sorted(listed)


def plan_policy(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of the replication role; the key of the replica is not known before it is made."""
    change = next(
        item
        for item in plan["resource_changes"]
        if item["address"] == f"{STORE}.data.aws_iam_policy_document.replication[0]"
    )
    statements = []
    for statement in change["change"]["after"]["statement"]:
        wanted = statement["resources"] if statement.get("resources") else ["REPLICA-KEY"]
        replaced = [
            re.sub(
                r"^arn:aws:s3:::ml-prod-strict-store-[0-9a-f]+-replica-[0-9a-f]+",
                "REPLICA",
                text or "REPLICA-KEY",
            )
            for text in wanted
        ]
        statements.append({"Action": statement["actions"], "Resource": replaced})
    return statements


def _named(resource: str, names: dict[str, str]) -> str:
    for arn, name in names.items():
        resource = resource.replace(arn, name)
    return resource


def test_names_are_those_that_a_cut_off_run_is_searched_by(plan: dict[str, Any]) -> None:
    bucket = planned(plan, f"{STORE}.aws_s3_bucket.this[0]")["bucket"]
    for address, name in _beside("strict", bucket).items():
        values = planned(plan, address)
        assert values.get("bucket", values.get("name")) == name


def test_keys_can_be_used_by_nobody_outside_the_account(plan: dict[str, Any]) -> None:
    keys = [item["values"] for item in resources(plan) if item["type"] == "aws_kms_key"]
    assert len(keys) == 1, "that of the replica; the store has one that is named"
    for key in keys:
        (statement,) = json.loads(key["policy"])["Statement"]
        assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
        assert all(re.fullmatch(r"kms:[A-Za-z]+", action) for action in statement["Action"])
        assert "kms:PutKeyPolicy" in statement["Action"], "else nobody could ever change it"
        assert (key["enable_key_rotation"], key["is_enabled"]) == (True, True)


def test_everything_that_is_added_says_who_made_it(plan: dict[str, Any]) -> None:
    for item in resources(plan):
        if "tags" in item["values"]:
            assert item["values"]["tags"]["stack"] == "ml-prod"


@pytest.mark.slow
def test_applied_planned_again_and_destroyed(root: Terraform, moto: str) -> None:
    """The AWS provider and an emulator, which loses two settings on the way; here they are kept for it."""
    with forgetting_nothing(moto) as endpoint:
        root.variables({"endpoint": endpoint, "lifecycle_days": None, "tls_only": False})
        assert root.plan()
        root.apply()
        assert not root.plan()
        store, replica = root.output("store"), root.output("replica")
        s3 = boto3.client(
            "s3",
            endpoint_url=moto,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        regions = {
            name: s3.get_bucket_location(Bucket=name)["LocationConstraint"]
            for name in (store["bucket"], store["logs_bucket"], replica["bucket"])
        }
        assert list(regions.values()) == ["eu-west-1", "eu-west-1", "eu-central-1"]
        (rule,) = s3.get_bucket_replication(Bucket=store["bucket"])["ReplicationConfiguration"]["Rules"]
        assert rule["Destination"]["Bucket"] == replica["bucket_arn"]
        assert s3.get_bucket_encryption(Bucket=replica["bucket"])
        s3.put_bucket_logging(Bucket=store["bucket"], BucketLoggingStatus={})
        _empty(s3, store["logs_bucket"])
        root.destroy()
    assert s3.list_buckets()["Buckets"] == []


def _empty(s3: Any, bucket: str) -> None:
    """The emulator delivers logs, and a bucket with logs in it is not destroyed."""
    s3.delete_bucket_policy(Bucket=bucket)
    for version in s3.list_object_versions(Bucket=bucket).get("Versions", []):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
