"""Parameters as a record shows them: what is called like a secret is masked, however deep it lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stacks.state.sensitive import is_secret_field

MASK = "********"
_HARMLESS = frozenset({"key"})  # of a store it is a secret; of a function it rather is a column


def shown(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """``parameters``, as JSON, without secrets. The records of a store are read by many."""
    return {name: _masked(name, value) for name, value in parameters.items()}


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, str):
        secret = is_secret_field(name) and name.lower() not in _HARMLESS
        return MASK if secret and value else value
    if isinstance(value, list):
        return [_masked(name, one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$model" in value and isinstance(value.get("json"), str):
        return {"$model": value["$model"], "value": shown(json.loads(value["json"]))}
    if "$dict" in value:
        return {"$dict": [[key, _masked(str(key), one)] for key, one in value["$dict"]]}
    return shown(value)
