"""The documentation keeps up with the code: fields, links and the manifests it shows."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from provisioner.cli import cli
from provisioner.cli.run import run
from provisioner.fleet.discover import discover
from provisioner.manifest import json_schema, parse_manifest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "modules").rglob("README.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
_NAMED_YAML = re.compile(r"```yaml\n# ([\w/.-]+\.yaml)\n(.*?)```", re.DOTALL)
_YAML = re.compile(r"```yaml\n(version: 1\n.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def _fields(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """The names of all fields of a schema and of what it refers to."""
    for name, field in schema["properties"].items():
        yield name
        for reference in re.findall(r"#/\$defs/(\w+)", str(field)):
            if "properties" in definitions[reference]:
                yield from _fields(definitions[reference], definitions)


def test_every_field_of_the_manifest_is_documented() -> None:
    schema = json_schema()
    page = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"[`.]([a-z_]+)`", page))

    assert (
        set(_fields(schema, schema["$defs"])) - documented - {"encryption", "lifecycle", "state", "stack"}
        == set()
    )


@pytest.mark.parametrize("page", ["README.md", "docs/manifest.md"])
def test_the_manifests_shown_are_valid(page: str) -> None:
    shown = _YAML.findall((ROOT / page).read_text(encoding="utf-8"))

    assert shown
    for text in shown:
        assert parse_manifest(text, file=page).artifact_stores


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """A folder with every file that the last section of the manifest's page shows, each at its own path."""
    section = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8").partition("## One file per env")[2]
    for path, text in _NAMED_YAML.findall(section):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return tmp_path


def _validate(*places: Path, expect: int = 0) -> list[dict[str, Any]]:
    """The problems that `provision validate` tells of."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert run(cli, ["validate", *map(str, places), "--format", "json"], "provision") == expect
    problems: list[dict[str, Any]] = json.loads(output.getvalue())["problems"]
    return problems


def test_the_environments_shown_are_valid_beside_each_other(environments: Path) -> None:
    assert _validate(environments / "stacks") == []
    assert [path.name for path in discover([environments / "stacks"]).stacks] == ["prod.yaml", "staging.yaml"]


def test_environments_with_the_same_names_are_valid_one_by_one(environments: Path) -> None:
    for name in ("staging", "prod"):
        assert _validate(environments / "same" / name) == []

    together = _validate(environments / "same", expect=3)

    assert all("a folder and a state file of its own" in problem["message"] for problem in together)


def test_editors_find_nothing_wrong_with_the_environments_shown(environments: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with the dev extra's checkers")
    schema = jsonschema.Draft202012Validator(json_schema())

    for path in discover([environments]).stacks:
        schema.validate(YAML(typ="safe", pure=True).load(path))


def test_nothing_names_this_machine_or_a_registry() -> None:
    hosts = ("pypi" + ".org", "python" + "hosted", "registry.npm" + "js", "deb.deb" + "ian")
    texts = [
        *PAGES,
        *ROOT.glob("*.toml"),
        ROOT / "Makefile",
        ROOT / "constraints.txt",
        *(ROOT / ".ci").iterdir(),
    ]

    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert [host for host in hosts if host in text] == [], path
