"""Filters such as ``gte:2026-11-20 10:00:00``, ``oneof:["a", "b"]`` or ``contains:model``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from stacks.errors import InvalidValueError

Filter: TypeAlias = str | int | datetime | Sequence["str | int | datetime"] | None
Test: TypeAlias = Callable[[Any], bool]

_NAMES = {"eq": "equals", "ne": "notequals"}
OPERATORS = (
    "equals", "eq", "notequals", "ne", "gt", "gte", "lt", "lte", "in", "contains", "notcontains",
    "startswith", "endswith", "oneof", "notoneof",
)  # fmt: skip
_ORDER = {"gt", "gte", "lt", "lte", "in"}
_LISTS = {"oneof", "notoneof", "in"}


def matcher(filters: Filter, kind: type, what: str) -> Test:
    """Whether a value of ``kind`` (``str``, ``int`` or ``datetime``) passes all of ``filters``.

    A filter is ``operator:value``; without an operator it must be equal. A time without a zone is the local
    time of this machine, as ``date`` prints it.

    Raises:
        InvalidValueError: a filter's value does not parse, or it orders what has no order.
    """
    if filters is None:
        return lambda _: True
    several = filters if isinstance(filters, Sequence) and not isinstance(filters, str) else [filters]
    tests = [_one(one, kind, what) for one in several]
    return lambda value: all(test(value) for test in tests)


def any_of(filters: Filter, what: str) -> Callable[[Iterable[str]], bool]:
    """Whether one of several texts (tags) passes."""
    test = matcher(filters, str, what)
    if filters is None:
        return lambda _: True
    return lambda values: any(test(value) for value in values)


def lower_bound(filters: Filter) -> datetime | None:
    """The time that nothing which passes ``filters`` can lie before, if they have one."""
    several = filters if isinstance(filters, Sequence) and not isinstance(filters, str) else [filters]
    bounds = [
        _value(text, datetime, "created") for one in several for operator, text in [_split(one)]
        if operator in {"gt", "gte"}
    ]  # fmt: skip
    return max(bounds, default=None)


def _split(text: Any) -> tuple[str, Any]:
    if isinstance(text, str):
        operator, colon, rest = text.partition(":")
        if colon and operator in OPERATORS:
            return _NAMES.get(operator, operator), rest
    return "equals", text


def _one(text: Any, kind: type, what: str) -> Test:
    operator, rest = _split(text)
    if kind is str and operator in _ORDER:
        raise InvalidValueError(
            f"{what}={text!r}: a {what} has no order",
            hint="use equals, notequals, contains, notcontains, startswith, endswith, oneof or notoneof",
        )
    if operator in _LISTS:
        return _among(operator, [_value(one, kind, what) for one in _listed(rest, what)], what)
    if operator in {"contains", "notcontains", "startswith", "endswith"}:
        return _text_test(operator, str(rest))
    return _compare(operator, _value(rest, kind, what))


def _among(operator: str, wanted: list[Any], what: str) -> Test:
    if operator == "in":
        if len(wanted) != 2:  # two ends make a range
            raise InvalidValueError(
                f"{what}: 'in' takes two values, the first and the last", hint=f"write {what}=in:FIRST,LAST"
            )
        return lambda value: bool(wanted[0] <= value <= wanted[1])
    if operator == "oneof":
        return lambda value: any(_equal(value, one) for one in wanted)
    return lambda value: not any(_equal(value, one) for one in wanted)


def _compare(operator: str, wanted: Any) -> Test:
    tests: dict[str, Test] = {
        "equals": lambda value: _equal(value, wanted),
        "notequals": lambda value: not _equal(value, wanted),
        "gt": lambda value: bool(value > wanted),
        "gte": lambda value: bool(value >= wanted),
        "lt": lambda value: bool(value < wanted),
        "lte": lambda value: bool(value <= wanted),
    }
    return tests[operator]


def _text_test(operator: str, wanted: str) -> Test:
    tests: dict[str, Test] = {
        "contains": lambda value: wanted in str(value),
        "notcontains": lambda value: wanted not in str(value),
        "startswith": lambda value: str(value).startswith(wanted),
        "endswith": lambda value: str(value).endswith(wanted),
    }
    return tests[operator]


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, datetime) and not wanted.microsecond:
        value = value.replace(microsecond=0)  # as it is printed
    return bool(value == wanted)


def _listed(text: Any, what: str) -> list[Any]:
    if not str(text).lstrip().startswith("["):
        return [one.strip() for one in str(text).split(",")]
    try:
        found: list[Any] = json.loads(text)
    except ValueError:
        raise InvalidValueError(
            f"{what}: {text!r} is no list", hint=f'write {what}=oneof:["a", "b"] or {what}=oneof:a,b'
        ) from None
    return found


def _value(text: Any, kind: type, what: str) -> Any:
    if kind is datetime:
        return _moment(text, what)
    if kind is str:
        return str(text)
    try:
        return int(str(text))
    except ValueError:
        raise InvalidValueError(
            f"{what}={text!r} is no number", hint=f"write {what}=3 or {what}=gte:3"
        ) from None


def _moment(text: Any, what: str) -> datetime:
    try:
        moment = text if isinstance(text, datetime) else datetime.fromisoformat(str(text).strip())
        return moment.astimezone()  # one without a zone is local time
    except (ValueError, OverflowError, OSError):
        raise InvalidValueError(
            f"{what}={text!r} is no time",
            hint=f'write {what}="gte:2026-11-20 10:00:00"; without a zone it is local time',
        ) from None
