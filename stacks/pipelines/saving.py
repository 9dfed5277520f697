"""Artifacts without a step's return: saved and loaded by hand, or in the middle of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stacks.artifacts import ArtifactVersion
from stacks.artifacts.names import check_name
from stacks.artifacts.records import Producer
from stacks.artifacts.writing import save_version
from stacks.materializers import BaseMaterializer
from stacks.pipelines.context import running
from stacks.pipelines.here import client

BY_HAND = ("saved", "by_hand")
"""Where artifacts of no pipeline and no step lie."""


def save_artifact(
    data: Any,
    name: str,
    *,
    tags: Sequence[str] = (),
    materializer: type[BaseMaterializer] | None = None,
    user_metadata: Mapping[str, Any] | None = None,
    store: str | None = None,
) -> ArtifactVersion:
    """Store a value as the next version of the artifact ``name``.

    On the active stack's store, or on the registered one named ``store``. In a step that is at work in a
    pipeline it becomes one more output of that step, on the run's store.

    Raises:
        InvalidNameError: a name that cannot be a folder's.
        MaterializerError: nothing stores such a value.
    """
    name = check_name(name, "an artifact")
    context = running.get() if store is None else None
    if context is None:
        history, place, producer = client().history(store), BY_HAND, None
    else:
        history, place = context.history, (context.pipeline, context.step)
        producer = Producer(context.pipeline, context.run, context.step, name)
    record = save_version(
        history.store,
        name,
        data,
        place,
        producer=producer,
        materializer=materializer,
        tags=tags,
        metadata=user_metadata,
    )
    if context is not None:
        context.saved[name] = record.ref
    return ArtifactVersion(history, record)


def load_artifact(name: str, version: str | int | None = None, *, store: str | None = None) -> Any:
    """The value of an artifact version, by default the latest; raises as ``ArtifactVersion.load``."""
    return client().get_artifact_version(name, version, store=store).load()
