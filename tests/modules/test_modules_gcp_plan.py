"""Our own rules and Checkov's, held against a real plan of the Google modules with the stand-in provider.

A plan of both profiles and of each kind of connector; nothing is applied, and nobody is asked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from module_hcl import load_module
from ruamel.yaml import YAML
from standin.mirror import Mirror
from terraform_rig import MODULES, provider_mirror, terraform_in

from provisioner.manifest import generated_bucket
from provisioner.verify.gcp import log_bucket
from provisioner.verify.gcp_identity import account_id

ROOT = Path(__file__).parent / "roots" / "gcp"
OWN_ENVIRONMENT = MODULES.parent / ".venv-checkov" / "bin" / "checkov"

# The checks that the design asks for, as far as they look at something that we make.
BASELINE = {"CKV_GCP_29", "CKV_GCP_78", "CKV_GCP_114"}
GRANTS = {"CKV_GCP_28"}
STRICT = BASELINE | GRANTS | {"CKV_GCP_43", "CKV_GCP_62"}
# Asked for too, but of resources that no module makes: with none there, nothing can fail.
LOOKS_AT = {
    "CKV_GCP_41": {"google_project_iam_binding", "google_project_iam_member"},
    "CKV_GCP_42": {"google_project_iam_member"},
    "CKV_GCP_46": {"google_project_iam_member"},
    "CKV_GCP_49": {"google_project_iam_member"},
    "CKV_GCP_117": {"google_project_iam_member"},
    "CKV2_GCP_3": {"google_service_account_key"},
}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, terraform: Path) -> dict[str, Any]:
    """The plan's JSON."""
    base = tmp_path_factory.mktemp("gcp")
    mirror = Mirror(base / "mirror")
    mirror.real_or_stand_in("google", "8.7.0", mirrors=(provider_mirror(),), handlers="standin_google")
    print(mirror.ran)
    shutil.copytree(MODULES, base / "modules")
    shutil.copytree(ROOT, base / "root")
    rig = terraform_in(base / "root", terraform, mirror.folder)
    rig.environment["GOOGLE_OAUTH_ACCESS_TOKEN"] = "ya29.a-token-of-no-use"
    rig.init()
    assert rig.plan()
    return rig.shown_plan()


