"""Terraform's state as `drift --fast` reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provisioner.errors import DamagedStateError
from provisioner.live.noted import read_resources


def state(tmp_path: Path, *resources: dict[str, Any]) -> Path:
    path = tmp_path / "terraform.tfstate"
    path.write_text(json.dumps({"version": 4, "serial": 1, "lineage": "x", "resources": resources}))
    return path


def test_addresses_attributes_and_what_is_sensitive(tmp_path: Path) -> None:
    path = state(
        tmp_path,
        {"mode": "data", "type": "aws_partition", "name": "current", "instances": [{"attributes": {}}]},
        {
            "module": "module.store_a",
            "mode": "managed",
            "type": "azurerm_storage_account",
            "name": "this",
            "instances": [
                {
                    "index_key": 0,
                    "attributes": {"name": "acme", "primary_access_key": "canary"},
                    "sensitive_attributes": [[{"type": "get_attr", "value": "primary_access_key"}]],
                },
                {"index_key": 0, "deposed": "1234abcd", "attributes": {"name": "old"}},
            ],
        },
        {
            "mode": "managed",
            "type": "azurerm_role_assignment",
            "name": "data",
            "instances": [{"index_key": "a#b", "attributes": {"id": "1"}, "sensitive_attributes": []}],
        },
    )
    account, role = read_resources(path)
    assert account.address == "module.store_a.azurerm_storage_account.this[0]"
    assert account.sensitive == {"primary_access_key"}
    assert role.address == 'azurerm_role_assignment.data["a#b"]'


def test_without_a_state_there_is_nothing(tmp_path: Path) -> None:
    assert read_resources(tmp_path / "none") == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"resources": [1]}'])
def test_what_is_no_state_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "terraform.tfstate"
    path.write_text(text)
    with pytest.raises(DamagedStateError, match="not a complete Terraform state"):
        read_resources(path)
