"""From a schema file and a module of handlers to a provider that can be served."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

from standin.plugin import Provider
from standin.resources import Resource, configure


def provider_of(name: str, schema: Path, handlers: str | None) -> Provider:
    """The provider of ``schema``: handled by the module ``handlers``, and by the default where it has none.

    The module may have ``RESOURCES`` (type name to subclass of Resource), ``DATA_SOURCES`` (name to
    DataSource) and ``configure(api)``. A file ``<name>-overlay.json`` beside the schema adds ``ForceNew``
    and ``Default``, which no schema holds.
    """
    module = importlib.import_module(handlers) if handlers else ModuleType("none")
    (document,) = json.loads(schema.read_text())["provider_schemas"].values()
    classes: dict[str, type[Resource]] = getattr(module, "RESOURCES", {})
    overlay = _overlay(schema.with_name(f"{name}-overlay.json"), name)
    resources = {
        type_name: _with_overlay(classes.get(type_name, Resource), type_name, overlay)(
            type_name, described["block"]
        )
        for type_name, described in document["resource_schemas"].items()
    }
    sources: dict[str, Any] = getattr(module, "DATA_SOURCES", {})
    return Provider(name, document, resources, sources, getattr(module, "configure", configure))


def _overlay(file: Path, name: str) -> dict[str, Any]:
    if not file.exists():
        return {}
    found: dict[str, Any] = json.loads(file.read_text())[f"hashicorp/{name}"]
    return found


def _with_overlay(kind: type[Resource], type_name: str, overlay: dict[str, Any]) -> type[Resource]:
    force_new = frozenset(overlay.get("force_new", {}).get(type_name, ()))
    defaults = overlay.get("default", {}).get(type_name, {})
    if not force_new and not defaults:
        return kind
    # What a handler says itself was checked by whoever wrote it: it goes before the overlay.
    fields = {"force_new": kind.force_new | force_new, "defaults": {**defaults, **kind.defaults}}
    return type(kind.__name__, (kind,), fields)
