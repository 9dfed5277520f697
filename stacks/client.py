"""The way in: what is registered, and the history of what was made with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.components import Components

if TYPE_CHECKING:
    from stacks.artifacts import Artifact, ArtifactVersion, History, Page, PipelineRun
    from stacks.artifacts.filters import Filter
    from stacks.artifacts.pruning import Prunable


class Client(Components):
    """Everything that one state file knows, and all that the stores of its stacks remember.

    ``Client()`` takes the state file in force (``STACKS_STATE``, the nearest ``.stacks/state.json``, the
    user's own); a ``StateFile`` or its location names another. Threads may share a client; so may a parent
    and the processes it forks.

    Artifacts and runs are those of the active stack's store, or of the registered one named ``store``. A
    filter is a value or ``operator:value`` (``gte:2026-11-20 10:00:00``, ``contains:model``), or a list of
    them which must all hold; see docs/pipelines.md.
    """

    def history(self, store: str | None = None) -> History:
        """All records of a store; raises UnknownComponentError and what making a store raises."""
        from stacks.artifacts import History

        return History(self.get_artifact_store(store))

    def get_artifact_version(
        self, name: str, version: str | int | None = None, *, store: str | None = None
    ) -> ArtifactVersion:
        """One version of an artifact, by default the latest; raises ArtifactNotFoundError."""
        return self.history(store).version(name, version)

    def list_artifact_versions(
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
        store: str | None = None,
    ) -> Page[ArtifactVersion]:
        """The artifact versions that pass all filters, the newest first; all of them without ``size``.

        Raises:
            InvalidValueError: a filter that does not parse.
        """
        return self.history(store).versions(
            name=name,
            version=version,
            created=created,
            tag=tag,
            pipeline=pipeline,
            step=step,
            run=run,
            type=type,
            materializer=materializer,
            page=page,
            size=size,
        )

    def list_artifacts(self, *, name: Filter = None, store: str | None = None) -> list[Artifact]:
        """The artifacts by name, each with its latest version; reads no record."""
        return self.history(store).artifacts(name)

    def delete_artifact_version(
        self, name: str, version: str | int, *, force: bool = False, store: str | None = None
    ) -> None:
        """Delete a version with its files; its number is not given again.

        Raises:
            ArtifactInUseError: a run refers to it, and ``force`` was not asked for.
            ArtifactNotFoundError: there is none.
        """
        self.history(store).delete_version(name, version, force=force)

    def get_pipeline_run(
        self, pipeline: str, run: str | None = None, *, store: str | None = None
    ) -> PipelineRun:
        """A run of a pipeline by its name or id, by default the latest; raises ArtifactNotFoundError.

        A run's name alone will do where no pipeline is called so.
        """
        return self.history(store).run(pipeline, run)

    def list_pipeline_runs(
        self,
        *,
        pipeline: Filter = None,
        name: Filter = None,
        status: Filter = None,
        created: Filter = None,
        tag: Filter = None,
        page: int = 1,
        size: int | None = None,
        store: str | None = None,
    ) -> Page[PipelineRun]:
        """The runs that pass all filters, the newest first; all of them without ``size``."""
        return self.history(store).runs(
            pipeline=pipeline, name=name, status=status, created=created, tag=tag, page=page, size=size
        )

    def delete_pipeline_run(self, pipeline: str, run: str, *, store: str | None = None) -> None:
        """Forget a run; the artifacts that it made stay until they are pruned."""
        self.history(store).delete_run(pipeline, run)

    def prune_artifacts(self, *, dry_run: bool = False, store: str | None = None) -> Prunable:
        """Remove the artifacts of deleted runs and what died runs left; with ``dry_run`` only say what.

        Returns what went: what a run takes up meanwhile stays.
        """
        from stacks.artifacts.pruning import prunable, prune

        history = self.history(store)
        found = prunable(history)
        return found if dry_run else prune(history, found)
