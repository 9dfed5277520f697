"""Checkov as a part of the policy: a program of its own, that is there or missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from policy_samples import planned, policy, stack, summary

from provisioner.policy import judge_plan


def fake_checkov(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program in Checkov's place."""
    program = folder / "fake-checkov"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PROVISION_CHECKOV", str(program))


def test_failed_checks_are_found_at_the_store_that_they_are_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("CKV_AWS_18", "CKV_AWS_21", "CKV_X")  # the first is among those that the baseline does without
    checks = [
        {"check_id": name, "check_name": "Look", "resource": "module.store_theirs.aws_s3_bucket.this[0]"}
        for name in names
    ]
    report = json.dumps({"results": {"failed_checks": checks}})
    kept = tmp_path / "seen.json"
    fake_checkov(
        tmp_path, monkeypatch, f"cp $2 {kept}; stat -c %a $2 > {tmp_path}/mode; echo '{report}'; exit 1"
    )

    found = planned(tmp_path, "checkov: {skip: [CKV_X]}", {"resource_changes": []})

    assert found == [
        (
            "stack.yaml:11:5: artifact_stores[1]: checkov: module.store_theirs.aws_s3_bucket.this[0]: "
            "CKV_AWS_21: Look"
        )
    ]
    assert json.loads(kept.read_text()) == {"resource_changes": []}
    assert (tmp_path / "mode").read_text().strip() == "600"
    assert not list(tmp_path.glob("checkov-*"))


@pytest.mark.parametrize(("required", "level"), [("false", "warn"), ("true", "deny")])
def test_checkov_that_is_not_there_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, required: str, level: str
) -> None:
    monkeypatch.setenv("PROVISION_CHECKOV", str(tmp_path / "none"))
    asked = policy(tmp_path, f"checkov: {{required: {required}}}")

    (finding,) = judge_plan(asked, stack(tmp_path), summary(), {}, tmp_path)

    assert (finding.level, "Checkov is not installed" in finding.message) == (level, True)


@pytest.mark.parametrize("script", ["echo broken; exit 2", "echo '[]'", "exit 1"])
def test_checkov_that_fails_is_no_silent_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    fake_checkov(tmp_path, monkeypatch, script)

    (found,) = planned(tmp_path, "checkov: deny", {})

    assert "Checkov failed: exit code" in found


def test_checkov_runs_only_where_the_policy_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_checkov(tmp_path, monkeypatch, f"touch {tmp_path}/ran; echo '{{}}'")

    assert planned(tmp_path, "protected: warn, checkov: off", {}) == []
    assert not (tmp_path / "ran").exists()
