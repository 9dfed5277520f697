"""The stand-in for hashicorp/azurerm: the types in use, against the management of :mod:`azure_management`."""

from __future__ import annotations

import json
from pathlib import Path

from standin.resources import DataSource

_SCHEMA = Path(__file__).resolve().parents[1] / "data" / "provider-schemas" / "azurerm-5.10.0.json"
(_DOCUMENT,) = json.loads(_SCHEMA.read_text())["provider_schemas"].values()
_DATA = {name: source["block"] for name, source in _DOCUMENT["data_source_schemas"].items()}
DATA_SOURCES = {name: DataSource(schema=schema) for name, schema in _DATA.items()}
RESOURCES = {}
