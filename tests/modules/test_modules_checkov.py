"""Checkov over the modules and over the JSON of a real plan: nothing fails but what the baseline names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from terraform_rig import MODULES
from write_generated import aws_types_in_use

# It pins an old boto3, which the product's own environment must not have.
OWN_ENVIRONMENT = MODULES.parent / ".venv-checkov" / "bin" / "checkov"
BASELINE = MODULES / "checkov-baseline.yaml"

# The checks that the design asks of the baseline, as far as they look at something that we make.
S3 = {f"CKV_AWS_{number}" for number in (19, 20, 21, 53, 54, 55, 56, 57, 70, 93, 300)} | {
    f"CKV2_AWS_{number}" for number in (6, 61, 65)
}
ROLES = {f"CKV_AWS_{number}" for number in (60, 61, 62, 63, 274, 286, 287, 288, 289, 290, 355)}
POLICY_DOCUMENTS = {f"CKV_AWS_{number}" for number in (1, 49, 107, 108, 109, 110, 111, 283, 356)}

# Asked for too, but of resources that no module makes: with none there, nothing can fail.
LOOKS_AT = {
    "CKV_AWS_40": {"aws_iam_user_policy", "aws_iam_user_policy_attachment", "aws_iam_policy_attachment"},
    "CKV_AWS_273": {"aws_iam_user"},
    "CKV_AWS_275": {"aws_iam_policy"},
}


def checkov(home: Path, *argv: str) -> dict[str, set[str]]:
    """Run Checkov; the ids of the checks that passed somewhere and of those that failed somewhere."""
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
    assert report["summary"]["resource_count"] > 0
    return {
        result: {check["check_id"] for check in report["results"][f"{result}_checks"]}
        for result in ("passed", "failed", "skipped")
    }


@pytest.fixture(scope="module")
def over_modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    home = tmp_path_factory.mktemp("checkov-modules")
    return checkov(home, "--directory", str(MODULES / "aws"), "--framework", "terraform")


@pytest.fixture(scope="module")
def over_plan(tmp_path_factory: pytest.TempPathFactory, aws_plan: dict[str, Any]) -> dict[str, set[str]]:
    home = tmp_path_factory.mktemp("checkov-plan")
    plan = home / "plan.json"
    plan.write_text(json.dumps(aws_plan))
    return checkov(home, "--file", str(plan), "--framework", "terraform_plan")


@pytest.fixture(scope="module")
def baseline() -> dict[str, str]:
    skips: dict[str, str] = YAML(typ="safe").load(BASELINE)
    return {check: reason for check, reason in skips.items() if "_AWS_" in check}


def test_every_skip_has_a_reason(baseline: dict[str, str]) -> None:
    assert all(len(reason) > 40 for reason in baseline.values())


def test_modules_fail_nothing_but_the_named_skips(
    over_modules: dict[str, set[str]], baseline: dict[str, str]
) -> None:
    assert over_modules["failed"] <= set(baseline)


def test_a_real_plan_fails_nothing_but_the_named_skips(
    over_plan: dict[str, set[str]], baseline: dict[str, str]
) -> None:
    assert over_plan["failed"] == set(baseline)  # a skip that is needed no longer goes


def test_nothing_is_skipped_inside_the_modules(
    over_modules: dict[str, set[str]], over_plan: dict[str, set[str]]
) -> None:
    assert over_modules["skipped"] == over_plan["skipped"] == set()


@pytest.mark.parametrize("check", sorted(S3 | ROLES))
def test_check_passes_over_the_plan(check: str, over_plan: dict[str, set[str]]) -> None:
    assert check in over_plan["passed"] - over_plan["failed"]


@pytest.mark.parametrize("check", sorted(POLICY_DOCUMENTS))
def test_check_passes_over_the_modules(check: str, over_modules: dict[str, set[str]]) -> None:
    assert check in over_modules["passed"] - over_modules["failed"]


@pytest.mark.parametrize(("check", "types"), LOOKS_AT.items())
def test_check_has_nothing_to_look_at(
    check: str, types: set[str], over_plan: dict[str, set[str]], over_modules: dict[str, set[str]]
) -> None:
    assert not {("resource", name) for name in types} & aws_types_in_use()
    assert check not in over_plan["failed"] | over_modules["failed"]
