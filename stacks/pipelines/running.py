"""The orchestrator `default`: the steps of a run, one after the other, in this process."""

from __future__ import annotations

import logging
import platform
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from stacks.artifacts import ArtifactVersion, History, PipelineRun
from stacks.artifacts.machine import host, this_process, user
from stacks.artifacts.names import check_name
from stacks.artifacts.records import (
    CACHED,
    COMPLETED,
    FAILED,
    RUNNING,
    STOPPED,
    ArtifactRecord,
    Failure,
    Producer,
    Ref,
    RunRecord,
    StepRecord,
    now,
)
from stacks.artifacts.writing import save_version
from stacks.errors import DamagedArtifactError, PipelineError, RunExistsError
from stacks.pipelines.cache import cache_key, cached_outputs, remember
from stacks.pipelines.context import StepContext, running
from stacks.pipelines.declared import Output
from stacks.pipelines.definition import PipelineOptions
from stacks.pipelines.graph import Graph, Invocation, StepArtifact, filled
from stacks.pipelines.journal import Journal
from stacks.pipelines.parameters import shown
from stacks.stack import Stack
from stacks.stores.parallel import run_all

logger = logging.getLogger(__name__)

_SCALARS = (type(None), bool, int, float, str, bytes)
_MESSAGE = 2000  # characters of an error that are recorded


def run_pipeline(
    graph: Graph, stack: Stack, options: PipelineOptions, parameters: Mapping[str, Any]
) -> PipelineRun:
    """Run all steps; the first that fails ends the run, and its exception reaches the caller.

    Raises:
        RunExistsError: a run of that name is recorded.
        Exception: whatever a step, or a hook, raises.
    """
    history = History(stack.artifact_store)
    record, journal = _begin(graph, stack, options, parameters)
    logger.info("run %s of the pipeline %s on the stack %s", record.name, record.pipeline, stack.name)
    try:
        _Steps(graph, history, record, journal).run()
    except BaseException as error:
        record.status = FAILED if isinstance(error, Exception) else STOPPED
        record.error, record.ended = _failure(error), now()
        _tell(options.on_failure, error)
        try:
            journal.end()
        except Exception as more:  # noqa: BLE001 - the failure that led here is the one to be heard
            logger.warning("that the run %s has failed is not recorded: %s", record.name, more)
        raise
    record.status, record.ended = COMPLETED, now()
    journal.end()
    if options.on_success is not None:
        options.on_success()
    return PipelineRun(history, record)


def _begin(
    graph: Graph, stack: Stack, options: PipelineOptions, parameters: Mapping[str, Any]
) -> tuple[RunRecord, Journal]:
    while True:
        created = now()
        pattern = options.run_name or f"{graph.pipeline}-{{date}}-{{time}}"
        name = pattern.replace("{date}", f"{created:%Y_%m_%d}").replace("{time}", f"{created:%H_%M_%S_%f}")
        record = RunRecord(
            id=uuid.uuid4().hex,
            name=check_name(name, "a run"),
            pipeline=graph.pipeline,
            created=created,
            parameters=shown(parameters),
            tags=tuple(options.tags),
            stack=stack.name,
            user=user(),
            host=host(),
            process=this_process(),
            python=platform.python_version(),
            steps={
                one.name: StepRecord(
                    one.name,
                    parameters=shown(one.parameters),
                    inputs=_given(one, stack),
                    after=one.after,
                )
                for one in graph.invocations.values()
            },
        )
        journal = Journal(stack.artifact_store, record)
        try:
            journal.begin()
        except RunExistsError:
            if options.run_name is not None:
                raise
            continue  # another one began in the same microsecond
        return record, journal


def _given(invocation: Invocation, stack: Stack) -> dict[str, Ref]:
    """The artifacts of the store that are given to a step: nobody prunes what a run refers to."""
    return {
        place: source.record.ref
        for place, source in invocation.inputs.items()
        if isinstance(source, ArtifactVersion) and _is_of(source, stack.artifact_store.path)
    }


def _is_of(version: ArtifactVersion, store: str) -> bool:
    return version.uri.startswith(f"{store}/")


