"""The manifest's JSON Schema, for editors and for other programs."""

from __future__ import annotations

from typing import Any

from provisioner.manifest.models import Manifest

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) with a description and an example for each field.

    It knows what one field alone may be; the rules between fields are checked on loading only. A file that
    extends another one may have any of the fields from there.
    """
    schema = Manifest.model_json_schema(mode="validation")
    schema.pop("title", None)
    alone = {
        "if": {"required": ["extends"], "properties": {"extends": {"type": "string"}}},
        "else": {"required": schema.pop("required")},
    }
    return {"$schema": DIALECT, "title": "Stack manifest", **_without_titles(schema), **alone}


def _without_titles(schema: Any) -> Any:
    """Pydantic repeats each field's name as its title: noise in an editor."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
