"""Values as JSON that gives back what was put in: its types, not only its looks.

What JSON has is written as it is. What it has not is an object with one name that begins with ``$``; a
mapping that has such a key itself is written as a list of pairs, so that nothing can be taken for another.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import sys
import zoneinfo
from collections import OrderedDict
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from stacks.errors import DamagedArtifactError, MaterializerError
from stacks.materializers.classes import reference, required

Put = Callable[[Any], dict[str, Any]]
Get = Callable[[dict[str, Any]], Any]

_PLAIN_BITS = (
    64  # larger integers would meet the limits of other JSON readers, and Python's own at 4,300 digits
)


class Unencodable(Exception):  # noqa: N818 - an answer: the whole value goes another way
    """A value with a ring in it, or of a type that has no place in JSON."""


class _FromElsewhere(Exception):  # noqa: N818 - a wrapping
    """What ``get`` raised, on its way past the handlers that speak of this text."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Encoder:
    """Turns values into what ``json`` can write; ``put`` takes those that need files of their own."""

    def __init__(self, put: Put | None = None) -> None:
        self._put = put
        self._above: set[int] = set()

    def encode(self, value: Any) -> Any:
        """``value`` for ``json.dumps``.

        Raises:
            Unencodable: it contains itself, or something without a place, and there is no ``put``.
        """
        kind = type(value)
        if value is None or kind is str or kind is bool:
            return value
        if kind is int:
            return value if value.bit_length() <= _PLAIN_BITS else {"$int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"$float": repr(value)}
        simple = _SIMPLE.get(kind)
        if simple is not None:
            return simple(value) or self._elsewhere(value)
        return self._nested(value, kind)

    def _nested(self, value: Any, kind: type[Any]) -> Any:
        if id(value) in self._above:
            raise Unencodable("it contains itself")
        self._above.add(id(value))
        try:
            if kind in _CONTAINERS:
                return self._container(value, kind)
            if isinstance(value, Enum):
                return _enum(value, kind) or self._elsewhere(value)
            if is_plain_dataclass(value):
                fields = {one.name: self.encode(getattr(value, one.name)) for one in dataclasses.fields(kind)}
                return {"$dataclass": reference(kind), "fields": fields}
            return _model(value, kind) or self._elsewhere(value)
        finally:
            self._above.discard(id(value))

    def _container(self, value: Any, kind: type[Any]) -> Any:
        if kind is list:
            return [self.encode(one) for one in value]
        if kind is tuple:
            return {"$tuple": [self.encode(one) for one in value]}
        if kind is dict or kind is OrderedDict:
            if kind is dict and all(type(key) is str and not key.startswith("$") for key in value):
                return {key: self.encode(one) for key, one in value.items()}
            pairs = [[self.encode(key), self.encode(one)] for key, one in value.items()]
            return {"$dict" if kind is dict else "$ordered": pairs}
        # Sets have no order of their own: sorted, equal ones have equal files, and so equal digests.
        members = sorted((self.encode(one) for one in value), key=json.dumps)
        return {"$set" if kind is set else "$frozenset": members}

    def _elsewhere(self, value: Any) -> dict[str, Any]:
        if self._put is None:
            raise Unencodable(f"{type(value).__qualname__} is no plain value")
        return self._put(value)


class Decoder:
    """The way back; ``get`` finds what ``put`` put elsewhere."""

    def __init__(self, get: Get | None = None) -> None:
        self._get = get

    def loads(self, text: str | bytes) -> Any:
        """The value.

        Raises:
            DamagedArtifactError: this is not what an ``Encoder`` writes.
            MaterializerError: a class that it names is not imported, or has other fields now.
        """
        try:
            return json.loads(text, object_hook=self._hook)
        except _FromElsewhere as passing:
            raise passing.error from None
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            if isinstance(error, MaterializerError):
                raise
            raise DamagedArtifactError(
                f"this is no stored value: {error}", hint="run the step that made it again"
            ) from error

    def _hook(self, data: dict[str, Any]) -> Any:
        tag = next(iter(data), "")
        if not tag.startswith("$"):
            return data
        back = _BACK.get(tag)
        if back is not None:
            return back(data)
        if self._get is None:
            raise ValueError(f"{tag} is not known")
        try:
            return self._get(data)
        except Exception as error:  # not about this text: whatever loading the other files raised
            raise _FromElsewhere(error) from error


def is_plain_dataclass(value: Any) -> bool:
    """Whether its fields are all there is to it, and its class can be found again by name."""
    kind = type(value)
    if not dataclasses.is_dataclass(kind) or issubclass(kind, _NO_DATACLASSES) or reference(kind) is None:
        return False
    names = {one.name for one in dataclasses.fields(kind)}
    return getattr(value, "__dict__", {}).keys() <= names and all(hasattr(value, name) for name in names)


_NO_DATACLASSES = (list, tuple, dict, set, frozenset, str, int, float, bytes, BaseException, Enum)
_CONTAINERS = frozenset((list, tuple, dict, OrderedDict, set, frozenset))


def _zoned(value: datetime) -> dict[str, Any] | None:
    zone = value.tzinfo
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key is not None:
        bare = value.replace(tzinfo=None, fold=0)
        return {"$datetime": bare.isoformat(), "zone": zone.key, "fold": value.fold}
    if value.fold or not (zone is None or type(zone) is timezone):
        return None
    return {"$datetime": value.isoformat()}


def _datetime(data: dict[str, Any]) -> datetime:
    value = datetime.fromisoformat(data["$datetime"])
    if "zone" not in data:
        return value
    return value.replace(tzinfo=zoneinfo.ZoneInfo(data["zone"]), fold=data["fold"])


def _time(value: time) -> dict[str, Any] | None:
    return {"$time": value.isoformat()} if value.tzinfo is None and not value.fold else None


def _enum(value: Enum, kind: type[Any]) -> dict[str, Any] | None:
    text = reference(kind)
    if text is None or value.name not in kind.__members__:
        return None
    return {"$enum": text, "name": value.name}


def _enum_back(data: dict[str, Any]) -> Any:
    kind = required(data["$enum"], "enum")
    if not issubclass(kind, Enum) or data["name"] not in kind.__members__:
        raise _changed(data["$enum"], f"has no member {data['name']}")
    return kind.__members__[data["name"]]


def _dataclass_back(data: dict[str, Any]) -> Any:
    """Sets the fields, as unpickling would: neither ``__init__`` nor ``__post_init__`` runs."""
    kind, values = required(data["$dataclass"], "dataclass"), data["fields"]
    if not dataclasses.is_dataclass(kind):
        raise _changed(data["$dataclass"], "is no dataclass any more")
    fields = {one.name: one for one in dataclasses.fields(kind)}
    unknown = sorted(values.keys() - fields.keys())
    if unknown:
        raise _changed(data["$dataclass"], f"has no field {', '.join(unknown)} any more")
    value = object.__new__(kind)
    for name, field in fields.items():
        if name in values:
            content = values[name]
        elif field.default is not dataclasses.MISSING:
            content = field.default
        elif field.default_factory is not dataclasses.MISSING:
            content = field.default_factory()
        else:
            raise _changed(data["$dataclass"], f"has a new field {name} without a default")
        object.__setattr__(value, name, content)
    return value


def _model(value: Any, kind: type[Any]) -> dict[str, Any] | None:
    """A pydantic model, if its own JSON gives back an equal one; without importing pydantic."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not isinstance(value, pydantic.BaseModel) or reference(kind) is None:
        return None
    try:
        text = value.model_dump_json(round_trip=True, warnings="error")
        same = kind.model_validate_json(text) == value
    except Exception:  # noqa: BLE001 - a model's own validators and serializers may raise anything
        return None
    return {"$model": reference(kind), "json": text} if same else None


def _model_back(data: dict[str, Any]) -> Any:
    kind: Any = required(data["$model"], "model")
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not issubclass(kind, pydantic.BaseModel):
        raise _changed(data["$model"], "is no pydantic model any more")
    try:
        return kind.model_validate_json(data["json"])
    except ValueError as error:
        raise _changed(data["$model"], f"does not take what was stored: {error}") from error


def _changed(text: str, how: str) -> MaterializerError:
    return MaterializerError(
        f"{text.replace(':', '.')} {how}: it has changed since the artifact was stored",
        hint="load it with the code that stored it, or run the step that made it again",
        name=text,
    )


_SIMPLE: dict[type[Any], Callable[[Any], dict[str, Any] | None]] = {
    bytes: lambda value: {"$bytes": base64.b64encode(value).decode()},
    bytearray: lambda value: {"$bytearray": base64.b64encode(value).decode()},
    complex: lambda value: {"$complex": [repr(value.real), repr(value.imag)]},
    datetime: _zoned,
    date: lambda value: {"$date": value.isoformat()},
    time: _time,
    timedelta: lambda value: {"$timedelta": [value.days, value.seconds, value.microseconds]},
    Decimal: lambda value: {"$decimal": str(value)},
    UUID: lambda value: {"$uuid": str(value)},
    range: lambda value: {"$range": [value.start, value.stop, value.step]},
}

_BACK: dict[str, Callable[[dict[str, Any]], Any]] = {
    "$int": lambda data: int(data["$int"], 16),
    "$float": lambda data: float(data["$float"]),
    "$bytes": lambda data: base64.b64decode(data["$bytes"], validate=True),
    "$bytearray": lambda data: bytearray(base64.b64decode(data["$bytearray"], validate=True)),
    "$complex": lambda data: complex(*map(float, data["$complex"])),
    "$datetime": _datetime,
    "$date": lambda data: date.fromisoformat(data["$date"]),
    "$time": lambda data: time.fromisoformat(data["$time"]),
    "$timedelta": lambda data: timedelta(*data["$timedelta"]),
    "$decimal": lambda data: Decimal(data["$decimal"]),
    "$uuid": lambda data: UUID(data["$uuid"]),
    "$range": lambda data: range(*data["$range"]),
    "$tuple": lambda data: tuple(data["$tuple"]),
    "$set": lambda data: set(data["$set"]),
    "$frozenset": lambda data: frozenset(data["$frozenset"]),
    "$dict": lambda data: dict(data["$dict"]),
    "$ordered": lambda data: OrderedDict(data["$ordered"]),
    "$enum": _enum_back,
    "$dataclass": _dataclass_back,
    "$model": _model_back,
}


def plain(value: Any) -> Any:
    """A value for a record, as JSON; only what needs no files of its own.

    Raises:
        Unencodable: it needs some, or contains itself.
    """
    try:
        return Encoder().encode(value)
    except RecursionError:
        raise Unencodable("it is nested too deeply") from None
