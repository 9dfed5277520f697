"""A manifest as YAML text: the fields in the order of the documentation, and read back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from provisioner.manifest.models import Manifest, model_in
from provisioner.manifest.text import is_hidden

# Text that no YAML, of whatever version, reads as anything but that text.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./+-]*(:[A-Za-z0-9_./+-]+)*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def dump_manifest(data: Mapping[str, Any]) -> str:
    """YAML text of mappings, sequences, text, whole numbers, truth values and None.

    The same data gives the same text. Raises :class:`TypeError` for any other type.
    """
    return "\n".join(_mapping(data, "", Manifest)) + "\n" if data else "{}\n"


def _mapping(data: Mapping[str, Any], indent: str, model: type[BaseModel] | None) -> Iterable[str]:
    """``model`` gives the order of its fields; other keys follow as they come."""
    fields = model.model_fields if model is not None else {}
    for key in sorted(data, key=lambda key: [*fields, key].index(key)):
        value = data[key]
        inner = model_in(fields[key].annotation) if key in fields else None
        if isinstance(value, Mapping) and value:
            yield f"{indent}{_text(key)}:"
            yield from _mapping(value, indent + "  ", inner)
        elif _is_list(value) and value:
            yield f"{indent}{_text(key)}:"
            yield from _sequence(value, indent + "  ", inner)
        else:
            yield f"{indent}{_text(key)}: {_leaf(value)}"


def _sequence(data: Sequence[Any], indent: str, model: type[BaseModel] | None) -> Iterable[str]:
    for value in data:
        if isinstance(value, Mapping) and value:
            lines = _mapping(value, indent + "  ", model)
        elif _is_list(value) and value:
            lines = _sequence(value, indent + "  ", model)
        else:
            lines = [f"{indent}  {_leaf(value)}"]
        for number, line in enumerate(lines):
            yield line if number else f"{indent}- {line[len(indent) + 2 :]}"


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _leaf(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{}"
    if _is_list(value):
        return "[]"
    raise TypeError(f"a manifest holds no {type(value).__name__}")


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return '"' + "".join(_ESCAPES.get(c) or (_escape(c) if is_hidden(c) else c) for c in value) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
