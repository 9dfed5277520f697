"""``@step``: a function whose outputs are artifacts when it is called within a pipeline."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, overload

from stacks.artifacts.names import check_name
from stacks.errors import PipelineError
from stacks.materializers import BaseMaterializer
from stacks.pipelines.code import Decorated
from stacks.pipelines.declared import Outputs, outputs_of
from stacks.pipelines.graph import building

Materializers = type[BaseMaterializer] | Mapping[str, type[BaseMaterializer]]


@dataclass(frozen=True, slots=True)
class StepOptions:
    """What can be said of a step besides its code; None leaves it to the pipeline."""

    enable_cache: bool | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    output_materializers: Materializers | None = None
    on_failure: Callable[[BaseException], Any] | None = None
    on_success: Callable[[], Any] | None = None


class Step(Decorated):
    """A step. Within a pipeline a call notes what is to be run; anywhere else it calls the function."""

    __name__: str

    def __init__(self, function: Callable[..., Any], name: str, options: StepOptions) -> None:
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise PipelineError(
                f"the step {name} is a coroutine or a generator", hint="return a value, for example a list"
            )
        self.function = function
        self.name = check_name(name, "a step")
        self.options = options
        functools.update_wrapper(self, function, updated=())  # a function's attributes are not ours

    def __repr__(self) -> str:
        return f"<step {self.name}>"

    @cached_property
    def outputs(self) -> Outputs:
        """What its annotation declares."""
        return outputs_of(self.function)

    @cached_property
    def signature(self) -> inspect.Signature:
        """The signature of the function."""
        return inspect.signature(self.function)

    @property
    def entrypoint(self) -> Callable[..., Any]:
        """The function itself."""
        return self.function

    def materializer(self, output: str) -> type[BaseMaterializer] | None:
        """The one that was asked for."""
        chosen = self.options.output_materializers
        return chosen.get(output) if isinstance(chosen, Mapping) else chosen

    def with_options(self, *, name: str | None = None, **options: Any) -> Step:
        """The same step with other options: ``name`` and those of ``@step``.

        Raises:
            PipelineError: an option that there is not.
        """
        changed = step_options(self.options, options)
        return Step(self.function, name or self.name, changed)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it; in a pipeline also with ``id``, its name in the run, and ``after``, steps to wait for."""
        graph = building.get()
        if graph is None:
            return self.function(*args, **kwargs)
        own = {
            name: kwargs.pop(name, None) for name in ("id", "after") if name not in self.signature.parameters
        }
        given = {**self.options.parameters, **kwargs}
        try:
            bound = self.signature.bind_partial(*args)
            bound = self.signature.bind(
                *args,
                **{
                    name: value
                    for name, value in given.items()
                    if name not in bound.arguments or name in kwargs
                },
            )
        except TypeError as error:
            raise PipelineError(
                f"the step {self.name}: {error}", hint="it is called as its function is"
            ) from None
        there = set(bound.arguments)
        bound.apply_defaults()
        defaults = frozenset(set(bound.arguments) - there)
        return graph.add(self, dict(bound.arguments), defaults, own.get("id"), own.get("after"))


def step_options(options: StepOptions, changes: Mapping[str, Any]) -> StepOptions:
    """``options`` with ``changes``; raises PipelineError for one that there is not."""
    known = StepOptions.__dataclass_fields__
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise PipelineError(
            f"a step has no option {', '.join(unknown)}", hint=f"there are: name, {', '.join(known)}"
        )
    materializers = changes.get("output_materializers")
    several = materializers.values() if isinstance(materializers, Mapping) else [materializers]
    for one in several:
        if one is not None and not (isinstance(one, type) and issubclass(one, BaseMaterializer)):
            raise PipelineError(
                f"{one!r} is no materializer",
                hint="derive it from stacks.BaseMaterializer, and name the class",
            )
    return replace(options, **changes)


@overload
def step(function: Callable[..., Any], /) -> Step: ...
@overload
def step(
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    parameters: Mapping[str, Any] | None = None,
    output_materializers: Materializers | None = None,
    on_failure: Callable[[BaseException], Any] | None = None,
    on_success: Callable[[], Any] | None = None,
) -> Callable[[Callable[..., Any]], Step]: ...
def step(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any
) -> Step | Callable[[Callable[..., Any]], Step]:
    """Make a function a step.

    ``name`` is the function's unless given; ``enable_cache=False`` runs it every time; ``parameters`` are
    values for arguments that a call leaves out; ``output_materializers`` is one materializer, or one for each
    output by name; ``on_failure(error)`` and ``on_success()`` are called when it has run.

    Raises:
        PipelineError: an option that there is not; a function that is a coroutine or a generator.
        InvalidNameError: a name that cannot be a folder's.
    """

    def make(function: Callable[..., Any]) -> Step:
        given = {key: value for key, value in options.items() if value is not None}
        return Step(function, name or function.__name__, step_options(StepOptions(), given))

    return make if function is None else make(function)
