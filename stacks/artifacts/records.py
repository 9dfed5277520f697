"""What is recorded of artifacts and runs, and how it is written: JSON with a schema number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from stacks.errors import DamagedArtifactError, NewerRecordError
from stacks.materializers import FileDigest

SCHEMA = 1

RUNNING, COMPLETED, CACHED, FAILED, STOPPED, PENDING = (
    "running", "completed", "cached", "failed", "stopped", "pending",
)  # fmt: skip

T = TypeVar("T")


class Ref(NamedTuple):
    """One version of an artifact."""

    artifact: str
    version: int


@dataclass(frozen=True, slots=True)
class Producer:
    """Where an artifact comes from; ``output`` is its name among the outputs of the step."""

    pipeline: str
    run: str
    step: str
    output: str


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """One artifact version; ``path`` and the names in ``files`` are relative, sizes are bytes."""

    id: str
    name: str
    version: int
    path: str
    created: datetime
    materializer: str
    type: str
    files: Mapping[str, FileDigest]
    producer: Producer | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """Its name and version."""
        return Ref(self.name, self.version)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    @property
    def digest(self) -> str:
        """The SHA-256 of the content: of its files' names and digests, and of what reads them."""
        files = [[name, self.files[name].sha256] for name in sorted(self.files)]
        return hashlib.sha256(canonical([self.materializer, files])).hexdigest()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step or a run did not end well."""

    type: str
    message: str


@dataclass(slots=True)
class StepRecord:
    """One step of a run. Changes while the step runs, and only then."""

    name: str
    status: str = PENDING
    started: datetime | None = None
    ended: datetime | None = None
    cache_key: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Ref] = field(default_factory=dict)
    outputs: Mapping[str, Ref] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    error: Failure | None = None


@dataclass(slots=True)
class RunRecord:
    """One run of a pipeline with its steps in their order. Changes while the run lasts, and only then."""

    id: str
    name: str
    pipeline: str
    created: datetime
    status: str = RUNNING
    ended: datetime | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    stack: str = ""
    user: str = ""
    host: str = ""
    process: str = ""
    python: str = ""
    steps: dict[str, StepRecord] = field(default_factory=dict)
    error: Failure | None = None

    def references(self) -> set[Ref]:
        """All artifact versions that its steps made, took from the cache or were given."""
        return {
            ref
            for step in self.steps.values()
            for refs in (step.inputs, step.outputs)
            for ref in refs.values()
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """Who took a version number, and where its files go; no two have one ``id``."""

    id: str
    name: str
    version: int
    path: str
    pipeline: str | None
    run: str | None
    process: str


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The outputs of a step that ran with some cache key."""

    outputs: Mapping[str, Ref]


