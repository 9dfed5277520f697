"""Scalars by the YAML 1.2 core schema, resolved by the type that a field asks for.

A plain scalar keeps its raw text until a field is known: where text is asked for, ``no``, ``1.10`` and
``22:30`` stay as they were written; where a number or a truth value is asked for, only what the core schema
calls one is taken, and never what stands in quotes.
"""

from __future__ import annotations

import re

from pydantic_core import PydanticCustomError

from provisioner.manifest.text import shown

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# The core schema's integers; 18 digits are more than any field allows and keep conversion cheap.
_INTEGER = re.compile(r"([-+]?[0-9]{1,18})|0o([0-7]{1,18})|0x([0-9a-fA-F]{1,15})")


class Plain(str):
    """The text of a scalar that stood without quotes: it may yet be null, a truth value or a number."""

    __slots__ = ()

    @property
    def is_null(self) -> bool:
        """Whether the core schema reads it as null."""
        return str(self) in _NULL


def refusal(sentence: str) -> PydanticCustomError:
    """A validation error with a sentence of ours; braces in it stay text."""
    return PydanticCustomError("manifest", "{sentence}", {"sentence": sentence})


def as_text(value: object) -> object:
    """What a string field gets: the very characters that were written."""
    if isinstance(value, Plain):
        if value.is_null:
            raise refusal('found null; allowed: text (write "" for an empty one)')
        return str(value)
    return value


def as_text_or_none(value: object) -> object:
    """The same where null means «not said»."""
    return None if isinstance(value, Plain) and value.is_null else as_text(value)


def as_bool(value: object) -> object:
    """true or false; ``yes``, ``on`` and anything in quotes are text."""
    if isinstance(value, Plain):
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise refusal(f"found {described(value)}; allowed: true or false")
    if isinstance(value, str):
        raise refusal(f"found {described(value)}; allowed: true or false, without quotes")
    return value


def as_integer(value: object) -> object:
    """A whole number, decimal, octal (0o) or hexadecimal (0x)."""
    if isinstance(value, Plain):
        match = _INTEGER.fullmatch(value)
        if match is None:
            raise refusal(f"found {described(value)}; allowed: a whole number")
        decimal, octal, hexadecimal = match.groups()
        if decimal is not None:
            return int(decimal)
        return int(octal, 8) if octal is not None else int(hexadecimal, 16)
    if isinstance(value, str):
        raise refusal(f"found {described(value)}; allowed: a whole number, without quotes")
    return value


def as_integer_or_none(value: object) -> object:
    """The same where null means «none»."""
    return None if isinstance(value, Plain) and value.is_null else as_integer(value)


def described(value: object) -> str:
    """What was found, in the words of an error."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, Plain):
        return "null" if value.is_null else shown(str(value))
    if isinstance(value, str):
        return f"the text {shown(value)}"
    return shown(value)
