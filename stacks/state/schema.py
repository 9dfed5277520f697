"""The state file's JSON, version 1, and the way from and to records.

::

    {"version": 1, "lineage": "<uuid>", "serial": 7, "active_stack": "ml-prod",
     "stacks": [{"name": …}], "artifact_stores": […], "connectors": […], "flavors": […], "deployments": […]}

Each list holds the fields of its record class, sorted by name; fields at their default are left out. A field
that this version does not know is refused, deliberately: dropping it on the next write would lose what
somebody wanted to say, and keeping a misspelt one would let it pass for a setting. Every change of the
fields is therefore a new version, with its step in ``UPGRADES``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import datetime
from types import MappingProxyType
from typing import Any

from stacks.errors import DamagedStateError, InvalidValueError, NewerStateError
from stacks.state.records import (
    ArtifactStoreRecord,
    ConnectorRecord,
    DeploymentRecord,
    FlavorRecord,
    Record,
    StackRecord,
    State,
)

VERSION = 1

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
UPGRADES: Mapping[int, Upgrade] = MappingProxyType({})
"""From version N, the function that makes the document of version N + 1."""

_SECTIONS: Mapping[str, type[Any]] = MappingProxyType(
    {
        "stacks": StackRecord,
        "artifact_stores": ArtifactStoreRecord,
        "connectors": ConnectorRecord,
        "flavors": FlavorRecord,
        "deployments": DeploymentRecord,
    }
)
_HEAD = frozenset({"version", "lineage", "serial", "active_stack"})


def encode(state: State) -> bytes:
    """The file's content for ``state``; the same records give the same bytes.

    Raises InvalidValueError for a configuration value that JSON cannot hold.
    """
    document: dict[str, Any] = {
        "version": VERSION,
        "lineage": state.lineage,
        "serial": state.serial,
        "active_stack": state.active_stack,
    }
    for section in _SECTIONS:
        records: Mapping[str, Record] = getattr(state, section)
        document[section] = [_encode_record(records[name]) for name in sorted(records)]
    try:
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"a configuration value cannot be written as JSON: {error}",
            hint="use text, numbers, true/false, null, lists and objects only",
        ) from error


def decode(
    content: bytes, location: str, *, version: int = VERSION, upgrades: Mapping[int, Upgrade] = UPGRADES
) -> State:
    """The records in ``content``; ``location`` is for the errors' words.

    Raises DamagedStateError and NewerStateError.
    """
    document = _document(content, location)
    found = document.get("version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise _damaged(location, "it has no version number")
    if found > version:
        raise NewerStateError(
            f"{location} has schema version {found}, and this release reads up to {version}",
            hint="upgrade stack-provisioner: pip install -U stack-provisioner",
            location=location,
        )
    try:
        while found < version:
            document, found = upgrades[found](document), found + 1
        state = _state(document)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(location, str(error)) from error
    problems = state.problems()
    if problems:
        raise _damaged(location, "; ".join(problems[:5]))
    return state


def _damaged(location: str, why: str) -> DamagedStateError:
    return DamagedStateError(
        f"the state file {location} is damaged: {why}",
        hint="nothing was changed; put a good copy in its place (a local file's previous version is kept "
        "beside it as '<name>.previous'), or apply the manifests again into a new file",
        location=location,
    )


def _document(content: bytes, location: str) -> dict[str, Any]:
    if not content.strip():
        raise _damaged(location, "it is empty")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(location, f"it is not JSON, or ends too early ({error})") from error
    if not isinstance(document, dict):
        raise _damaged(location, "it is not a JSON object")
    return document


def _state(document: Mapping[str, Any]) -> State:
    unknown = document.keys() - _HEAD - _SECTIONS.keys()
    missing = (_HEAD | _SECTIONS.keys()) - document.keys()
    if unknown or missing:
        words = [f"unknown field {name!r}" for name in sorted(unknown)]
        raise ValueError("; ".join(words + [f"no field {name!r}" for name in sorted(missing)]))
    lineage, serial, active = (document[key] for key in ("lineage", "serial", "active_stack"))
    if not isinstance(lineage, str) or not lineage or type(serial) is not int or serial < 1:
        raise ValueError("lineage and serial are not text and a count")
    if active is not None and not isinstance(active, str):
        raise ValueError("active_stack is not text")
    sections = {section: _decode_section(section, document[section]) for section in _SECTIONS}
    return State(lineage=lineage, serial=serial, active_stack=active, **sections)


def _encode_record(record: Record) -> dict[str, Any]:
    encoded: dict[str, Any] = {}
    for name, default in _plan(type(record)).defaults:
        value = getattr(record, name)
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Mapping):
            value = _plain(value)
        if value != default:
            encoded[name] = value
    return encoded


def _plain(value: Any) -> Any:
    """``value`` with plain dictionaries and lists, which is what the JSON encoder takes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


