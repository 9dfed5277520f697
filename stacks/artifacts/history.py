"""All that is recorded in one store: artifact versions and runs, found, listed and deleted."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stacks.artifacts import layout
from stacks.artifacts.filters import Filter, any_of, lower_bound, matcher
from stacks.artifacts.models import ArtifactVersion, Page
from stacks.artifacts.names import check_name
from stacks.artifacts.reading import may_be_since, page_of
from stacks.artifacts.records import ArtifactRecord, Ref, artifact_json, parse_artifact, parse_claim
from stacks.artifacts.removing import Needed, Uses, remove_unneeded
from stacks.artifacts.runs import RunHistory
from stacks.artifacts.writing import create
from stacks.errors import (
    ArtifactInUseError,
    ArtifactNotFoundError,
    DamagedArtifactError,
    InvalidValueError,
    NewerRecordError,
)
from stacks.materializers import ArtifactFiles
from stacks.stores.parallel import run_all

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A name, the newest of its versions and how many there are."""

    name: str
    latest: str
    versions: int


class History(RunHistory):
    """The records of one artifact store."""

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
        return page_of(found, page, size)

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
                and may_be_since(found, since)
            ]

        return [ref for some in run_all(numbers, names, workers=self.store.WORKERS) for ref in some]

    def delete_version(self, name: str, version: str | int, *, force: bool = False) -> None:
        """Delete one version with its files; its number is not given again.

        Raises:
            ArtifactInUseError: a run refers to it, and ``force`` was not asked for.
            ArtifactNotFoundError: there is none.
        """
        if force:
            self._remove_by_force(name, version)
            return
        record = self.version(name, version).record
        uses = Uses(self)
        users: list[str] = []

        def look() -> Needed:
            users[:] = [run.name for run, _ in uses.read() if record.ref in run.references()]
            return lambda _: bool(users)

        if not remove_unneeded(self, [record], look):
            shown = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
            raise ArtifactInUseError(
                f"version {record.version} of the artifact {name} belongs to the history of {shown}",
                hint="delete those runs, or delete it all the same with --force (force=True)",
                name=name,
                users=tuple(users),
            )

    def _remove_by_force(self, name: str, version: str | int) -> None:
        """Also one with a damaged record: where its files are, the claim of its number says as well."""
        try:
            self.remove(self.version(name, version).record)
        except DamagedArtifactError:
            ref = Ref(check_name(name, "an artifact"), self._number(name, version))
            path = self.at(layout.claim(*ref))
            claim = parse_claim(self._read(path), path)
            self._remove(self.at(layout.record(*ref)))
            self.remove_tree(claim.path)

    def remove(self, record: ArtifactRecord) -> None:
        """The record first: nobody finds an artifact whose files are going."""
        self.hide(record)
        self.remove_tree(record.path)

    def hide(self, record: ArtifactRecord) -> None:
        """Remove the record alone: who looks for the artifact finds none."""
        self._remove(self.at(layout.record(*record.ref)))

    def show(self, record: ArtifactRecord) -> None:
        """Put a record back, if it is not there."""
        with contextlib.suppress(FileExistsError):
            create(self.store, self.at(layout.record(*record.ref)), artifact_json(record))

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


def _by_producer(what: str, test: Callable[[str], bool]) -> Callable[[ArtifactRecord], bool]:
    def passes(record: ArtifactRecord) -> bool:
        return record.producer is not None and test(getattr(record.producer, what))

    return passes
