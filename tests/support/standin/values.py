"""Terraform's values: msgpack on the wire, plain Python here, with one mark for what is not known yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgpack

Values = dict[str, Any]
Schema = Mapping[str, Any]
"""A block as ``terraform providers schema -json`` has it: ``attributes`` and ``block_types``."""

_UNKNOWN_CODE = 0
_REFINED_UNKNOWN_CODE = 12


class Unknown:
    """What is only known after the apply."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: object) -> Unknown:
        return self


UNKNOWN = Unknown()


def _hook(code: int, data: bytes) -> Any:
    return UNKNOWN if code in (_UNKNOWN_CODE, _REFINED_UNKNOWN_CODE) else msgpack.ExtType(code, data)


def _default(value: Any) -> Any:
    if value is UNKNOWN:
        return msgpack.ExtType(_UNKNOWN_CODE, b"\0")
    raise TypeError(f"{type(value).__name__} is no value of Terraform's")


def decode(message: Any) -> Any:
    """The value of a DynamicValue."""
    if message.HasField("msgpack"):
        return msgpack.unpackb(message.msgpack, ext_hook=_hook, strict_map_key=False)
    return json.loads(message.json) if message.json else None


def encode(value: Any) -> bytes:
    """The msgpack of a value."""
    return bytes(msgpack.packb(value, default=_default))


def is_single(nested: Schema) -> bool:
    """Whether a nested block is one object or null, not a collection of objects."""
    return nested["nesting_mode"] in ("single", "group")


def nested_values(nested: Schema, value: Any) -> Iterator[Values]:
    """The objects of a nested block, whatever its nesting."""
    if value is None or value is UNKNOWN:
        return
    if is_single(nested):
        yield value
    elif isinstance(value, dict):
        yield from value.values()
    else:
        yield from value


class MisfitError(Exception):
    """A value that its schema does not allow: a mistake in what stands in, not in the configuration."""


def conform(block: Schema, value: Any, where: str = "", *, lenient: bool = False) -> Any:
    """``value`` with everything that the schema names, absent things as null or empty.

    Raises :class:`MisfitError` for what the schema does not name; ``lenient`` drops it.
    """
    if value is None or value is UNKNOWN:
        return value
    attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
    unknown = value.keys() - attributes.keys() - blocks.keys()
    if unknown and not lenient:
        raise MisfitError(f"{where or 'the value'} has no {', '.join(sorted(unknown))}")
    whole: Values = {name: _typed(schema["type"], value.get(name)) for name, schema in attributes.items()}
    for name, nested in blocks.items():
        given = value.get(name)
        inner = f"{where}.{name}".lstrip(".")
        if given is UNKNOWN:
            whole[name] = UNKNOWN
        elif is_single(nested):
            whole[name] = conform(nested["block"], given, inner, lenient=lenient)
        elif nested["nesting_mode"] == "map":
            items = (given or {}).items()
            whole[name] = {k: conform(nested["block"], v, inner, lenient=lenient) for k, v in items}
        else:
            whole[name] = [conform(nested["block"], item, inner, lenient=lenient) for item in given or []]
    return whole


def _typed(kind: Any, value: Any) -> Any:
    """Numbers that stand as text elsewhere, as numbers: some states and services have them so."""
    if value is None or value is UNKNOWN:
        return value
    if kind == "number" and isinstance(value, str):
        return float(value) if "." in value else int(value)
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def same(block: Schema, left: Any, right: Any) -> bool:
    """Whether two values are one to Terraform: sets have no order, 1.0 is 1."""
    return bool(_comparable(block, left) == _comparable(block, right))


def _comparable(block: Schema, value: Any) -> Any:
    if value is None or value is UNKNOWN:
        return value
    found: Values = {}
    for name, schema in block.get("attributes", {}).items():
        item = value.get(name)
        is_set = isinstance(schema["type"], list) and schema["type"][0] == "set"
        found[name] = sorted(item, key=repr) if is_set and isinstance(item, list) else item
    for name, nested in block.get("block_types", {}).items():
        item = value.get(name)
        if item is UNKNOWN:
            found[name] = item
            continue
        items = [_comparable(nested["block"], each) for each in nested_values(nested, item)]
        found[name] = sorted(items, key=repr) if nested["nesting_mode"] == "set" else items
    return found


def without_unknown(value: Any) -> Any:
    """A copy in which what is not known yet is null."""
    if value is UNKNOWN:
        return None
    if isinstance(value, dict):
        return {name: without_unknown(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_unknown(item) for item in value]
    return value


def at(value: Any, path: str) -> list[Any]:
    """All values at a dotted path, through the elements of lists and sets."""
    found = [value]
    for name in path.split("."):
        found = [
            element.get(name) if isinstance(element, dict) else element
            for item in found
            for element in (item if isinstance(item, list) else [item])
        ]
    return found
