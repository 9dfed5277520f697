"""Where Terraform's state can lie: what is rendered for it, and how a lock's holder is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from provisioner.backends import place_noted, place_of
from provisioner.manifest import Manifest, dump_manifest, parse_manifest
from provisioner.render import BACKEND_FILE, differing, render, write_rendering
from provisioner.terraform.holder import Holder, holder_in, holder_of


def _manifest(**state: Any) -> Manifest:
    stores = [{"name": "data"}]
    content = {"version": 1, "name": "demo", "provider": "local", "artifact_stores": stores, "state": state}
    return parse_manifest(dump_manifest(content))


S3 = {"backend": "s3", "bucket": "acme-states", "region": "eu-west-1"}
GCS = {"backend": "gcs", "bucket": "acme-states"}
AZURE = {"backend": "azurerm", "storage_account": "acmestate", "container": "states"}


def test_a_state_beside_the_stack_renders_no_backend() -> None:
    assert BACKEND_FILE not in render(_manifest(backend="local"))
    assert place_of(_manifest(backend="local")) is None


def test_the_backend_holds_names_and_switches_alone() -> None:
    assert render(_manifest(**S3))[BACKEND_FILE] == (
        "terraform {\n"
        '  required_version = ">= 1.10.0"\n\n'
        '  backend "s3" {\n'
        '    bucket       = "acme-states"\n'
        "    encrypt      = true\n"
        '    key          = "stacks/demo/terraform.tfstate"\n'
        '    region       = "eu-west-1"\n'
        "    use_lockfile = true\n"
        "  }\n"
        "}\n"
    )
    assert 'prefix = "stacks/demo"' in render(_manifest(**GCS))[BACKEND_FILE]
    assert "use_azuread_auth     = true" in render(_manifest(**AZURE))[BACKEND_FILE]


def test_another_service_is_told_so() -> None:
    text = render(_manifest(**S3, endpoint_url="http://localhost:9000"))[BACKEND_FILE]
    assert 'endpoints                   = { s3 = "http://localhost:9000" }' in text
    assert "use_path_style              = true" in text
    assert "encrypt" not in text, "it may have no encryption of its own"


@pytest.mark.parametrize(
    ("state", "location", "command"),
    [
        (S3, "s3://acme-states/stacks/demo/terraform.tfstate", "aws s3 cp /a/copy s3://"),
        (GCS, "gs://acme-states/stacks/demo/default.tfstate", "gcloud storage cp /a/copy gs://"),
        (AZURE, "https://acmestate.blob.core.windows.net/states/stacks/demo", "--file /a/copy"),
    ],
)
def test_a_place_has_a_name_and_a_way_back_and_survives_being_noted(
    state: dict[str, Any], location: str, command: str
) -> None:
    place = place_of(_manifest(**state))
    assert place is not None
    assert place.location.startswith(location)
    assert command in place.put_back(Path("/a/copy"))
    assert place_noted(place.note()) == place


def test_one_place_is_one_however_it_is_reached() -> None:
    one, other = place_of(_manifest(**S3)), place_of(_manifest(**{**S3, "region": "us-east-1"}))
    elsewhere = place_of(_manifest(**S3, endpoint_url="http://localhost:9000"))
    assert one is not None
    assert other is not None
    assert elsewhere is not None
    assert one.same_place(other)
    assert not one.same_place(elsewhere)


def test_a_rendering_whose_backend_has_gone_is_out_of_date(tmp_path: Path) -> None:
    write_rendering(render(_manifest(**S3)), tmp_path, private=False)
    assert differing(render(_manifest(backend="local")), tmp_path) == [BACKEND_FILE]
    write_rendering(render(_manifest(backend="local")), tmp_path, private=False)
    assert not (tmp_path / BACKEND_FILE).exists()


def test_a_holder_is_read_from_what_terraform_says_and_from_what_it_notes() -> None:
    said = (
        "Error message: 412\nLock Info:\n  ID:        4711\n  Path:      b/k\n"
        "  Operation: OperationTypeApply\n  Who:       root@vm\n  Version:   1.11.4\n"
        "  Created:   2026-11-21 06:38:34.417435184 +0000 UTC\n  Info:      \n\nTerraform acquires"
    )
    noted = {
        "ID": "4711",
        "Operation": "OperationTypeApply",
        "Who": "root@vm",
        "Created": "2026-11-21T06:38:34.417435184Z",
    }
    assert holder_in(said) == holder_of(noted)
    assert str(holder_in(said)) == "root@vm (apply) since 2026-11-21 06:38:34 UTC, lock 4711"
    assert holder_in("something else") is None
    assert holder_of({"Created": "yesterday"}) == Holder("", "", "", None)
