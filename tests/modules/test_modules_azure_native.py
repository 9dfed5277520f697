"""The Azure modules' own tests, run by real Terraform on a stand-in with each official schema."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from standin.mirror import Mirror
from terraform_rig import MODULES, TerraformError, provider_mirror, terraform_in

VERSIONS = {
    "azure/artifact-store": [("azurerm", "4.55.0"), ("azurerm", "5.10.0")],
    "azure/service-connector": [("azurerm", "4.55.0"), ("azurerm", "5.10.0")],
    "azure/application": [("azuread", "3.7.0"), ("azuread", "3.10.0")],
}
CASES = [
    # One version on every run: the schema test holds the modules against both in milliseconds.
    pytest.param(module, *provider, marks=() if provider == providers[-1] else pytest.mark.slow)
    for module, providers in VERSIONS.items()
    for provider in providers
]


@pytest.fixture(scope="session")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Mirror]:
    """A mirror for each provider and version: the real provider where it is found, else a stand-in."""
    made = {}
    for name, version in {provider for providers in VERSIONS.values() for provider in providers}:
        mirror = Mirror(tmp_path_factory.mktemp("mirror"))
        handlers = "standin_azurerm" if name == "azurerm" else None
        mirror.real_or_stand_in(name, version, mirrors=(provider_mirror(),), handlers=handlers)
        made[name, version] = mirror
    return made


@pytest.mark.parametrize(("module", "provider", "version"), CASES)
def test_terraform_test_passes(
    module: str,
    provider: str,
    version: str,
    tmp_path: Path,
    terraform: Path,
    mirrors: dict[tuple[str, str], Mirror],
) -> None:
    """With `mock_provider`: nothing is asked of anybody."""
    mirror = mirrors[provider, version]
    print(mirror.ran[provider])
    shutil.copytree(MODULES / module, tmp_path / "module")
    rig = terraform_in(tmp_path / "module", terraform, mirror.folder)
    rig.init()
    said = [json.loads(line) for line in rig.run("test", "-json").stdout.splitlines()]
    (summary,) = [line["test_summary"] for line in said if line["type"] == "test_summary"]
    written = sum(
        len(re.findall(r'^run "', path.read_text(), flags=re.MULTILINE))
        for path in (MODULES / module / "tests").glob("*.tftest.hcl")
    )
    assert summary["status"] == "pass"
    assert summary["passed"] == written > 0


def test_a_module_that_grants_too_much_fails_its_own_tests(
    tmp_path: Path, terraform: Path, mirrors: dict[tuple[str, str], Mirror]
) -> None:
    """The tests above can fail."""
    shutil.copytree(MODULES / "azure/service-connector", tmp_path / "module")
    source = tmp_path / "module" / "main.access.tf"
    text, narrow = source.read_text(), "scope                = local.containers[each.value[0]]"
    assert narrow in text
    wide = 'scope                = local.accounts[split("/", each.value[0])[0]]'
    source.write_text(text.replace(narrow, wide))
    rig = terraform_in(tmp_path / "module", terraform, mirrors["azurerm", "5.10.0"].folder)
    rig.init()
    with pytest.raises(TerraformError, match="On the container, and on nothing above it"):
        rig.run("test", "-no-color")
