"""What the modules bring along: their formatting, their own tests, their READMEs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from module_hcl import load_module, string_value
from terraform_rig import MODULES, TerraformError, terraform_in
from write_generated import AWS_MODULES, EVERY_MODULE, readme_with_tables

pytestmark = pytest.mark.slow  # minutes of real Terraform, beside which the default tests have shorter ones


def test_modules_are_formatted(terraform: Path, tmp_path: Path) -> None:
    shutil.copytree(MODULES, tmp_path / "modules")
    rig = terraform_in(tmp_path / "modules", terraform)
    assert rig.run("fmt", "-check", "-diff", "-recursive").stdout == ""


@pytest.mark.parametrize("module", [*AWS_MODULES, "local/artifact-store"])
def test_terraform_test_passes(
    module: str, tmp_path: Path, terraform: Path, request: pytest.FixtureRequest
) -> None:
    mirror = request.getfixturevalue("aws_mirror") if module in AWS_MODULES else None
    shutil.copytree(MODULES / module, tmp_path / "module")
    rig = terraform_in(tmp_path / "module", terraform, mirror)
    rig.init()
    said = [json.loads(line) for line in rig.run("test", "-json").stdout.splitlines()]
    (summary,) = [line["test_summary"] for line in said if line["type"] == "test_summary"]
    written = sum(
        len(re.findall(r'^run "', path.read_text(), flags=re.MULTILINE))
        for path in (MODULES / module / "tests").glob("*.tftest.hcl")
    )
    assert summary["status"] == "pass"
    assert summary["passed"] == written > 0


def test_a_broken_module_fails_its_own_tests(tmp_path: Path, terraform: Path) -> None:
    """The tests above can fail: a module that forgets the mode is caught."""
    shutil.copytree(MODULES / "local/artifact-store", tmp_path / "module")
    source = tmp_path / "module" / "main.directory.tf"
    source.write_text(source.read_text().replace('mode = "0700"', 'mode = "0755"'))
    rig = terraform_in(tmp_path / "module", terraform)
    rig.init()
    with pytest.raises(TerraformError, match="Nobody but the owner gets in"):
        rig.run("test", "-no-color")


@pytest.mark.parametrize("module", EVERY_MODULE)
def test_readme_tables_are_those_of_the_module(module: str) -> None:
    """`python tests/modules/write_generated.py` writes them."""
    assert (MODULES / module / "README.md").read_text() == readme_with_tables(module)


@pytest.mark.parametrize("module", EVERY_MODULE)
def test_module_has_the_shape_that_all_have(module: str) -> None:
    folder = MODULES / module
    names = {path.name for path in folder.glob("*.tf")}
    fixed = {"variables.tf", "outputs.tf", "terraform.tf"}
    assert fixed <= names
    assert all(
        re.fullmatch(r"main\.[a-z]+\.tf", name)
        for name in names - {"variables.tf", "outputs.tf", "terraform.tf"}
    )
    assert list((folder / "tests").glob("*.tftest.hcl"))
    body = load_module(folder)
    assert all(
        string_value(block.arguments["description"]) for block in (*body.all("variable"), *body.all("output"))
    )
    for variable in body.all("variable"):
        assert "type" in variable.arguments
        # What may be null says so by its default; everything else refuses null.
        assert (
            variable.arguments.get("default") in ("null", "90", "7", "365")
            or variable.arguments["nullable"] == "false"
        )
    (versions,) = body.all("terraform")
    assert versions.arguments["required_version"] == '">= 1.6.0"'


@pytest.mark.parametrize("module", AWS_MODULES)
def test_provider_range_is_bounded(module: str) -> None:
    (needed,) = load_module(MODULES / module).all("terraform", "required_providers")
    assert re.search(r'version\s*=\s*">= [\d.]+, < [\d.]+"', needed.arguments["aws"])


def test_the_path_reaches_the_shell_only_by_its_environment() -> None:
    body = load_module(MODULES / "local/artifact-store")
    provisioners = list(body.all("resource", "provisioner"))
    assert len(provisioners) == 3
    for provisioner in provisioners:
        assert "${" not in provisioner.arguments["command"]
        assert "%{" not in provisioner.arguments["command"]
        assert "STORE_PATH" in provisioner.arguments["environment"]
