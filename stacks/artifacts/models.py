"""Artifact versions, runs and steps as programs see them; what they lead to is read when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from stacks.artifacts.records import ArtifactRecord, Failure, Ref, RunRecord, StepRecord
from stacks.errors import ArtifactNotFoundError
from stacks.materializers import ArtifactFiles
from stacks.materializers.classes import found
from stacks.materializers.registry import materializer_named

if TYPE_CHECKING:
    from stacks.artifacts.history import History
    from stacks.artifacts.runs import RunHistory

T = TypeVar("T")


class Page(Sequence[T], Generic[T]):
    """Some of the results, in their order: ``total`` is how many there are on all pages."""

    def __init__(self, items: Sequence[T], total: int, page: int, size: int | None) -> None:
        self.items = tuple(items)
        self.total = total
        self.page = page
        self.size = size

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return -(-self.total // self.size) if self.size else 1

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"Page({list(self.items)!r}, page={self.page} of {self.pages}, total={self.total})"


class ArtifactVersion:
    """One version of an artifact. It never changes: what is loaded is compared with its record."""

    def __init__(self, history: History, record: ArtifactRecord) -> None:
        self._history = history
        self.record = record

    def __repr__(self) -> str:
        return f"ArtifactVersion({self.name!r}, version={self.version!r}, uri={self.uri!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactVersion) and self.record.id == other.record.id

    def __hash__(self) -> int:
        return hash(self.record.id)

    @property
    def name(self) -> str:
        """The artifact's name."""
        return self.record.name

    @property
    def version(self) -> str:
        """The version, as text; ``number`` is the same as an integer."""
        return str(self.record.version)

    @property
    def number(self) -> int:
        """The version as an integer: later ones are higher."""
        return self.record.version

    @property
    def id(self) -> str:
        """What no other artifact version has."""
        return self.record.id

    @property
    def created(self) -> datetime:
        """When it was complete, by the clock of its writer."""
        return self.record.created

    @property
    def uri(self) -> str:
        """The folder of its files, in this store."""
        return f"{self._history.store.path}/{self.record.path}"

    @property
    def type(self) -> str:
        """The type of the value, as ``module.Class``."""
        return self.record.type.replace(":", ".").removeprefix("builtins.")

    @property
    def materializer(self) -> str:
        """What stored it: the name of a built-in materializer, or ``module:Class``."""
        return self.record.materializer

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self.record.size

    @property
    def digest(self) -> str:
        """The SHA-256 of its content."""
        return self.record.digest

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self.record.tags

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What its materializer, or who saved it, knew about it."""
        return self.record.metadata

    def load(self, *, allow_pickle: bool = True) -> Any:
        """The value.

        Every file is compared with its record before anything reads it. Code runs only when the value was
        stored by cloudpickle: ``allow_pickle=False`` refuses that.

        Raises:
            DamagedArtifactError: a file is missing, or is not what was stored.
            MaterializerError: a class it needs is not imported here, or it is a pickle and refused.
        """
        kind = materializer_named(self.materializer)
        files = ArtifactFiles(self._history.store, self.uri, self.record.files, allow_pickle=allow_pickle)
        return kind(self.uri, files).load(found(self.record.type) or object)

    def verify(self) -> None:
        """Reads all files and compares them with the record.

        Raises:
            DamagedArtifactError: one is missing, or is not what was stored.
        """
        self._history.verify(self.record)

    @property
    def run(self) -> PipelineRun | None:
        """The run that made it; None for one that was saved by hand.

        Raises:
            ArtifactNotFoundError: the run has been deleted.
        """
        by = self.record.producer
        return None if by is None else self._history.run(by.pipeline, by.run)

    @property
    def producer_step(self) -> StepRun | None:
        """The step that made it; None for one that was saved by hand."""
        by, run = self.record.producer, self.run
        if by is None or run is None:
            return None
        if by.step not in run.steps:
            raise ArtifactNotFoundError(f"the run {by.run} has no step {by.step}", name=by.run)
        return run.steps[by.step]

    def used_by(self) -> list[StepRun]:
        """The steps of all runs that took it as an input. Reads the record of every run of the store."""
        return [
            step
            for run in self._history.runs_referring(self.record.ref)
            for step in run.steps.values()
            if self.record.ref in step.record.inputs.values()
        ]


class StepRun:
    """One step of one run."""

    def __init__(self, run: PipelineRun, record: StepRecord) -> None:
        self._run = run
        self.record = record
        self._held: dict[str, dict[str, ArtifactVersion]] = {}

    def __repr__(self) -> str:
        return f"StepRun({self.name!r}, status={self.status!r}, run={self._run.name!r})"

    @property
    def run(self) -> PipelineRun:
        """The run it belongs to."""
        return self._run

    @property
    def name(self) -> str:
        """Its name in the run."""
        return self.record.name

    @property
    def status(self) -> str:
        """``completed``, ``cached``, ``failed``, ``stopped``, ``running``, or ``pending``: not run."""
        return self.record.status

    @property
    def started(self) -> datetime | None:
        """When it began."""
        return self.record.started

    @property
    def ended(self) -> datetime | None:
        """When it ended."""
        return self.record.ended

    @property
    def duration(self) -> timedelta | None:
        """How long it took."""
        return _between(self.started, self.ended)

    @property
    def cache_key(self) -> str | None:
        """What an identical step has too."""
        return self.record.cache_key

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its plain arguments, as JSON."""
        return self.record.parameters

    @property
    def error(self) -> Failure | None:
        """Why it failed."""
        return self.record.error

    @property
    def inputs(self) -> Mapping[str, ArtifactVersion]:
        """The artifacts it was given, by parameter."""
        return self._artifacts("inputs", self.record.inputs)

    @property
    def outputs(self) -> Mapping[str, ArtifactVersion]:
        """The artifacts it made, or took from the cache, by output name."""
        return self._artifacts("outputs", self.record.outputs)

    @property
    def output(self) -> ArtifactVersion:
        """Its only output.

        Raises:
            ArtifactNotFoundError: it has none, or several.
        """
        if len(self.record.outputs) != 1:
            names = ", ".join(self.record.outputs) or "none"
            raise ArtifactNotFoundError(
                f"the step {self.name} has not one output but: {names}",
                hint="use outputs[NAME]",
                name=self.name,
            )
        return next(iter(self.outputs.values()))

    def _artifacts(self, which: str, refs: Mapping[str, Ref]) -> Mapping[str, ArtifactVersion]:
        if which not in self._held:
            found = self._run.history.versions_of(list(refs.values()))
            self._held[which] = dict(zip(refs, found, strict=True))
        return self._held[which]


