"""The code of a step, as far as it decides whether two steps are the same."""

from __future__ import annotations

import hashlib
import inspect
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

from stacks.materializers.codec import Unencodable, plain


class Unknowable(Exception):  # noqa: N818 - an answer: such a step is not cached
    """What a function does depends on something that nobody can compare."""


class Decorated:
    """A function under one of our decorators: what counts of it is the function."""

    function: Callable[..., Any]


def code_of(function: Callable[..., Any]) -> list[Any]:
    """What the interpreter runs of a function, and the values that it closes over.

    Its bytecode, and not its source: that is read from a file, which may have been edited since. Of functions
    that it closes over, decorated ones as well, the same and their defaults. What it calls by a global name
    is not part of it.

    Raises:
        Unknowable: it is no function, or closes over what is neither plain, nor a function, nor a class with
            a name of its own.
    """
    return _Reader().code(function)


def identity_of(value: Any) -> Any:
    """What makes a value the same as another, as JSON: itself, a function's code, or a name of its own.

    Raises:
        Unknowable: it is none of these.
    """
    return _Reader().value(value)


class _Reader:
    """Reads one function with all that it closes over; a function that it meets again is a number."""

    def __init__(self) -> None:
        self._met: dict[int, int] = {}

    def code(self, function: Any) -> list[Any]:
        if isinstance(function, types.MethodType):
            return [self.code(function.__func__), self.value(function.__self__)]
        if not isinstance(function, types.FunctionType):
            raise Unknowable(f"a {type(function).__qualname__} is no function with a code of its own")
        if id(function) in self._met:
            return [self._met[id(function)]]
        self._met[id(function)] = len(self._met)
        names = function.__code__.co_freevars
        cells = zip(names, function.__closure__ or (), strict=True)
        return [_digest(function.__code__), [[name, self._cell(cell)] for name, cell in cells]]

    def value(self, value: Any) -> Any:
        if isinstance(value, type):
            if "<locals>" in value.__qualname__:
                raise Unknowable(f"many classes may be called {value.__qualname__}")
            return {"$class": f"{value.__module__}:{value.__qualname__}"}
        if isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType):
            return {"$builtin": f"{value.__self__.__name__}:{value.__name__}"}
        inner = value.function if isinstance(value, Decorated) else value
        if isinstance(inner, types.FunctionType | types.MethodType):
            return {"$function": self.code(inner), "defaults": self._defaults(inner)}
        try:
            return plain(value)
        except Unencodable as reason:
            raise Unknowable(str(reason)) from None

    def _cell(self, cell: Any) -> Any:
        try:
            value = cell.cell_contents
        except ValueError:
            return {"$unset": True}
        return self.value(value)

    def _defaults(self, function: Any) -> list[Any]:
        """Of a step itself they are parameters; of another function nothing else tells of them."""
        by_name = function.__kwdefaults__ or {}
        return [
            [self.value(one) for one in function.__defaults__ or ()],
            [[name, self.value(one)] for name, one in by_name.items()],
        ]


def _digest(code: types.CodeType) -> str:
    if code not in _digests:
        told = repr((sys.implementation.cache_tag, _shape(code)))
        _digests[code] = hashlib.sha256(told.encode()).hexdigest()
    return _digests[code]


_digests: weakref.WeakKeyDictionary[types.CodeType, str] = weakref.WeakKeyDictionary()

# Which kind of function it is. Other flags say where it stands, and what was imported from __future__.
_KIND = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)


def _shape(code: types.CodeType) -> tuple[Any, ...]:
    """All of a code object but where its text is: files, lines, and the names of what is around it."""
    return (
        code.co_name,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & _KIND,
        code.co_code,
        getattr(code, "co_exceptiontable", b""),
        tuple(_constant(one) for one in code.co_consts),
        code.co_names,
        code.co_varnames,
        code.co_cellvars,
        code.co_freevars,
    )


def _constant(value: Any) -> Any:
    """A constant as what ``repr`` tells from all others, in every process: of sets it tells no order."""
    if isinstance(value, types.CodeType):
        return ("code", *_shape(value))
    if isinstance(value, tuple):
        return ("tuple", *map(_constant, value))
    if isinstance(value, frozenset):
        return ("frozenset", *sorted(repr(_constant(one)) for one in value))
    return (type(value).__name__, repr(value))
