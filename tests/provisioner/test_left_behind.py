"""What stands in a region that the manifest no longer names can still be removed, and is not mistaken."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import manifests
import pytest

from provisioner.errors import SafetyError
from provisioner.left_behind import keep_configurations
from provisioner.manifest import Manifest
from provisioner.render import LEFT_BEHIND, render, write_rendering
from provisioner.workspace import Workspace

STRICT = {"name": "main", "profile": "strict", "replica_region": "eu-central-1"}


def _manifest(*stores: dict[str, Any], **fields: Any) -> Manifest:
    return manifests.aws(artifact_stores=list(stores), account="123456789012", **fields)


def _copied(workspace: Workspace, store: str = "main", alias: str = ".replica_eu_central_1") -> None:
    """A state that holds the copies of a store."""
    resource = {
        "mode": "managed",
        "module": f"module.replica_{store}",
        "type": "aws_s3_bucket",
        "name": "this",
        "provider": f'provider["registry.terraform.io/hashicorp/aws"]{alias}',
        "instances": [{"attributes": {"bucket": "acme-replica"}}],
    }
    workspace.state.write_text(json.dumps({"lineage": "a", "serial": 1, "resources": [resource]}))


def test_a_region_is_kept_until_nothing_stands_there(workspace: Workspace) -> None:
    """As the rendering had it, and in a file that writing the rendering leaves alone."""
    left = workspace.root / LEFT_BEHIND
    before, after = (
        _manifest(store, endpoint_url="https://s3.example") for store in (STRICT, {"name": "main"})
    )
    keep_configurations(workspace, before)
    assert not left.exists()

    _copied(workspace)
    keep_configurations(workspace, before)
    assert not left.exists(), "the rendering has it"

    keep_configurations(workspace, after)
    write_rendering(render(after), workspace.root, private=True)
    region = 'var.artifact_stores["main"].replica_region'
    _, _, block = left.read_text().partition("\n\n")
    assert block.replace('"eu-central-1"', region) in render(before)["main.tf"]

    _copied(workspace, alias="")
    keep_configurations(workspace, after)
    assert not left.exists()


def test_terraform_fmt_has_nothing_to_say_of_it(workspace: Workspace) -> None:
    binary = shutil.which("terraform") or shutil.which("tofu")
    if binary is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    _copied(workspace)
    for fields in ({}, {"endpoint_url": "https://s3.example"}):
        keep_configurations(workspace, _manifest({"name": "main"}, **fields))
        subprocess.run([binary, "fmt", "-check", str(workspace.root)], check=True, capture_output=True)


@pytest.mark.parametrize("names", [{}, {"name": "new", "renamed_from": "main"}], ids=["", "renamed"])
def test_copies_are_not_looked_for_in_another_region(workspace: Workspace, names: dict[str, str]) -> None:
    """There Terraform would find no key, make another, and forget the one that the copies need."""
    _copied(workspace)
    keep_configurations(workspace, _manifest({**STRICT, **names}))
    with pytest.raises(SafetyError, match="lie in eu-central-1, and the manifest now has them in eu-west-3"):
        keep_configurations(workspace, _manifest({**STRICT, **names, "replica_region": "eu-west-3"}))


def test_a_store_of_another_name_may_copy_elsewhere(workspace: Workspace) -> None:
    _copied(workspace)
    other = {**STRICT, "name": "other", "replica_region": "eu-west-3"}
    keep_configurations(workspace, _manifest(other))
    assert "replica_eu_central_1" in (workspace.root / LEFT_BEHIND).read_text()