def canonical(value: Any) -> bytes:
    """JSON that is the same for the same value everywhere."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


# ---- writing --------------------------------------------------------------------------------------------


def _document(kind: str, data: Mapping[str, Any]) -> bytes:
    content = {"schema": SCHEMA, "kind": kind, **data}
    try:
        return f"{json.dumps(content, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:  # half a character, as in a file's name that is no UTF-8: JSON can escape it
        return f"{json.dumps(content)}\n".encode()


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _refs(refs: Mapping[str, Ref]) -> dict[str, list[Any]]:
    return {name: [ref.artifact, ref.version] for name, ref in refs.items()}


def _failure(error: Failure | None) -> dict[str, str] | None:
    return None if error is None else {"type": error.type, "message": error.message}


def artifact_json(record: ArtifactRecord) -> bytes:
    """The record of an artifact version, as it is stored."""
    by = record.producer
    return _document(
        "artifact version",
        {
            "id": record.id,
            "name": record.name,
            "version": record.version,
            "path": record.path,
            "created": _time(record.created),
            "materializer": record.materializer,
            "type": record.type,
            "digest": record.digest,
            "files": {name: [file.size, file.sha256] for name, file in record.files.items()},
            "producer": by and {"pipeline": by.pipeline, "run": by.run, "step": by.step, "output": by.output},
            "tags": list(record.tags),
            "metadata": dict(record.metadata),
        },
    )


def run_json(record: RunRecord) -> bytes:
    """The record of a run, as it is stored."""
    return _document(
        "run",
        {
            "id": record.id,
            "name": record.name,
            "pipeline": record.pipeline,
            "created": _time(record.created),
            "ended": _time(record.ended),
            "status": record.status,
            "error": _failure(record.error),
            "parameters": dict(record.parameters),
            "tags": list(record.tags),
            "stack": record.stack,
            "user": record.user,
            "host": record.host,
            "process": record.process,
            "python": record.python,
            "steps": [_step_data(step) for step in list(record.steps.values())],
        },
    )


def _step_data(step: StepRecord) -> dict[str, Any]:
    return {
        "name": step.name,
        "status": step.status,
        "started": _time(step.started),
        "ended": _time(step.ended),
        "cache_key": step.cache_key,
        "parameters": dict(step.parameters),
        "inputs": _refs(step.inputs),
        "outputs": _refs(step.outputs),
        "after": list(step.after),
        "error": _failure(step.error),
    }


def claim_json(claim: Claim) -> bytes:
    """A claim, as it is stored."""
    names = ("id", "name", "version", "path", "pipeline", "run", "process")
    return _document("claim", {name: getattr(claim, name) for name in names})


def cache_json(entry: CacheEntry) -> bytes:
    """A cache entry, as it is stored."""
    return _document("cache entry", {"outputs": _refs(entry.outputs)})


# ---- reading --------------------------------------------------------------------------------------------


def parse_artifact(text: bytes, where: str) -> ArtifactRecord:
    """The record of an artifact version.

    Raises:
        NewerRecordError: its schema is newer than this library knows.
        DamagedArtifactError: it is no such record, or its digest is not that of its files.
    """
    return _parsed(text, where, "artifact version", _artifact)


def parse_run(text: bytes, where: str) -> RunRecord:
    """The record of a run; raises as ``parse_artifact``."""
    return _parsed(text, where, "run", _run)


def parse_claim(text: bytes, where: str) -> Claim:
    """A claim; raises as ``parse_artifact``."""
    return _parsed(text, where, "claim", _claim)


def parse_cache_entry(text: bytes, where: str) -> CacheEntry:
    """A cache entry; raises as ``parse_artifact``."""
    return _parsed(text, where, "cache entry", lambda data: CacheEntry(_parsed_refs(data["outputs"])))


def _parsed(text: bytes, where: str, kind: str, build: Callable[[Mapping[str, Any]], T]) -> T:
    try:
        data = json.loads(text)
        if data["kind"] != kind:
            raise ValueError(f"it is of the kind {data['kind']!r}")
        if data["schema"] > SCHEMA:
            raise NewerRecordError(
                f"{where} has the schema {data['schema']}, and this library knows {SCHEMA}",
                hint="update stack-provisioner: a newer release wrote this",
                name=where,
            )
        return build(data)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DamagedArtifactError(
            f"{where} is no record of the kind {kind}: {type(error).__name__}: {error}",
            hint="something else wrote it, or half of it was copied: look at it, and remove it",
            name=where,
        ) from error


def _artifact(data: Mapping[str, Any]) -> ArtifactRecord:
    by = data["producer"]
    record = ArtifactRecord(
        id=data["id"],
        name=data["name"],
        version=int(data["version"]),
        path=relative(data["path"]),
        created=_parsed_time(data["created"]) or datetime.min.replace(tzinfo=UTC),
        materializer=data["materializer"],
        type=data["type"],
        files={
            relative(name): FileDigest(int(size), str(sha)) for name, (size, sha) in data["files"].items()
        },
        producer=by and Producer(by["pipeline"], by["run"], by["step"], by["output"]),
        tags=tuple(data["tags"]),
        metadata=data["metadata"],
    )
    if record.digest != data["digest"]:
        raise ValueError("its digest is not that of its files")
    return record


def _run(data: Mapping[str, Any]) -> RunRecord:
    names = ("id", "name", "pipeline", "status", "parameters", "stack", "user", "host", "process", "python")
    return RunRecord(
        **{name: data[name] for name in names},
        created=_parsed_time(data["created"]) or datetime.min.replace(tzinfo=UTC),
        ended=_parsed_time(data["ended"]),
        tags=tuple(data["tags"]),
        error=_parsed_failure(data["error"]),
        steps={one["name"]: _step(one) for one in data["steps"]},
    )


def _step(data: Mapping[str, Any]) -> StepRecord:
    return StepRecord(
        name=data["name"],
        status=data["status"],
        started=_parsed_time(data["started"]),
        ended=_parsed_time(data["ended"]),
        cache_key=data["cache_key"],
        parameters=data["parameters"],
        inputs=_parsed_refs(data["inputs"]),
        outputs=_parsed_refs(data["outputs"]),
        after=tuple(data["after"]),
        error=_parsed_failure(data["error"]),
    )


def _claim(data: Mapping[str, Any]) -> Claim:
    names = ("id", "name", "version", "pipeline", "run", "process")
    return Claim(path=relative(data["path"]), **{name: data[name] for name in names})


def relative(path: str) -> str:
    """A path that stays below its folder, also where a backslash separates; raises ValueError for others."""
    parts = path.split("/")
    if "" in parts or {".", ".."} & {*parts, *path.replace("\\", "/").split("/")} or "\x00" in path:
        raise ValueError(f"the path {path!r} leads out of its folder")
    return path


def _parsed_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return value


def _parsed_refs(data: Mapping[str, Any]) -> dict[str, Ref]:
    return {name: Ref(str(artifact), int(version)) for name, (artifact, version) in data.items()}


def _parsed_failure(data: Mapping[str, str] | None) -> Failure | None:
    return None if data is None else Failure(data["type"], data["message"])
