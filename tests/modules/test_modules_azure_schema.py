"""The Azure modules against the official schemas of both major versions of azurerm, and of azuread."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from module_hcl import load_module, parse
from module_schema import Schemas, problems, types_in_use
from terraform_rig import MODULES

DATA = Path(__file__).resolve().parents[1] / "data" / "provider-schemas"
FITS = {
    "azure/artifact-store": ("azurerm-4.55.0", "azurerm-5.10.0"),
    "azure/service-connector": ("azurerm-4.55.0", "azurerm-5.10.0"),
    "azure/application": ("azuread-3.7.0", "azuread-3.10.0"),
}
PAIRS = [(module, version) for module, versions in FITS.items() for version in versions]


def schemas(version: str) -> Schemas:
    return Schemas(json.loads((DATA / f"{version}.json").read_text()))


@pytest.mark.parametrize(("module", "version"), PAIRS)
def test_module_fits_the_official_schema(module: str, version: str) -> None:
    assert problems(load_module(MODULES / module), schemas(version)) == []


@pytest.mark.parametrize("module", FITS)
def test_no_secret_that_the_provider_knows_is_handed_out(module: str) -> None:
    """Not by an output, and not by an argument of anything else: only ids, names and endpoints are read."""
    body = load_module(MODULES / module)
    secrets = r"\.((primary|secondary)_\w*(access_key|connection_string)|password|client_secret)\b"
    for expression in (text for block in body.blocks for text in block.expressions()):
        assert not re.search(secrets, expression)


@pytest.mark.parametrize("provider", ["azurerm", "azuread"])
def test_schema_data_holds_the_types_in_use_and_no_others(provider: str) -> None:
    """The root's own `azurerm_client_config` is one of them."""
    used = {pair for module in FITS for pair in types_in_use(load_module(MODULES / module))}
    used.add(("data", "azurerm_client_config"))
    for version in {version for versions in FITS.values() for version in versions}:
        if version.startswith(provider):
            held = schemas(version)
            known = {(kind, name) for kind in ("resource", "data") for name in held.types(kind)}
            assert known == {pair for pair in used if pair[1].startswith(f"{provider}_")}


@pytest.mark.parametrize(
    ("hcl", "version", "problem"),
    [
        (
            'resource "azurerm_storage_container" "c" {\n name = "c"\n storage_account_name = "a"\n}',
            "azurerm-5.10.0",
            "resource.azurerm_storage_container.c.storage_account_name: no such argument",
        ),
        (
            'resource "azurerm_storage_container" "c" {\n name = "c"\n storage_account_name = "a"\n}',
            "azurerm-4.55.0",
            "resource.azurerm_storage_container.c.storage_account_name: deprecated",
        ),
    ],
)
def test_the_breaks_between_the_versions_are_seen(hcl: str, version: str, problem: str) -> None:
    assert problem in problems(parse(hcl), schemas(version))


@pytest.mark.parametrize("module", FITS)
def test_provider_range_is_bounded(module: str) -> None:
    (needed,) = load_module(MODULES / module).all("terraform", "required_providers")
    (stated,) = needed.arguments.values()
    assert re.search(r'version\s*=\s*">= [\d.]+, < [\d.]+"', stated)
