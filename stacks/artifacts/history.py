"""All that is recorded in one store: artifact versions and runs, found, listed and deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from stacks.artifacts import layout
from stacks.artifacts.filters import Filter, any_of, lower_bound, matcher
from stacks.artifacts.models import ArtifactVersion, Page, PipelineRun
from stacks.artifacts.names import check_name
from stacks.artifacts.records import ArtifactRecord, Ref, RunRecord, parse_artifact, parse_run
from stacks.errors import (
    ArtifactInUseError,
    ArtifactNotFoundError,
    DamagedArtifactError,
    InvalidValueError,
    NewerRecordError,
)
from stacks.materializers import ArtifactFiles
from stacks.stores.base import BaseArtifactStore
from stacks.stores.parallel import run_all
from stacks.stores.types import FileStat

R = TypeVar("R")

logger = logging.getLogger(__name__)

# What the service says was written before a time cannot have been made after it; clocks differ, though.
_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A name, the newest of its versions and how many there are."""

    name: str
    latest: str
    versions: int


class History:
    """The records of one artifact store."""

    def __init__(self, store: BaseArtifactStore) -> None:
        self.store = store

    def at(self, key: str) -> str:
        """The full path of a key."""
        return f"{self.store.path}/{key}"

    # ---- artifact versions ----------------------------------------------------------------------------

    def version(self, name: str, version: str | int | None = None) -> ArtifactVersion:
        """One version of an artifact, by default the highest.

        Raises:
            ArtifactNotFoundError: there is no such artifact or version.
        """
        name = check_name(name, "an artifact")
        number = (
            self._number(name, version) if version is not None else max(self._numbers(name), default=None)
        )
        if number is None:
            raise self._no_artifact(name)
        found = self.versions_of([Ref(name, number)], missing=True)
        if not found:
            there = sorted(self._numbers(name))
            if not there:
                raise self._no_artifact(name)
            shown = ", ".join(map(str, there[-10:]))
            raise ArtifactNotFoundError(
                f"the artifact {name} has no version {number}", hint=f"there are: {shown}", name=name
            )
        return found[0]

    def versions_of(
        self, refs: Sequence[Ref], *, missing: bool = False, damaged: bool = False
    ) -> list[ArtifactVersion]:
        """Several artifact versions.

        One that is gone is an error, or left out with ``missing``; so is one whose record cannot be read,
        with ``damaged``, and then it is logged.
        """

        def read(ref: Ref) -> ArtifactVersion | None:
            path = self.at(layout.record(*ref))
            try:
                return ArtifactVersion(self, parse_artifact(self._read(path), path))
            except FileNotFoundError:
                if missing:
                    return None
                raise ArtifactNotFoundError(
                    f"version {ref.version} of the artifact {ref.artifact} has been deleted",
                    name=ref.artifact,
                ) from None
            except (DamagedArtifactError, NewerRecordError) as error:
                if not damaged:
                    raise
                logger.warning("left out: %s", error)
                return None

        found = run_all(read, refs, workers=self.store.WORKERS)
        return [one for one in found if one is not None]

    def versions(
        self,
        *,
        name: Filter = None,
        version: Filter = None,
        created: Filter = None,
        tag: Filter = None,
        pipeline: Filter = None,
        step: Filter = None,
        run: Filter = None,
        type: Filter = None,  # noqa: A002 - the name that the seeds' tool gives it
        materializer: Filter = None,
        page: int = 1,
        size: int | None = None,
    ) -> Page[ArtifactVersion]:
        """The artifact versions that pass all filters, the newest first.

        Names and versions are sorted out without reading a record; see stacks/artifacts/filters.py for what a
        filter can be.
        """
        numbered = matcher(version, int, "version")
        made = matcher(created, datetime, "created")
        tagged = any_of(tag, "tag")
        tests: list[Callable[[ArtifactRecord], bool]] = [
            lambda record: made(record.created),
            lambda record: tagged(record.tags),
        ]
        for value, what in ((pipeline, "pipeline"), (step, "step"), (run, "run")):
            if value is not None:
                tests.append(_by_producer(what, matcher(value, str, what)))
        typed, stored = matcher(type, str, "type"), matcher(materializer, str, "materializer")
        tests.append(lambda record: typed(record.type.replace(":", ".").removeprefix("builtins.")))
        tests.append(lambda record: stored(record.materializer))
        after = lower_bound(created)
        refs = [ref for ref in self.refs(name, since=after) if numbered(ref.version)]
        found = [
            one
            for one in self.versions_of(refs, missing=True, damaged=True)
            if all(test(one.record) for test in tests)
        ]
        found.sort(key=lambda one: (one.created, one.name, one.number), reverse=True)
        return _page(found, page, size)

    def artifacts(self, name: Filter = None) -> list[Artifact]:
        """The artifacts of the store by name; reads no record."""
        named: dict[str, list[int]] = {}
        for ref in self.refs(name):
            named.setdefault(ref.artifact, []).append(ref.version)
        return [Artifact(one, str(max(named[one])), len(named[one])) for one in sorted(named)]

    def refs(self, name: Filter = None, *, since: datetime | None = None) -> list[Ref]:
        """The names and versions that there are, by listings alone."""
        wanted = matcher(name, str, "name")
        names = [one for one in self._listed(layout.ARTIFACTS) if wanted(one)]

        def numbers(one: str) -> list[Ref]:
            return [
                Ref(one, number)
                for found in self._scanned(f"{layout.ARTIFACTS}/{one}")
                if (number := layout.number_in(found.path.rpartition("/")[2])) is not None
                and (since is None or found.modified is None or found.modified >= since - _SKEW)
            ]

        return [ref for some in run_all(numbers, names, workers=self.store.WORKERS) for ref in some]

    def delete_version(self, name: str, version: str | int, *, force: bool = False) -> ArtifactRecord:
        """Delete one version with its files; its number is not given again.

        Raises:
            ArtifactInUseError: a run refers to it, and ``force`` was not asked for.
            ArtifactNotFoundError: there is none.
        """
        record = self.version(name, version).record
        users = () if force else tuple(run.name for run in self.runs_referring(record.ref))
        if users:
            shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
            raise ArtifactInUseError(
                f"version {record.version} of the artifact {name} belongs to the history of {shown}",
                hint="delete those runs, or delete it all the same with --force (force=True)",
                name=name,
                users=users,
            )
        self.remove(record)
        return record

    def remove(self, record: ArtifactRecord) -> None:
        """The record first: nobody finds an artifact whose files are going."""
        self._remove(self.at(layout.record(*record.ref)))
        self.remove_tree(record.path)

    def remove_tree(self, key: str) -> None:
        """Remove a folder, if it is there."""
        try:
            self.store.rmtree(self.at(key))
        except FileNotFoundError:
            return

    def verify(self, record: ArtifactRecord) -> None:
        """Compare all files with their record; raises DamagedArtifactError."""
        files = ArtifactFiles(self.store, self.at(record.path), record.files)

        def check(name: str) -> None:
            with files.open(self.at(f"{record.path}/{name}"), "rb"):
                return

        run_all(check, list(record.files), workers=self.store.WORKERS)

    def is_there(self, record: ArtifactRecord, *, read_up_to: int) -> bool:
        """Whether all files are there in their sizes; and, if they are small in all, with their content."""
        try:
            if record.size <= read_up_to:
                self.verify(record)
                return True
            for name, file in record.files.items():
                if self.store.size(self.at(f"{record.path}/{name}")) != file.size:
                    return False
        except (DamagedArtifactError, FileNotFoundError, IsADirectoryError):
            return False
        return True

    # ---- runs -----------------------------------------------------------------------------------------

    def run(self, pipeline: str, name: str | None = None) -> PipelineRun:
        """A run of a pipeline by its name or id; without one the latest run of the pipeline.

        A run's name alone will do where no pipeline is called so.

        Raises:
            ArtifactNotFoundError: there is no such pipeline or run.
        """
        pipeline = check_name(pipeline, "a pipeline")
        if name is not None:
            try:
                path = self.at(layout.run(pipeline, check_name(name, "a run")))
                return PipelineRun(self, parse_run(self._read(path), path))
            except FileNotFoundError:
                found = [run for run in self._runs_of([pipeline]) if run.id == name]
        else:
            found = self._runs_of([pipeline]) or list(self.runs(name=f"equals:{pipeline}"))
        if found:
            return max(found, key=lambda run: run.created)
        known = self._listed(layout.RUNS)
        if pipeline in known and name is not None:
            raise ArtifactNotFoundError(
                f"the pipeline {pipeline} has no run {name}",
                hint=f"list them: provision pipeline runs list --pipeline={pipeline}",
                name=name,
            )
        raise ArtifactNotFoundError(
            f"the store {self._shown()} has no runs of a pipeline {pipeline}",
            hint=f"it has runs of: {', '.join(known[:20])}" if known else "nothing has run on it yet",
            name=pipeline,
        )

    def runs(
        self,
        *,
        pipeline: Filter = None,
        name: Filter = None,
        status: Filter = None,
        created: Filter = None,
        tag: Filter = None,
        page: int = 1,
        size: int | None = None,
    ) -> Page[PipelineRun]:
        """The runs that pass all filters, the newest first."""
        wanted = matcher(pipeline, str, "pipeline")
        named, made = matcher(name, str, "name"), matcher(created, datetime, "created")
        in_status, tagged = matcher(status, str, "status"), any_of(tag, "tag")
        found = [
            run
            for run in self._runs_of(
                [one for one in self._listed(layout.RUNS) if wanted(one)], named, damaged=True
            )
            if in_status(run.status) and made(run.created) and tagged(run.tags)
        ]
        found.sort(key=lambda run: (run.created, run.name), reverse=True)
        return _page(found, page, size)

    def runs_referring(self, ref: Ref) -> list[PipelineRun]:
        """The runs that made, took from the cache or were given an artifact version."""
        runs = self._runs_of(self._listed(layout.RUNS))
        return [run for run in runs if ref in run.record.references()]

    def run_records(self) -> list[tuple[RunRecord, FileStat]]:
        """All runs, each with what the store says of its record."""
        return [
            (record, stat)
            for pipeline in self._listed(layout.RUNS)
            for record, stat in self._run_records(pipeline)
        ]

    def delete_run(self, pipeline: str, name: str) -> RunRecord:
        """Forget a run; the artifacts it made stay until `artifact prune`."""
        record = self.run(pipeline, name).record
        self._remove(self.at(layout.run(pipeline, record.name)))
        return record

    def _runs_of(
        self,
        pipelines: Iterable[str],
        named: Callable[[str], bool] = lambda _: True,
        *,
        damaged: bool = False,
    ) -> list[PipelineRun]:
        return [
            PipelineRun(self, record)
            for one in pipelines
            for record, _ in self._run_records(one, named, damaged=damaged)
        ]

    def _run_records(
        self, pipeline: str, named: Callable[[str], bool] = lambda _: True, *, damaged: bool = False
    ) -> list[tuple[RunRecord, FileStat]]:
        def read(stat: FileStat) -> tuple[RunRecord, FileStat] | None:
            try:
                return parse_run(self._read(stat.path), stat.path), stat
            except FileNotFoundError:
                return None  # deleted since it was listed
            except (DamagedArtifactError, NewerRecordError) as error:
                if not damaged:
                    raise
                logger.warning("left out: %s", error)
                return None

        files = [
            stat
            for stat in self._scanned(f"{layout.RUNS}/{pipeline}")
            if stat.path.endswith(layout.SUFFIX)
            and named(stat.path.rpartition("/")[2].removesuffix(layout.SUFFIX))
        ]
        return [one for one in run_all(read, files, workers=self.store.WORKERS) if one is not None]

    # ---- the store ------------------------------------------------------------------------------------

    def _read(self, path: str) -> bytes:
        return self.store.read_many([path])[0]

    def _remove(self, path: str) -> None:
        try:
            self.store.remove(path)
        except FileNotFoundError:
            return  # somebody else was faster

    def _listed(self, key: str) -> list[str]:
        try:
            return self.store.listdir(self.at(key))
        except FileNotFoundError:
            return []

    def _scanned(self, key: str) -> list[FileStat]:
        try:
            return self.store.scan(self.at(key))
        except FileNotFoundError:
            return []

    def _numbers(self, name: str) -> list[int]:
        found = (layout.number_in(one) for one in self._listed(f"{layout.ARTIFACTS}/{name}"))
        return [number for number in found if number is not None]

    def _number(self, name: str, version: str | int) -> int:
        text = str(version)
        if not (text.isascii() and text.isdecimal() and int(text) > 0):
            raise InvalidValueError(
                f"{version!r} is no version of {name}", hint="versions are numbers that begin at 1"
            )
        return int(text)

    def _no_artifact(self, name: str) -> ArtifactNotFoundError:
        known = self._listed(layout.ARTIFACTS)
        return ArtifactNotFoundError(
            f"the store {self._shown()} has no artifact {name}",
            hint=f"it has: {', '.join(known[:20])}" if known else "nothing has been stored in it yet",
            name=name,
        )

    def _shown(self) -> str:
        return self.store.name or self.store.path


def _by_producer(what: str, test: Callable[[str], bool]) -> Callable[[ArtifactRecord], bool]:
    def passes(record: ArtifactRecord) -> bool:
        return record.producer is not None and test(getattr(record.producer, what))

    return passes


def _page(found: list[R], page: int, size: int | None) -> Page[R]:
    if page < 1 or (size is not None and size < 1):
        raise InvalidValueError("page and size begin at 1")
    shown = found if size is None else found[(page - 1) * size : page * size]
    return Page(shown, len(found), page, size)
