"""`provision doctor`: each thing it looks at is one line, whatever it finds there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from commands import CommandLine
from file_modes import mode

MANIFEST = {
    "aws": "version: 1\nname: demo\nprovider: aws\nregion: eu-west-1\nartifact_stores: [{name: main}]\n",
    "local": "version: 1\nname: demo\nprovider: local\nartifact_stores: [{name: main}]\n",
}
IN_S3 = (
    "state: {backend: s3, bucket: nobody-made-this, region: eu-west-1, endpoint_url: 'http://127.0.0.1:9'}\n"
)


def checks(provision: CommandLine, line: str = "doctor", expect: int = 0) -> dict[str, dict[str, str]]:
    """What it found, by the name of the check."""
    done = provision(f"{line} --terraform ./terraform --format json", expect=expect)
    return {check["name"]: check for check in done.json}


@pytest.fixture(autouse=True)
def _terraform(provision: CommandLine) -> None:
    """A program that says which version of Terraform it is, sooner than Terraform does."""
    program = provision.folder / "terraform"
    program.write_text("""#!/bin/sh\necho '{"terraform_version": "1.11.4"}'\n""")
    program.chmod(0o755)


@pytest.fixture
def state(provision: CommandLine) -> Path:
    """Where the state file is, with its folder."""
    path = Path(os.environ["STACKS_STATE"])
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def only_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the extra `s3` alone: Python finds no package of the other clouds."""
    for package in ("google.auth", "google.cloud.storage", "azure.identity", "azure.storage.blob"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "azure.mgmt.storage", None)


def test_a_machine_in_order_exits_0(provision: CommandLine) -> None:
    found = checks(provision)

    assert [name for name, check in found.items() if check["fix"]] == []
    assert list(found)[:4] == ["terraform", "providers", "state file", "disk"]


@pytest.mark.parametrize("content", ["{bad", "", "[]"])
def test_a_damaged_state_file_is_a_finding(provision: CommandLine, state: Path, content: str) -> None:
    state.write_text(content)

    found = checks(provision, expect=1)

    assert "is damaged" in found["state file"]["found"]
    assert "put a good copy in its place" in found["state file"]["fix"]
    assert found["disk"]["fix"] == "", "all else is looked at"
    assert "FIX  state file: " in provision("doctor --terraform ./terraform", expect=1).out


def test_a_state_file_that_may_not_be_read_is_a_finding(provision: CommandLine, state: Path) -> None:
    state.write_text("{}")

    with mode(state, 0):
        found = checks(provision, expect=1)

    assert "Permission denied" in found["state file"]["found"]
    with mode(state.parent, 0):
        assert "Permission denied" in checks(provision, expect=1)["state file"]["found"]


def test_a_state_file_that_cannot_be_named_is_a_finding(provision: CommandLine) -> None:
    provision.environment(STACKS_STATE="s3://x")

    assert checks(provision, expect=1)["state file"]["fix"] == "write it as s3://bucket/stacks.json"


def test_a_damaged_note_of_a_workspace_is_a_finding(provision: CommandLine, state: Path) -> None:
    workspace = state.parent / "workspaces/demo"
    workspace.mkdir(parents=True)
    (workspace / "state-place.json").write_text("{bad")

    assert "state-place.json" in checks(provision, expect=1)["stack demo"]["found"]


def test_a_run_that_was_cut_off_is_a_finding_registered_or_not(provision: CommandLine, state: Path) -> None:
    workspace = state.parent / "workspaces/demo"
    workspace.mkdir(parents=True)
    (workspace / "journal.json").write_text("{}")

    assert checks(provision, expect=1)["stack demo"]["fix"] == "run: provision recover demo"


def test_a_manifest_with_a_mistake_is_a_finding(provision: CommandLine) -> None:
    Path("good.yaml").write_text(MANIFEST["local"])
    Path("bad.yaml").write_text("version: 1\nname: bad\nprovider: locl\nartifact_stores: [{name: main}]\n")

    found = checks(provision, "doctor good.yaml bad.yaml", expect=1)

    assert found["manifest good.yaml"] == {"name": "manifest good.yaml", "found": "valid", "fix": ""}
    assert "bad.yaml:3:11: provider" in found["manifest bad.yaml"]["found"]


@pytest.mark.usefixtures("only_s3")
def test_packages_of_clouds_that_nothing_uses_are_no_fault(provision: CommandLine) -> None:
    found = checks(provision)

    assert found["AWS packages"]["found"] == "installed"
    assert found["Google Cloud packages"] == {
        "name": "Google Cloud packages",
        "found": "google.auth, google.cloud.storage not installed; nothing that is known here needs them",
        "fix": "",
    }


@pytest.mark.usefixtures("only_s3")
@pytest.mark.parametrize(
    ("line", "cloud", "what"),
    [
        ("artifact-store register theirs -f gcp --path=gs://bucket", "Google Cloud", "the store theirs"),
        ("artifact-store register theirs -f azure --path=az://box", "Azure", "the store theirs"),
        (
            "service-connector register ours --type gcp --auth-method implicit",
            "Google Cloud",
            "the connector ours",
        ),
    ],
)
def test_packages_of_a_cloud_that_is_registered_are_missed(
    provision: CommandLine, line: str, cloud: str, what: str
) -> None:
    provision(line)

    found = checks(provision, expect=1)[f"{cloud} packages"]

    assert found["found"].endswith(f"not installed, and {what} needs them")
    assert found["fix"].startswith("pip install 'stack-provisioner[")


def test_packages_of_a_named_manifest_are_missed(
    provision: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    Path("aws.yaml").write_text(MANIFEST["aws"])
    Path("local.yaml").write_text(MANIFEST["local"])

    assert checks(provision, "doctor local.yaml")["AWS packages"]["fix"] == ""
    found = checks(provision, "doctor aws.yaml", expect=1)["AWS packages"]
    assert (found["found"], found["fix"]) == (
        "boto3 not installed, and the stack demo needs them",
        "pip install 'stack-provisioner[s3]'",
    )


def test_packages_of_a_secret_store_are_missed(
    provision: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    provision.environment(STACKS_SECRET_STORE="aws-secrets-manager://eu-west-1")

    assert "STACKS_SECRET_STORE" in checks(provision, expect=1)["AWS packages"]["found"]


def test_packages_of_a_remote_state_are_missed(
    provision: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    Path("local.yaml").write_text(MANIFEST["local"] + IN_S3)

    found = checks(provision, "doctor local.yaml", expect=1)

    assert "the state of demo needs them" in found["AWS packages"]["found"]
    assert found["lock of demo"]["fix"] != "", "and without them its lock is not proven"
