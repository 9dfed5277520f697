"""Putting a pipeline together: a call of a step notes what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from stacks.artifacts import ArtifactVersion
from stacks.artifacts.names import check_name
from stacks.errors import PipelineError
from stacks.materializers.codec import Unencodable, plain

if TYPE_CHECKING:
    from stacks.pipelines.steps import Step


class StepArtifact:
    """The output of a step that has not run yet: it can be given to other steps, and nothing else."""

    def __init__(self, step: str, output: str) -> None:
        self.step = step
        self.output = output

    def __repr__(self) -> str:
        return f"<output {self.output!r} of the step {self.step!r}>"

    def _not_yet(self, *_: object) -> NoReturn:
        raise PipelineError(
            f"{self!r} has no value while the pipeline is put together",
            hint="do this in a step: within a pipeline, outputs can only be given to steps",
        )

    __bool__ = __iter__ = __len__ = __getitem__ = __contains__ = __add__ = __radd__ = _not_yet
    __lt__ = __gt__ = __le__ = __ge__ = __int__ = __float__ = __call__ = _not_yet
    __hash__ = object.__hash__


Source = StepArtifact | ArtifactVersion

DEFAULT = {"$default": True}
"""How a record shows a default that is not plain; what is plain is never written so."""


@dataclass(slots=True)
class Invocation:
    """One call of a step in a pipeline; in its arguments, what comes from other steps is to be filled in."""

    name: str
    step: Step
    arguments: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The arguments that are plain, as JSON; in the others, what is plain beside the inputs."""
    inputs: Mapping[str, Source] = field(default_factory=dict)
    """What comes from steps, or from the store, by parameter: ``data``, or ``data[0]`` within a list."""
    after: tuple[str, ...] = ()


class Graph:
    """The steps of one run in the order of their calls, which is an order in which they can run."""

    def __init__(self, pipeline: str, enable_cache: bool | None = None) -> None:
        self.pipeline = pipeline
        self.enable_cache = enable_cache
        self.invocations: dict[str, Invocation] = {}
        self._calls: dict[str, int] = {}  # how often a name was given, so that a long loop stays quick

    def add(
        self,
        step: Step,
        arguments: Mapping[str, Any],
        defaults: frozenset[str],
        name: str | None,
        after: Any,
    ) -> StepArtifact | tuple[StepArtifact, ...] | None:
        """Note a call, and return handles of its outputs.

        Raises:
            PipelineError: an argument that is neither plain nor an output, a name that is taken.
            InvalidNameError: the artifact of an output would have too long a name.
        """
        chosen = self._name(step, name)
        for output in step.outputs.each:
            output.artifact(self.pipeline, chosen)  # told before anything runs
        parameters: dict[str, Any] = {}
        inputs: dict[str, Source] = {}
        for parameter, value in arguments.items():
            found = dict(_sources(value, parameter))
            self._check(found, chosen)
            inputs.update(found)
            if parameter not in found:  # else it is an output itself
                parameters[parameter] = _plain(value, parameter, chosen, default=parameter in defaults)
        before = tuple(self._before(one, chosen) for one in _listed(after))
        self.invocations[chosen] = Invocation(chosen, step, arguments, parameters, inputs, before)
        handles = tuple(StepArtifact(chosen, one.name) for one in step.outputs.each)
        if step.outputs.several:
            return handles
        return handles[0] if handles else None

    def _name(self, step: Step, wanted: str | None) -> str:
        if wanted is not None:
            if check_name(wanted, "a step") in self.invocations:
                raise PipelineError(
                    f"the pipeline {self.pipeline} has two steps {wanted!r}",
                    hint="give each call an id of its own",
                )
            return check_name(wanted, "a step")
        name, number = step.name, self._calls.get(step.name, 1)
        while name in self.invocations:
            number += 1
            name = f"{step.name}_{number}"
        self._calls[step.name] = number
        return name

    def _check(self, found: Mapping[str, Source], name: str) -> None:
        for parameter, source in found.items():
            if isinstance(source, StepArtifact) and source.step not in self.invocations:
                raise PipelineError(
                    f"{parameter} of the step {name} is {source!r}, which is a step of another run",
                    hint="call both steps within the same pipeline",
                )

    def _before(self, one: Any, name: str) -> str:
        before = one.step if isinstance(one, StepArtifact) else str(one)
        if before not in self.invocations:
            raise PipelineError(
                f"the step {name} is to run after {before!r}, which is no earlier step of this pipeline",
                hint=f"steps so far: {', '.join(self.invocations) or 'none'}",
            )
        return before


building: ContextVar[Graph | None] = ContextVar("stacks_pipeline_being_built", default=None)
"""The pipeline that is being put together here, if one is."""


def _listed(after: Any) -> Sequence[Any]:
    if after is None:
        return ()
    return list(after) if isinstance(after, list | tuple) else [after]


def _sources(value: Any, place: str) -> Iterator[tuple[str, Source]]:
    """The outputs within an argument, with where they are in it."""
    if isinstance(value, StepArtifact | ArtifactVersion):
        yield place, value
    elif type(value) in (list, tuple):
        for number, one in enumerate(value):
            yield from _sources(one, f"{place}[{number}]")
    elif type(value) is dict:
        for key, one in value.items():
            yield from _sources(one, f"{place}[{key!r}]")


def filled(value: Any, place: str, values: Mapping[str, Any]) -> Any:
    """An argument with the values of its inputs in their places."""
    if isinstance(value, StepArtifact | ArtifactVersion):
        return values[place]
    if type(value) in (list, tuple):
        return type(value)(filled(one, f"{place}[{number}]", values) for number, one in enumerate(value))
    if type(value) is dict:
        return {key: filled(one, f"{place}[{key!r}]", values) for key, one in value.items()}
    return value


def _hollow(value: Any) -> Any:
    """The same with nothing in the places of outputs: what is plain in it counts as a parameter."""
    if isinstance(value, StepArtifact | ArtifactVersion):
        return None
    if type(value) in (list, tuple):
        return type(value)(_hollow(one) for one in value)
    if type(value) is dict:
        return {key: _hollow(one) for key, one in value.items()}
    return value


def _plain(value: Any, parameter: str, step: str, *, default: bool) -> Any:
    try:
        return plain(_hollow(value))
    except Unencodable as reason:
        if default:
            return dict(DEFAULT)
        raise PipelineError(
            f"{parameter} of the step {step} is a {type(value).__qualname__}: {reason}",
            hint="parameters are plain values; let a step return this, and give its output to this one",
        ) from None