class _Plan:
    """How the records of one class are read and written; worked out once, because files hold thousands."""

    def __init__(self, kind: type[Any]) -> None:
        self.defaults = [(f.name, _default(f)) for f in fields(kind)]
        self.names = frozenset(name for name, _ in self.defaults)
        self.required = frozenset(name for name, default in self.defaults if default is MISSING)
        self.readers = {f.name: _READERS[str(f.type)] for f in fields(kind)}
        self.texts = frozenset(f.name for f in fields(kind) if str(f.type).startswith("str"))


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("is not text")
    return value


def _read_optional(value: Any) -> str | None:
    return None if value is None else _read_text(value)


def _read_mapping(value: Any) -> Mapping[str, Any]:
    if type(value) is not dict:
        raise ValueError("is not an object")
    return MappingProxyType(value)


def _read_names(value: Any) -> tuple[str, ...]:
    if type(value) is not list:
        raise ValueError("is not a list of names")
    return tuple(_read_text(one) for one in value)


def _read_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_read_text(value))
    if moment.tzinfo is None:
        raise ValueError("has no time zone")
    return moment


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "str": _read_text,
        "str | None": _read_optional,
        "Mapping[str, Any]": _read_mapping,
        "tuple[str, ...]": _read_names,
        "datetime": _read_moment,
    }
)


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


_PLANS: Mapping[type[Any], _Plan] = MappingProxyType({kind: _Plan(kind) for kind in _SECTIONS.values()})


def _plan(kind: type[Any]) -> _Plan:
    return _PLANS[kind]


def _decode_section(section: str, raw: Any) -> dict[str, Any]:
    kind = _SECTIONS[section]
    plan = _plan(kind)
    if not isinstance(raw, list):
        raise ValueError(f"{section} is not a list")
    records: dict[str, Any] = {}
    for item in raw:
        if not isinstance(item, dict):
            raise ValueError(f"{section} holds something that is not an object")
        where = f"{section}[{item.get('name')!r}]"
        if not plan.required <= item.keys() <= plan.names:
            raise ValueError(f"{where}: {_key_problem(plan, item)}")
        _read_fields(plan, item, where)
        record = kind(**item)
        if record.name in records:
            raise ValueError(f"{where} is there twice")
        records[record.name] = record
    return records


def _key_problem(plan: _Plan, item: Mapping[str, Any]) -> str:
    words = [f"unknown field {name!r}" for name in sorted(item.keys() - plan.names)]
    return "; ".join(words + [f"no field {name!r}" for name in sorted(plan.required - item.keys())])


def _read_fields(plan: _Plan, item: dict[str, Any], where: str) -> None:
    """Turns each value of ``item`` into what the record class holds; refuses those of a wrong type."""
    for name, value in item.items():
        if type(value) is str and name in plan.texts:
            continue  # nearly all of them, without a call
        try:
            item[name] = plan.readers[name](value)
        except ValueError as error:
            raise ValueError(f"{where}: {name} {error}") from error
