"""The JSON Schema: valid itself, describing every field, and agreeing with the manifests that load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from manifest_samples import EVERYTHING, FIVE_LINES, LOCAL
from ruamel.yaml import YAML

from provisioner.manifest import Manifest, json_schema
from provisioner.manifest.schema import DIALECT

jsonschema = pytest.importorskip("jsonschema", reason="comes with the dev extra's checkers")


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for title, part in [("Manifest", schema), *schema["$defs"].items()]:
        for name, field in part["properties"].items():
            yield f"{title}.{name}", field


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == DIALECT


def test_every_field_has_a_description_and_examples_that_hold() -> None:
    schema = json_schema()
    fields = dict(_fields(schema))
    assert len(fields) > len(Manifest.model_fields)
    for name, field in fields.items():
        assert field.get("description"), name
        assert field.get("examples"), name
        part = jsonschema.Draft202012Validator({**field, "$defs": schema["$defs"]})
        for example in field["examples"]:
            part.validate(example)


def test_no_part_of_a_manifest_takes_unknown_fields() -> None:
    schema = json_schema()
    parts = [schema, *schema["$defs"].values()]
    assert [part.get("additionalProperties") for part in parts] == [False] * len(parts)


@pytest.mark.parametrize("text", [FIVE_LINES, EVERYTHING, LOCAL], ids=["five lines", "everything", "local"])
def test_manifests_that_load_hold_for_the_schema_too(text: str) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(YAML(typ="safe", pure=True).load(text))


@pytest.mark.parametrize(
    ("data", "holds"),
    [
        ({"extends": "_base.yaml"}, True),
        ({"extends": "_base.yaml", "name": "ml-staging", "account": "210987654321"}, True),
        ({"extends": "_base.yaml", "artifact_stores": [{"protect": False}]}, False),
        ({"extends": "_base.yaml", "naem": "ml-staging"}, False),
        ({"extends": None, "name": "ml-staging"}, False),
        ({"name": "ml-staging"}, False),
    ],
)
def test_what_a_file_extends_may_have_the_fields_that_it_lacks(data: dict[str, Any], holds: bool) -> None:
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(data) is holds


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "ML"},
        {"provider": "asw"},
        {"regoin": "x"},
        {"artifact_stores": []},
        {"version": 2},
        {"tags": []},
    ],
)
def test_an_editor_sees_what_is_wrong(wrong: dict[str, Any]) -> None:
    data = YAML(typ="safe", pure=True).load(FIVE_LINES) | wrong
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(data)