class PipelineRun:
    """One run of a pipeline."""

    def __init__(self, history: RunHistory, record: RunRecord) -> None:
        self.history = history
        self.record = record
        self.steps = {name: StepRun(self, step) for name, step in record.steps.items()}

    def __repr__(self) -> str:
        return f"PipelineRun({self.name!r}, pipeline={self.pipeline!r}, status={self.status!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelineRun) and self.record.id == other.record.id

    def __hash__(self) -> int:
        return hash(self.record.id)

    @property
    def name(self) -> str:
        """Its name, which no other run of the pipeline has."""
        return self.record.name

    @property
    def id(self) -> str:
        """What no other run has."""
        return self.record.id

    @property
    def pipeline(self) -> str:
        """The name of the pipeline."""
        return self.record.pipeline

    @property
    def status(self) -> str:
        """``running``, ``completed``, ``failed`` or ``stopped``."""
        return self.record.status

    @property
    def created(self) -> datetime:
        """When it began."""
        return self.record.created

    @property
    def ended(self) -> datetime | None:
        """When it ended."""
        return self.record.ended

    @property
    def duration(self) -> timedelta | None:
        """How long it took."""
        return _between(self.created, self.ended)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The arguments of the pipeline, as JSON."""
        return self.record.parameters

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags."""
        return self.record.tags

    @property
    def error(self) -> Failure | None:
        """Why it failed."""
        return self.record.error


def _between(begun: datetime | None, ended: datetime | None) -> timedelta | None:
    return None if begun is None or ended is None else ended - begun
