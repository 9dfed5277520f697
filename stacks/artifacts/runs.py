"""The runs that a store remembers: found, listed, forgotten."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime

from stacks.artifacts import layout
from stacks.artifacts.filters import Filter, any_of, lower_bound, matcher
from stacks.artifacts.models import ArtifactVersion, Page, PipelineRun
from stacks.artifacts.names import check_name
from stacks.artifacts.reading import Reader, may_be_since, page_of
from stacks.artifacts.records import Ref, RunRecord, parse_run
from stacks.errors import ArtifactNotFoundError, DamagedArtifactError, NewerRecordError
from stacks.stores.parallel import batches, run_all
from stacks.stores.types import FileStat

logger = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-f]{32}")


class RunHistory(Reader, ABC):
    """The records of runs."""

    @abstractmethod
    def versions_of(
        self, refs: Sequence[Ref], *, missing: bool = False, damaged: bool = False
    ) -> list[ArtifactVersion]:
        """The artifact versions that a run refers to."""

    def run(self, pipeline: str, name: str | None = None) -> PipelineRun:
        """A run of a pipeline by its name or id; without one the latest run of the pipeline.

        A run's name alone will do where no pipeline is called so.

        Raises:
            ArtifactNotFoundError: there is no such pipeline or run.
        """
        pipeline = check_name(pipeline, "a pipeline")
        if name is not None:
            found = self._named(pipeline, check_name(name, "a run"))
        else:
            found = self._latest(pipeline) or next(iter(self.runs(name=f"equals:{pipeline}")), None)
        if found is not None:
            return found
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
        after = lower_bound(created)
        files = [
            stat
            for one in self._listed(layout.RUNS)
            if wanted(one)
            for stat in self._files(one)
            if named(_name(stat)) and may_be_since(stat, after)
        ]
        found = [
            run
            for run in (PipelineRun(self, record) for record, _ in self._records(files, damaged=True))
            if in_status(run.status) and made(run.created) and tagged(run.tags)
        ]
        found.sort(key=lambda run: (run.created, run.name), reverse=True)
        return page_of(found, page, size)

    def runs_referring(self, ref: Ref) -> list[PipelineRun]:
        """The runs that made, took from the cache or were given an artifact version."""
        return [PipelineRun(self, record) for record, _ in self.run_records() if ref in record.references()]

    def run_records(
        self, known: Sequence[tuple[RunRecord, FileStat]] = ()
    ) -> list[tuple[RunRecord, FileStat]]:
        """All runs, each with what the store says of its record; ``known`` ones are not read again."""
        files = [stat for pipeline in self._listed(layout.RUNS) for stat in self._files(pipeline)]
        same = {stat: (record, stat) for record, stat in known if stat.etag is not None}
        read = self._records([stat for stat in files if stat not in same])
        return [*(same[stat] for stat in files if stat in same), *read]

    def delete_run(self, pipeline: str, name: str) -> RunRecord:
        """Forget a run; the artifacts it made stay until `artifact prune`."""
        record = self.run(pipeline, name).record
        self._remove(self.at(layout.run(pipeline, record.name)))
        return record

    def _named(self, pipeline: str, name: str) -> PipelineRun | None:
        path = self.at(layout.run(pipeline, name))
        try:
            return PipelineRun(self, parse_run(self._read(path), path))
        except FileNotFoundError:
            pass
        if _ID.fullmatch(name):
            for record, _ in self._records(self._files(pipeline), damaged=True):
                if record.id == name:
                    return PipelineRun(self, record)
        return None

    def _latest(self, pipeline: str) -> PipelineRun | None:
        """Reads the records that were written last, and no more of them than can matter."""
        beginning = datetime.min.replace(tzinfo=UTC)
        files = sorted(self._files(pipeline), key=lambda stat: stat.modified or beginning, reverse=True)
        best: RunRecord | None = None
        for some in batches(files, self.store.WORKERS):
            if best is not None and not may_be_since(some[0], best.created):
                break
            for record, _ in self._records(some, damaged=True):
                if best is None or (record.created, record.name) > (best.created, best.name):
                    best = record
        return None if best is None else PipelineRun(self, best)

    def _files(self, pipeline: str) -> list[FileStat]:
        return [
            stat for stat in self._scanned(f"{layout.RUNS}/{pipeline}") if stat.path.endswith(layout.SUFFIX)
        ]

    def _records(
        self, files: Sequence[FileStat], *, damaged: bool = False
    ) -> list[tuple[RunRecord, FileStat]]:
        """The records in these files; one that cannot be read is an error, or with ``damaged`` logged."""

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

        return [one for one in run_all(read, files, workers=self.store.WORKERS) if one is not None]


def _name(stat: FileStat) -> str:
    return stat.path.rpartition("/")[2].removesuffix(layout.SUFFIX)
