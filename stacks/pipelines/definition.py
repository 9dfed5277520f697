"""``@pipeline``: a function that calls steps; calling it runs them on the active stack."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from stacks.artifacts import PipelineRun
from stacks.artifacts.names import check_name
from stacks.errors import PipelineError
from stacks.materializers.codec import Unencodable, plain
from stacks.pipelines.code import Decorated
from stacks.pipelines.graph import Graph, building
from stacks.pipelines.here import client


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What can be said of a run besides the pipeline's code."""

    run_name: str | None = None
    enable_cache: bool | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    on_failure: Callable[[BaseException], Any] | None = None
    on_success: Callable[[], Any] | None = None


class Pipeline(Decorated):
    """A pipeline. A call runs it; within another pipeline it adds its steps to that one."""

    def __init__(self, function: Callable[..., Any], name: str, options: PipelineOptions) -> None:
        self.function = function
        self.name = check_name(name, "a pipeline")
        self.options = options
        functools.update_wrapper(self, function, updated=())  # a function's attributes are not ours

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    @property
    def entrypoint(self) -> Callable[..., Any]:
        """The function itself."""
        return self.function

    def with_options(self, **options: Any) -> Pipeline:
        """The same pipeline with other options: ``run_name`` and those of ``@pipeline``.

        Raises:
            PipelineError: an option that there is not.
        """
        return Pipeline(self.function, self.name, pipeline_options(self.options, options))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it on the active stack, and return the run.

        Raises:
            PipelineError: steps that do not fit together, or an orchestrator that there is not.
            RunExistsError: a run of that name is recorded.
            Exception: whatever a step raises; the run is recorded as failed.
        """
        from stacks.pipelines.running import run_pipeline

        given = {**self.options.parameters, **kwargs}
        if building.get() is not None:
            return self.function(*args, **given)
        graph = Graph(self.name, self.options.enable_cache)
        mark = building.set(graph)
        try:
            self.function(*args, **given)
        finally:
            building.reset(mark)
        if not graph.invocations:
            raise PipelineError(
                f"the pipeline {self.name} calls no step",
                hint="call functions with the decorator @step in it, and not their entrypoints",
            )
        return self._run(run_pipeline, graph, args, given)

    def _run(
        self,
        run_pipeline: Callable[..., PipelineRun],
        graph: Graph,
        args: Sequence[Any],
        given: Mapping[str, Any],
    ) -> PipelineRun:
        stack = client().active_stack
        if stack.orchestrator != "default":
            raise PipelineError(
                f"the stack {stack.name} names the orchestrator {stack.orchestrator!r}, which is not there",
                hint=f"run it in this process: provision stack update {stack.name} -o default",
            )
        bound = inspect.signature(self.function).bind(*args, **given)
        bound.apply_defaults()
        parameters = {name: _shown(value) for name, value in bound.arguments.items()}
        return run_pipeline(graph, stack, self.options, parameters)


def _shown(value: Any) -> Any:
    try:
        return plain(value)
    except Unencodable:
        return {"$type": type(value).__qualname__}


def pipeline_options(options: PipelineOptions, changes: Mapping[str, Any]) -> PipelineOptions:
    """``options`` with ``changes``; raises PipelineError for one that there is not."""
    known = PipelineOptions.__dataclass_fields__
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise PipelineError(
            f"a pipeline has no option {', '.join(unknown)}", hint=f"there are: {', '.join(known)}"
        )
    return replace(options, **changes)


@overload
def pipeline(function: Callable[..., Any], /) -> Pipeline: ...
@overload
def pipeline(
    *,
    name: str | None = None,
    enable_cache: bool | None = None,
    tags: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    on_failure: Callable[[BaseException], Any] | None = None,
    on_success: Callable[[], Any] | None = None,
) -> Callable[[Callable[..., Any]], Pipeline]: ...
def pipeline(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, **options: Any
) -> Pipeline | Callable[[Callable[..., Any]], Pipeline]:
    """Make a function that calls steps a pipeline.

    ``name`` is the function's unless given; ``enable_cache`` holds for steps that say nothing themselves;
    ``tags`` are those of its runs; ``on_failure(error)`` and ``on_success()`` are called when it has run.

    Raises:
        PipelineError: an option that there is not.
        InvalidNameError: a name that cannot be a folder's.
    """

    def make(function: Callable[..., Any]) -> Pipeline:
        given = {key: value for key, value in options.items() if value is not None}
        return Pipeline(function, name or function.__name__, pipeline_options(PipelineOptions(), given))

    return make if function is None else make(function)