class _Steps:
    """The steps of one run, and what has come out of them so far."""

    def __init__(self, graph: Graph, history: History, record: RunRecord, journal: Journal) -> None:
        self._graph = graph
        self._history = history
        self._record = record
        self._journal = journal
        self._made: dict[str, dict[str, ArtifactVersion]] = {}
        self._scalars: dict[Ref, Any] = {}
        self._taken: list[Invocation] = []  # from the cache, and not yet said to others
        self._safe = record.references()  # nobody prunes these

    def run(self) -> None:
        for invocation in self._graph.invocations.values():
            self._run(invocation, use_cache=self._cache_is_on(invocation))
        self._secure()

    def _cache_is_on(self, invocation: Invocation) -> bool:
        own = invocation.step.options.enable_cache
        return own if own is not None else self._graph.enable_cache is not False

    def _run(self, invocation: Invocation, *, use_cache: bool) -> None:
        record = self._record.steps[invocation.name]
        record.status, record.started, record.ended, record.error = RUNNING, now(), None, None
        self._journal.note()
        context = StepContext(self._history, self._record.pipeline, self._record.name, invocation.name)
        try:
            self._note_inputs(invocation, record)
            if not (use_cache and self._take_from_cache(invocation, record)):
                if self._secure():
                    self._note_inputs(invocation, record)
                self._execute(invocation, record, context)
        except BaseException as error:
            record.status = FAILED if isinstance(error, Exception) else STOPPED
            record.error = _failure(error)
            record.outputs = {**record.outputs, **context.saved}
            error.add_note(f"in the step {invocation.name} of the run {self._record.name}")
            _tell(invocation.step.options.on_failure, error)
            raise
        finally:
            record.ended = now()
            self._journal.note()
        logger.info("step %s: %s in %s", invocation.name, record.status, record.ended - record.started)

    def _note_inputs(self, invocation: Invocation, record: StepRecord) -> None:
        """Which artifacts go in; with the content of those, the key is known."""
        found = {place: self._source(source) for place, source in invocation.inputs.items()}
        record.inputs = {place: version.record.ref for place, version in found.items()}
        digests = {place: version.digest for place, version in found.items()}
        record.cache_key = cache_key(invocation, digests)

    def _source(self, source: StepArtifact | ArtifactVersion) -> ArtifactVersion:
        if isinstance(source, StepArtifact):
            return self._made[source.step][source.output]
        if not _is_of(source, self._history.store.path):
            raise PipelineError(
                f"the artifact {source.name} lies in another store: {source.uri}",
                hint="load it in a step of this pipeline, or copy it: provision artifact-store migrate",
            )
        return source

    def _take_from_cache(self, invocation: Invocation, record: StepRecord) -> bool:
        if record.cache_key is None:
            return False
        found = cached_outputs(self._history, record.cache_key)
        if found is None:
            return False
        self._made[invocation.name] = found
        outputs = {name: version.record.ref for name, version in found.items()}
        if not self._safe.issuperset(outputs.values()):
            self._taken.append(invocation)
        record.outputs = outputs
        record.status = CACHED
        return True

    def _secure(self) -> bool:
        """Says in the run's record what it took from the cache, and looks then whether that is still there.

        Before a step is at work, and at the end: in one write for all steps that were taken in a row. From
        then on nobody prunes it; see stacks/artifacts/removing.py. Whether steps had to run again, because
        their outputs have gone.
        """
        again = False
        while self._taken:
            taken, self._taken = self._taken, []
            self._journal.write()
            refs = [ref for one in taken for ref in self._record.steps[one.name].outputs.values()]
            there = {
                version.record.ref for version in self._history.versions_of(refs, missing=True, damaged=True)
            }
            gone = [not there >= set(self._record.steps[one.name].outputs.values()) for one in taken]
            self._safe |= there
            if True not in gone:
                break
            again = True
            # And what was taken after it: what goes into it may be another version now.
            for invocation, is_gone in list(zip(taken, gone, strict=True))[gone.index(True) :]:
                self._run(invocation, use_cache=not is_gone)
        if again:
            self._safe = self._record.references()
        return again

    def _execute(self, invocation: Invocation, record: StepRecord, context: StepContext) -> None:
        values = self._load_inputs(invocation, record)
        arguments = {name: filled(value, name, values) for name, value in invocation.arguments.items()}
        bound = invocation.step.signature.bind_partial()
        bound.arguments.update(arguments)
        mark = running.set(context)
        try:
            result = invocation.step.function(*bound.args, **bound.kwargs)
        finally:
            running.reset(mark)
        pairs = _by_output(invocation, result)

        def save(pair: tuple[Output, Any]) -> ArtifactRecord:
            return self._save(invocation, *pair)

        made = run_all(save, pairs, workers=self._history.store.WORKERS)
        found = {output.name: one for (output, _), one in zip(pairs, made, strict=True)}
        self._made[invocation.name] = {
            name: ArtifactVersion(self._history, one) for name, one in found.items()
        }
        for (_, value), one in zip(pairs, made, strict=True):
            if type(value) in _SCALARS:
                self._scalars[one.ref] = value
        record.outputs = {**context.saved, **{name: one.ref for name, one in found.items()}}
        self._safe.update(record.outputs.values())
        record.status = COMPLETED
        if record.cache_key is not None:
            remember(self._history, record.cache_key, record.outputs)
        if invocation.step.options.on_success is not None:
            invocation.step.options.on_success()

    def _save(self, invocation: Invocation, output: Output, value: Any) -> ArtifactRecord:
        pipeline = self._record.pipeline
        return save_version(
            self._history.store,
            output.artifact(pipeline, invocation.name),
            value,
            (pipeline, invocation.name),
            producer=Producer(pipeline, self._record.name, invocation.name, output.name),
            materializer=invocation.step.materializer(output.name),
            tags=output.tags,
            metadata=output.metadata,
        )

    def _load_inputs(self, invocation: Invocation, record: StepRecord) -> dict[str, Any]:
        """The values of the inputs, each loaded anew: no step sees what another one does to its own."""
        while True:
            values: dict[str, Any] = {}
            for place, source in invocation.inputs.items():
                try:
                    values[place] = self._load(self._source(source))
                except DamagedArtifactError as error:
                    if not self._make_again(source, error):
                        raise
                    break  # and all of them anew: the step that was run again may have made other ones, too
            else:
                return values
            self._note_inputs(invocation, record)

    def _load(self, version: ArtifactVersion) -> Any:
        ref = version.record.ref
        return self._scalars[ref] if ref in self._scalars else version.load()

    def _make_again(self, source: StepArtifact | ArtifactVersion, error: DamagedArtifactError) -> bool:
        """Runs the step again whose cached output is damaged; one that ran just now would do it no better."""
        if not isinstance(source, StepArtifact) or self._record.steps[source.step].status != CACHED:
            return False
        logger.warning("%s: the step %s runs again", error, source.step)
        self._run(self._graph.invocations[source.step], use_cache=False)
        return True


