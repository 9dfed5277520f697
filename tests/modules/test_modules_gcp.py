"""The Google modules against the official schemas of both major versions; their own tests on a stand-in."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from module_hcl import load_module, parse
from module_schema import Schemas, problems, types_in_use
from standin.mirror import SCHEMAS, Mirror
from terraform_rig import MODULES, TerraformError, provider_mirror, terraform_in

GCP_MODULES = ("gcp/artifact-store", "gcp/service-connector")
VERSIONS = ("6.50.0", "8.7.0")
PAIRS = [(module, version) for module in GCP_MODULES for version in VERSIONS]
CASES = [
    # One version on every run: the schema test holds the modules against both in milliseconds.
    pytest.param(module, version, marks=() if version == VERSIONS[-1] else pytest.mark.slow)
    for module, version in PAIRS
]


def schemas(version: str) -> Schemas:
    return Schemas(json.loads((SCHEMAS / f"google-{version}.json").read_text()))


@pytest.mark.parametrize(("module", "version"), PAIRS)
def test_module_fits_the_official_schema(module: str, version: str) -> None:
    assert problems(load_module(MODULES / module), schemas(version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_in_use_is_in_the_schema(version: str) -> None:
    used = {pair for module in GCP_MODULES for pair in types_in_use(load_module(MODULES / module))}
    assert {kind for kind, _ in used} == {"resource"}, "no data source: what is asked is asked by the program"
    assert {name for _, name in used} <= schemas(version).types("resource")


@pytest.mark.parametrize(
    ("hcl", "version", "problem"),
    [
        (
            'resource "google_storage_bucket" "b" {\n name = "b"\n}',
            "8.7.0",
            "resource.google_storage_bucket.b.location: required, and missing",
        ),
        (
            'resource "google_storage_bucket" "b" {\n name = "b"\n location = "EU"\n self_link = "x"\n}',
            "6.50.0",
            "resource.google_storage_bucket.b.self_link: only the provider sets this",
        ),
    ],
)
def test_what_the_schema_does_not_allow_is_found(hcl: str, version: str, problem: str) -> None:
    assert problem in problems(parse(hcl), schemas(version))


@pytest.mark.parametrize("module", GCP_MODULES)
def test_no_key_can_enter_the_state(module: str) -> None:
    """Neither a key of a service account, nor an HMAC key, nor a token: their resources keep it in clear."""
    made = {name for _, name in types_in_use(load_module(MODULES / module))}
    assert not made & {"google_service_account_key", "google_storage_hmac_key"}
    assert not [name for name in made if re.search(r"(iam_binding|iam_policy|^google_project_iam)", name)]


@pytest.mark.parametrize("module", GCP_MODULES)
def test_provider_range_is_bounded(module: str) -> None:
    (needed,) = load_module(MODULES / module).all("terraform", "required_providers")
    assert re.search(r'version\s*=\s*">= 6.0.0, < 9.0.0"', needed.arguments["google"])


@pytest.fixture(scope="session")
def google_mirrors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mirror]:
    """A mirror for each version: the real provider where it is found, else a stand-in."""
    made = {}
    for version in VERSIONS:
        mirror = Mirror(tmp_path_factory.mktemp("mirror"))
        mirror.real_or_stand_in("google", version, mirrors=(provider_mirror(),))
        made[version] = mirror
    return made


@pytest.mark.parametrize(("module", "version"), CASES)
def test_terraform_test_passes(
    module: str, version: str, tmp_path: Path, terraform: Path, google_mirrors: dict[str, Mirror]
) -> None:
    """With `mock_provider`: nothing is asked of anybody."""
    print(google_mirrors[version].ran["google"])
    shutil.copytree(MODULES / module, tmp_path / "module")
    rig = terraform_in(tmp_path / "module", terraform, google_mirrors[version].folder)
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
    tmp_path: Path, terraform: Path, google_mirrors: dict[str, Mirror]
) -> None:
    """The tests above can fail."""
    shutil.copytree(MODULES / "gcp/service-connector", tmp_path / "module")
    source = tmp_path / "module" / "main.access.tf"
    text, narrow = source.read_text(), ' if grant.prefix == ""]'
    assert narrow in text
    source.write_text(text.replace(narrow, "]"))
    rig = terraform_in(tmp_path / "module", terraform, google_mirrors["8.7.0"].folder)
    rig.init()
    with pytest.raises(TerraformError, match="What lists a whole bucket is not granted for a prefix"):
        rig.run("test", "-no-color")
