"""Whom a policy trusts in addition to another one: principals, and the conditions that they have to meet.

A workload is trusted by the conditions alone: the principal is the provider of its tokens, which it shares
with every other customer of that provider. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class _Trust:
    """One principal, what it may do, and what has to hold: operator and key, and the values that will do."""

    principal: str
    actions: frozenset[str]
    conditions: Mapping[tuple[str, str], frozenset[str]]

    def covers(self, other: _Trust) -> bool:
        """Whether it trusts at least as far: the same principal, and no condition that the other has not."""
        return (
            self.principal == other.principal
            and other.actions <= self.actions
            and all(_met(test, values, other.conditions) for test, values in self.conditions.items())
        )


def newly_trusted(before: Any, after: Any) -> list[str]:
    """In words, whom the policy ``after`` trusts and ``before`` did not, both of them JSON documents."""
    known = list(_trusts(before))
    return sorted(
        {_words(trust, known) for trust in _trusts(after) if not any(old.covers(trust) for old in known)}
    )


def _met(
    test: tuple[str, str], values: frozenset[str], conditions: Mapping[tuple[str, str], frozenset[str]]
) -> bool:
    asked = conditions.get(test)
    if asked is None:
        return False
    # One of the values has to fit; of an operator that denies, each of them.
    return asked >= values if "Not" in test[0] else asked <= values


def _words(trust: _Trust, known: list[_Trust]) -> str:
    if not trust.conditions:
        there = any(old.principal == trust.principal and old.conditions for old in known)
        return f"{trust.principal}, without conditions" if there else trust.principal
    asked = (
        f"{key} is {' or '.join(sorted(values))}" for (_, key), values in sorted(trust.conditions.items())
    )
    return f"{trust.principal} where {' and '.join(asked)}"


def _trusts(policy: Any) -> Iterator[_Trust]:
    try:
        statements = json.loads(policy).get("Statement", [])
    except (TypeError, ValueError, AttributeError):
        return
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, Mapping) or statement.get("Effect") != "Allow":
            continue
        actions = {*_texts(statement.get("Action"))}
        actions |= {f"all but {text}" for text in _texts(statement.get("NotAction"))}
        conditions = {
            (str(operator), str(key)): frozenset(_texts(values))
            for operator, tests in _items(statement.get("Condition"))
            for key, values in _items(tests)
        }
        others = (f"everybody but {text}" for text in _texts(statement.get("NotPrincipal")))
        for principal in (*_texts(statement.get("Principal")), *others):
            yield _Trust(principal, frozenset(actions), conditions)


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield json.dumps(value) if isinstance(value, bool) else str(value)
