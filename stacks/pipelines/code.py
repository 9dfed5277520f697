"""The code of a step, as far as it decides whether two steps are the same."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import types
import weakref
from collections.abc import Callable
from typing import Any

from stacks.materializers.codec import Unencodable, plain


class Unknowable(Exception):  # noqa: N818 - an answer: such a step is not cached
    """What a function does depends on something that has no text."""


def code_of(function: Callable[..., Any]) -> list[Any]:
    """The source of a function without its decorators and indentation, and the values it closes over.

    Bytecode of this Python where there is no source. What the function calls is not part of it.

    Raises:
        Unknowable: it closes over a value that is neither plain nor a function.
    """
    return [_text(function), [[name, _enclosed(cell)] for name, cell in _cells(function)]]


def _text(function: Callable[..., Any]) -> str:
    code = function.__code__
    if code not in _texts:
        _texts[code] = _read_text(function)
    return _texts[code]


_texts: weakref.WeakKeyDictionary[types.CodeType, str] = weakref.WeakKeyDictionary()


def _read_text(function: Callable[..., Any]) -> str:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        node = ast.parse(source).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return _bytecode(function.__code__)
    # From the line of `def` on: options in the decorator do not change what the function does.
    lines = source.splitlines()[getattr(node, "lineno", 1) - 1 :]
    return "\n".join(line.rstrip() for line in lines).strip()


def _bytecode(code: types.CodeType) -> str:
    inner = [_bytecode(one) if isinstance(one, types.CodeType) else repr(one) for one in code.co_consts]
    return repr((sys.version_info[:2], code.co_code, inner, code.co_names, code.co_varnames))


def _cells(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    return list(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))


def _enclosed(cell: Any) -> Any:
    try:
        value = cell.cell_contents
    except ValueError:
        return {"$unset": True}
    if isinstance(value, type):
        return {"$class": f"{value.__module__}:{value.__qualname__}"}
    inner = getattr(value, "function", value)  # a step within a step
    if isinstance(inner, types.FunctionType):
        return {"$function": _text(inner)}
    try:
        return plain(value)
    except Unencodable as reason:
        raise Unknowable(str(reason)) from None
