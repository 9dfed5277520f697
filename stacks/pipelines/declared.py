"""What a step's signature declares: its outputs and their names."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from stacks.artifacts.names import check_name
from stacks.errors import InvalidNameError, PipelineError

DEFAULT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactConfig:
    """More about an output than its name: ``Annotated[Model, ArtifactConfig(name="model", tags=["v1"])]``."""

    name: str | None = None
    tags: Sequence[str] = ()
    run_metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """One output; ``named`` when the artifact is called so too, whatever the pipeline."""

    name: str
    named: bool = False
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def artifact(self, pipeline: str, step: str) -> str:
        """The name of its artifact; raises InvalidNameError if it would be too long."""
        if self.named:
            return self.name
        try:
            return check_name(f"{pipeline}::{step}::{self.name}", "an artifact")
        except InvalidNameError as error:
            raise InvalidNameError(
                f"an output of the step {step} in the pipeline {pipeline}: {error.message}",
                hint='shorten their names, or name the output: -> Annotated[TYPE, "name"]',
            ) from None


@dataclass(frozen=True, slots=True)
class Outputs:
    """All outputs; ``several`` when the step returns a tuple with one value for each."""

    each: tuple[Output, ...]
    several: bool = False


def outputs_of(function: Callable[..., Any]) -> Outputs:
    """The outputs that a function declares by its return annotation.

    None without outputs, one value, or a tuple with one for each: where its members are ``Annotated`` with
    names, or every ``return`` is written as a tuple.

    Raises:
        PipelineError: the annotation cannot be evaluated, or two outputs have one name.
        InvalidNameError: a name that cannot be a folder's.
    """
    declared = _annotation(function)
    if declared is None or declared is type(None):
        return Outputs(())
    if declared is inspect.Signature.empty:
        return Outputs((Output(DEFAULT),))
    members = get_args(declared) if get_origin(declared) is tuple else ()
    if members and Ellipsis not in members:
        configs = [_config(member) for member in members]
        if any(configs) or _returns_tuples(function):
            found = tuple(_output(config, f"{DEFAULT}_{place}") for place, config in enumerate(configs))
            names = [one.name for one in found]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise PipelineError(
                    f"the step {function.__name__} has two outputs {twice!r}",
                    hint="name each of them differently",
                )
            return Outputs(found, several=True)
    return Outputs((_output(_config(declared), DEFAULT),))


def _annotation(function: Callable[..., Any]) -> Any:
    raw = inspect.signature(function).return_annotation
    if not isinstance(raw, str):
        return raw
    try:
        # With what the function itself sees; its parameters' annotations do not matter here.
        bare = types.SimpleNamespace(__annotations__={"return": raw})
        names = _Names(_names(function))
        return typing.get_type_hints(bare, globalns={}, localns=names, include_extras=True)["return"]
    except Exception as error:  # an annotation is an expression, and may raise anything
        raise PipelineError(
            f"the return annotation {raw!r} of the step {function.__name__} cannot be evaluated: {error}",
            hint="write it as it would be evaluated, for example tuple[Annotated[int, 'a'], int]",
        ) from error


class _Names(dict[str, Any]):
    """What an annotation may name. What is not there is any type: only names of outputs matter here.

    So a class made within the function that makes the step will do, and one imported for type checkers alone.
    """

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, Any)


def _names(function: Callable[..., Any]) -> dict[str, Any]:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    found = dict(function.__globals__)
    for name, cell in cells.items():
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue  # not assigned yet
    return found


def _config(annotation: Any) -> ArtifactConfig | None:
    if get_origin(annotation) is not Annotated:
        return None
    for one in get_args(annotation)[1:]:
        if isinstance(one, ArtifactConfig):
            return one
        if isinstance(one, str):
            return ArtifactConfig(name=one)
    return None


def _output(config: ArtifactConfig | None, default: str) -> Output:
    if config is None:
        return Output(default)
    name = default if config.name is None else check_name(config.name, "an artifact")
    return Output(name, config.name is not None, tuple(config.tags), dict(config.run_metadata))


def _returns_tuples(function: Callable[..., Any]) -> bool:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    found = _returns(tree.body[0])
    return bool(found) and all(isinstance(one.value, ast.Tuple) for one in found)


def _returns(node: ast.AST) -> list[ast.Return]:
    found: list[ast.Return] = []
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.Return):
            found.append(below)
        elif not isinstance(below, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            found.extend(_returns(below))
    return found
