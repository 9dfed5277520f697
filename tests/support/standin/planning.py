"""From what core proposes to what is planned: defaults, what is not known yet, what makes a new resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from standin.api import Api
from standin.resources import Resource
from standin.values import UNKNOWN, Schema, Values, at, is_single, nested_values, same


def plan(resource: Resource, api: Api, prior: Values | None, proposed: Values) -> tuple[Values, list[str]]:
    """The planned values, and the attributes on account of which a new resource has to be made."""
    planned = _filled(resource.schema, proposed, prior, resource.defaults)
    if prior is None:
        for name, value in resource.known(api, planned).items():
            if planned[name] is UNKNOWN:
                planned[name] = value
        for name in resource.computed_blocks:
            if not planned[name]:
                planned[name] = UNKNOWN
    else:
        for name in resource.computed_blocks:
            planned[name] = planned[name] or prior[name]
        if not same(resource.schema, prior, planned):
            planned |= dict.fromkeys(resource.volatile, UNKNOWN)
    planned = resource.plan(api, prior, planned)
    if prior is None:
        return planned, []
    replaced = {path.split(".")[0] for path in resource.force_new if at(prior, path) != at(planned, path)}
    return planned, sorted(replaced)


def _filled(
    block: Schema, proposed: Values, prior: Values | None, defaults: Mapping[str, Any], where: str = ""
) -> Values:
    filled = dict(proposed)
    for name, schema in block.get("attributes", {}).items():
        if filled.get(name) is not None:
            continue
        path = f"{where}{name}"
        if path in defaults:
            filled[name] = defaults[path]
        elif schema.get("computed") and prior is None:
            filled[name] = UNKNOWN
    for name, nested in block.get("block_types", {}).items():
        value = filled.get(name)
        if not value or value is UNKNOWN:
            continue
        before = (prior or {}).get(name)
        inner, path = nested["block"], f"{where}{name}."
        if is_single(nested):
            filled[name] = _filled(inner, value, before, defaults, path)
        elif nested["nesting_mode"] == "map":
            filled[name] = {
                key: _filled(inner, item, (before or {}).get(key), defaults, path)
                for key, item in value.items()
            }
        else:
            pairs = zip(value, _paired(nested, value, before or []), strict=True)
            filled[name] = [_filled(inner, item, old, defaults, path) for item, old in pairs]
    return filled


def _paired(nested: Schema, items: list[Values], before: list[Values]) -> list[Values | None]:
    """What each element of a list or set was: in a set, only one that is unchanged can be told."""
    if nested["nesting_mode"] == "list":
        return [before[number] if number < len(before) else None for number in range(len(items))]
    return [next((old for old in before if same(nested["block"], old, item)), None) for item in items]


def broken_promises(resource: Resource, planned: Values, state: Values) -> list[str]:
    """Where a new state is not as it was planned: the handler's mistake, and a surprise to every module."""
    return _differences(resource.schema, planned, state, "", resource.computed_blocks)


def _differences(
    block: Schema, planned: Any, state: Any, where: str, free: frozenset[str] = frozenset()
) -> list[str]:
    found = []
    for name, schema in block.get("attributes", {}).items():
        one = {"attributes": {name: schema}}
        found += _difference(one, f"{where}{name}", {name: planned.get(name)}, {name: state.get(name)})
    for name, nested in block.get("block_types", {}).items():
        wanted, got = planned.get(name), state.get(name)
        if name in free and not wanted:
            continue
        if _matched(nested, wanted, got):
            pairs = zip(nested_values(nested, wanted), nested_values(nested, got), strict=True)
            for before, after in pairs:
                found += _differences(nested["block"], before, after, f"{where}{name}.")
        else:
            one = {"block_types": {name: nested}}
            found += _difference(one, f"{where}{name}", {name: wanted}, {name: got})
    return found


def _difference(one: Schema, where: str, planned: Values, state: Values) -> list[str]:
    (wanted,), (got,) = planned.values(), state.values()
    if _holds_unknown(wanted) or same(one, planned, state):
        return []
    return [f"{where} was planned as {wanted!r} and became {got!r}"]


def _matched(nested: Schema, wanted: Any, got: Any) -> bool:
    """Whether it is clear which element of the plan became which."""
    if not wanted or not got or wanted is UNKNOWN:
        return False
    return is_single(nested) or (nested["nesting_mode"] == "list" and len(wanted) == len(got))


def _holds_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_unknown, value.values()))
    if isinstance(value, list):
        return any(map(_holds_unknown, value))
    return value is UNKNOWN
