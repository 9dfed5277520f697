"""The seam between providers and everything else: what each supplies, and that nobody asks which it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from provisioner.assets import assets_root
from provisioner.catalog import PROVIDERS, Provider
from provisioner.manifest import ArtifactStore, Connector, Manifest, load_manifest
from provisioner.register import check_registrable
from provisioner.render import render
from provisioner.scaffold import scaffold
from stacks.connectors import connector_type
from stacks.state import State
from stacks.stores.registry import store_class

PACKAGE = Path(__file__).parents[2] / "provisioner"

# Where something other than a manifest's provider is meant by the word.
MEANT = {
    "cli/connector_login.py": "which cloud's own program is logged in: a connector's type",
    "fleet/clashes.py": "where Terraform keeps its state",
    "manifest/fields.py": "where Terraform keeps its state",
    "manifest/state_rules.py": "where Terraform keeps its state, which may be another cloud than the stack's",
}


def comparisons(file: Path) -> Iterator[str]:
    """Every word that a file compares something with, or looks up by."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        for part in parts:
            for leaf in ast.walk(part):
                if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str):
                    yield leaf.value


def test_nothing_asks_which_provider_it_is() -> None:
    """Only the files of a cloud itself name it: a further provider edits none of the others."""
    words = {word for item in PROVIDERS.values() for word in (item.name, item.flavor, *item.auth_methods)}
    wrong = [
        f"{file.relative_to(PACKAGE)}: {word}"
        for file in PACKAGE.rglob("*.py")
        if not any(name in file.stem for name in PROVIDERS)
        and file.relative_to(PACKAGE).as_posix() not in MEANT
        for word in comparisons(file)
        if word in words
    ]
    assert wrong == []


# A repository's policy is judged by a list of its own, lest a mistake in a provider's file excuse itself.
SECOND_LOOK = "policy"
_TYPE = re.compile(r"\b(aws|google|azurerm|azuread)_[a-z0-9]+_[a-z0-9_]+")


def test_nothing_names_the_resources_of_a_cloud() -> None:
    """What they mean for a plan stands with the provider, too: see its ``dangers`` and ``side_buckets``."""
    wrong = [
        f"{file.relative_to(PACKAGE)}: {found[0]}"
        for file in PACKAGE.rglob("*.py")
        if not any(name in file.stem for name in PROVIDERS) and file.parent.name != SECOND_LOOK
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for found in [_TYPE.search(node.value)]
        if found
    ]
    assert wrong == []


def test_no_exception_stays_that_is_needed_no_longer() -> None:
    words = {word for item in PROVIDERS.values() for word in (item.name, item.flavor, *item.auth_methods)}
    assert [name for name in MEANT if not words.intersection(comparisons(PACKAGE / name))] == []


def test_the_reader_of_comparisons_sees_them(tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    file = tmp_path / "x.py"
    file.write_text("a = b == 'aws' or PROVIDERS['gcp'] or c in {'iam-role'}")
    assert set(comparisons(file)) == {"aws", "gcp", "iam-role"}


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each of them."""
    return PROVIDERS[request.param]


def test_its_files_are_there(provider: Provider) -> None:
    for folder in provider.modules.values():
        assert list((assets_root() / "modules" / folder).glob("*.tf"))
        assert (assets_root() / "modules" / folder / "README.md").is_file()
    assert (assets_root() / "templates" / provider.template).is_file()
    assert (assets_root() / "templates" / "scaffold" / f"{provider.name}.yaml.j2").is_file()
    assert (PACKAGE.parent / "examples" / provider.name / "stack.yaml").is_file()
    for module in (provider.verifier, provider.reader):
        assert (PACKAGE.parent / f"{module.replace('.', '/')}.py").is_file(), module


def test_a_key_that_its_module_makes_is_known_as_one(provider: Provider) -> None:
    """Who takes a key takes all that it encrypts: the guards must know it, and each further bucket."""
    folder = assets_root() / "modules" / provider.modules["artifact_store"]
    text = "".join(file.read_text() for file in folder.glob("*.tf"))
    made = re.findall(r'^resource "(\w+_(?:kms|crypto|vault)_key)" "(\w+)"', text, flags=re.MULTILINE)
    assert {".".join(one) for one in made} <= provider.key_resources
    buckets = re.findall(
        r'^resource "(aws_s3_bucket|google_storage_bucket)" "(\w+)"', text, flags=re.MULTILINE
    )
    beside = {f"store.{kind}.{name}" for kind, name in buckets if name != "this"}
    assert beside <= provider.side_buckets


def test_its_words_are_those_of_the_manifest(provider: Provider) -> None:
    assert provider.required_fields <= provider.allowed_fields <= Manifest.model_fields.keys()
    assert provider.store_fields <= ArtifactStore.model_fields.keys()
    assert provider.connector_fields <= Connector.model_fields.keys()
    assert provider.environment.keys() <= provider.allowed_fields
    methods = set(provider.auth_methods)
    assert provider.identity_methods <= methods
    assert provider.secret_methods <= methods - provider.identity_methods
    assert provider.minted_methods <= provider.identity_methods
    assert provider.storage_classes[0] == "standard"
    assert provider.profiles[0] == "baseline"
    assert provider.default_auth_method in provider.identity_methods or not provider.has_connectors
    assert provider.has_connectors == (provider.connector_type is not None)


def test_the_runtime_knows_its_stores_and_connectors(provider: Provider) -> None:
    store = store_class(provider.flavor)
    assert provider.flavor == store.FLAVOR
    if provider.scheme:
        assert f"{provider.scheme}://" in store.SUPPORTED_SCHEMES
    if provider.connector_type is not None:
        known = connector_type(provider.connector_type)
        assert provider.resource_type in known.resource_types
        for method in provider.auth_methods:
            registered = provider.runtime_method(Connector(name="c", auth_method=method))
            assert known.auth_method(registered)


@pytest.mark.parametrize("source", ["scaffold", "example"])
def test_its_first_manifest_holds_renders_and_can_be_registered(
    provider: Provider, source: str, tmp_path: Path
) -> None:
    if source == "scaffold":
        path = scaffold(tmp_path / "project", provider.name)[0]
    else:
        path = PACKAGE.parent / "examples" / provider.name / "stack.yaml"
    manifest = load_manifest(path).manifest

    files = render(manifest)

    assert {"main.tf", "terraform.tfvars.json"} < files.keys()
    assert {name.split("/")[1] for name in files if name.startswith("modules/")} == {provider.name}
    check_registrable(State(), manifest)


def test_its_packages_can_be_found_where_the_extra_is_installed(provider: Provider) -> None:
    assert [name for name in provider.packages if find_spec(name) is None] == []
