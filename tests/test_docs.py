"""The documentation keeps up with the code: fields, links and the manifests it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.manifest import json_schema, parse_manifest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "modules").rglob("README.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")
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