def resources(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every managed resource that the plan would leave behind."""
    children = plan["planned_values"]["root_module"]["child_modules"]
    return [item for child in children for item in child["resources"] if item["mode"] == "managed"]


def grants(plan: dict[str, Any], module: str) -> set[tuple[str, str, str]]:
    """The roles that a connector is granted: role, bucket, and the condition."""
    found = set()
    for item in resources(plan):
        if item["type"] == "google_storage_bucket_iam_member" and item["address"].startswith(
            f"module.{module}."
        ):
            values = item["values"]
            condition = " || ".join(one["expression"] for one in values["condition"])
            found.add((values["role"], values["bucket"], condition))
    return found


def rows(module: str, name: str) -> list[list[str]]:
    """The rows of one table in a module's README."""
    text = (MODULES / module / "README.md").read_text()
    (table,) = re.findall(f"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, flags=re.DOTALL)
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize(
    ("module", "access", "bucket", "prefix"),
    [
        ("connector_plain", "read-write", "plain", ""),
        ("connector_writer", "read-write", "strict", "team/artifacts"),
        ("connector_reader", "read-only", "strict", "team/artifacts"),
        ("connector_reader", "read-only", "plain", ""),
    ],
)
def test_granted_is_exactly_what_the_readme_lists(
    plan: dict[str, Any], module: str, access: str, bucket: str, prefix: str
) -> None:
    (name,) = [
        item["values"]["name"]
        for item in resources(plan)
        if item["address"] == f"module.store_{bucket}.google_storage_bucket.this[0]"
    ]
    listed = set()
    for role, on, condition, _ in rows("gcp/service-connector", access):
        words = " || ".join(re.findall("`([^`]+)`", condition)) if prefix else ""
        if prefix and not condition:
            continue  # only for whole buckets, as the README says
        filled = words.replace("BUCKET", name).replace("PREFIX", prefix)
        listed.add((role.strip("`"), on.strip("`").replace("BUCKET", name), filled))
    assert {grant for grant in grants(plan, module) if grant[1] == name} == listed


@pytest.mark.parametrize("access", ["read-write", "read-only"])
def test_no_listed_permission_is_wide_or_about_access(access: str) -> None:
    for *_, permissions in rows("gcp/service-connector", access):
        found = re.findall("`([^`]+)`", permissions)
        assert found
        for permission in found:
            assert re.fullmatch(r"storage\.[a-zA-Z]+\.[a-zA-Z]+", permission)
            assert not re.search(r"(setIamPolicy|buckets\.(update|delete|create))", permission)


def test_trust_is_on_the_service_account_alone_and_as_the_readme_lists(plan: dict[str, Any]) -> None:
    roles = {
        row[0].strip("`"): re.findall("`([^`]+)`", row[1]) for row in rows("gcp/service-connector", "trust")
    }
    trusts = [item for item in resources(plan) if item["type"] == "google_service_account_iam_member"]
    assert len(trusts) == 4
    for item in trusts:
        member = item["values"]["member"]
        assert any(member.startswith(kind) for kind in roles[item["values"]["role"]])
        assert "*" not in member


def test_strict_grants_google_what_the_readme_lists(plan: dict[str, Any]) -> None:
    listed = {row[0].strip("`") for row in rows("gcp/artifact-store", "strict")}
    made = [
        item["values"]
        for item in resources(plan)
        if item["address"].startswith("module.store_") and item["type"].endswith("_iam_member")
    ]
    assert {values["role"] for values in made} == listed
    assert {values["member"] for values in made} == {
        "group:cloud-storage-analytics@google.com",
        "serviceAccount:service-100200300@gs-project-accounts.iam.gserviceaccount.com",
    }


def test_nothing_on_the_project_and_nothing_authoritative_is_ever_made(plan: dict[str, Any]) -> None:
    assert {item["type"] for item in resources(plan)} == {
        "google_kms_crypto_key",
        "google_kms_crypto_key_iam_member",
        "google_kms_key_ring",
        "google_service_account",
        "google_service_account_iam_member",
        "google_storage_bucket",
        "google_storage_bucket_iam_member",
        "terraform_data",
    }


def test_what_is_granted_to_whom_stands_in_the_plan(plan: dict[str, Any]) -> None:
    """What is only known after the apply cannot be reviewed before it."""
    for change in plan["resource_changes"]:
        if change["type"] in ("google_storage_bucket_iam_member", "google_service_account_iam_member"):
            unknown = {name for name, value in change["change"]["after_unknown"].items() if value is True}
            assert unknown <= {"id", "etag"}


def test_everything_that_can_be_labelled_says_who_made_it(plan: dict[str, Any]) -> None:
    labelled = [item for item in resources(plan) if "labels" in item["values"]]
    assert {item["type"] for item in labelled} == {"google_storage_bucket", "google_kms_crypto_key"}
    for item in labelled:
        labels = item["values"]["labels"]
        assert (labels["provisioned-by"], labels["stack"]) == ("stack-provisioner", "ml-prod")


def test_the_names_are_those_that_the_code_foretells(plan: dict[str, Any]) -> None:
    """The rules stand twice, in HCL and in Python: the journal names a resource before Terraform makes it."""
    values = {item["address"]: item["values"] for item in resources(plan)}
    bucket = values["module.store_plain.google_storage_bucket.this[0]"]["name"]
    assert bucket == generated_bucket("ml-prod", "plain_store", "acme-ml-prod")
    assert values["module.store_strict.google_storage_bucket.logs[0]"]["name"] == log_bucket("acme-ml-strict")
    for connector in ("plain_connector", "writer", "reader"):
        address = f"module.connector_{connector.removesuffix('_connector')}.google_service_account.this"
        assert values[address]["account_id"] == account_id("ml-prod", connector)


def test_every_module_is_in_the_plan() -> None:
    used = {block.arguments["source"].strip('"') for block in load_module(ROOT).all("module")}
    assert used == {f"../modules/gcp/{path.name}" for path in (MODULES / "gcp").iterdir()}


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
    """The named skips of a profile that are about Google Cloud."""
    read = YAML(typ="safe").load(MODULES / f"checkov-{profile}.yaml")
    return {check: reason for check, reason in read.items() if "_GCP_" in check}


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
    assert here["failed"] == set(named) - {"CKV_GCP_82"}  # a skip that is needed no longer goes
    assert wanted <= here["passed"]
    assert not over_plan["skipped"]  # nothing is skipped inside the modules
    assert all(len(reason) > 40 for reason in named.values())


def test_only_the_bucket_of_the_logs_is_without_logs_in_strict(over_plan: dict[str, Any]) -> None:
    failed = {resource for check, resource in over_plan["failed"] if check in ("CKV_GCP_62", "CKV_GCP_63")}
    assert failed == {
        "module.store_plain.google_storage_bucket.this[0]",
        "module.store_strict.google_storage_bucket.logs[0]",
    }


def test_connectors_fail_nothing_over_a_plan(over_plan: dict[str, Any]) -> None:
    assert not [found for found in over_plan["failed"] if not found[1].startswith("module.store_")]
    assert {check for check, resource in over_plan["passed"] if "connector_" in resource} >= GRANTS


@pytest.mark.parametrize(("check", "types"), LOOKS_AT.items())
def test_check_has_nothing_to_look_at(check: str, types: set[str], over_plan: dict[str, Any]) -> None:
    body = "".join(path.read_text() for path in (MODULES / "gcp").rglob("*.tf"))
    assert not [name for name in types if f'"{name}"' in body]
    assert check not in {found for found, _ in over_plan["failed"]}


def test_modules_fail_nothing_but_the_named_skips(tmp_path: Path) -> None:
    """Over the modules alone, where what is a variable has no value."""
    found = checkov(tmp_path, "--directory", str(MODULES / "gcp"), "--framework", "terraform")
    assert {check for check, _ in found["failed"]} == {"CKV_GCP_82"} < {*skips("baseline"), *skips("strict")}
    assert not found["skipped"]