def _by_output(invocation: Invocation, result: Any) -> list[tuple[Output, Any]]:
    outputs = invocation.step.outputs
    if not outputs.several:
        if not outputs.each and result is not None:
            raise PipelineError(
                f"the step {invocation.name} declares no output, and returned a {type(result).__name__}",
                hint="annotate what it returns; without an annotation it is one output",
            )
        return [(one, result) for one in outputs.each]
    if not isinstance(result, tuple | list) or len(result) != len(outputs.each):
        got = f"{len(result)} values" if isinstance(result, tuple | list) else f"a {type(result).__name__}"
        raise PipelineError(
            f"the step {invocation.name} declares {len(outputs.each)} outputs, and returned {got}",
            hint=f"return a tuple of: {', '.join(one.name for one in outputs.each)}",
        )
    return list(zip(outputs.each, result, strict=True))


def _tell(hook: Callable[[BaseException], Any] | None, error: BaseException) -> None:
    """Calls a hook about an error. One that fails itself is logged: the error is what is to be heard."""
    if hook is None:
        return
    try:
        hook(error)
    except Exception:
        logger.exception("the hook on_failure failed itself")


def _failure(error: BaseException) -> Failure:
    try:
        text = str(error)
    except Exception as more:  # noqa: BLE001 - an error of the user's own may raise anything here
        text = f"what it says cannot be told: {type(more).__qualname__}: {more}"
    # Half characters, as of a file's name that is no UTF-8, as every terminal can show them.
    return Failure(type(error).__qualname__, text[:_MESSAGE].encode(errors="backslashreplace").decode())
