"""The class that every materializer derives from, and how those of users are found by type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from stacks.errors import MaterializerError
from stacks.materializers.files import ArtifactFiles


class Declined(Exception):  # noqa: N818 - an answer, not a failure: the next materializer is asked
    """Raised by ``save`` for a value that this materializer would not give back as it was."""


class BaseMaterializer(ABC):
    """Stores values of some types below ``uri``, and loads them again.

    A subclass names its types in ``ASSOCIATED_TYPES`` and is found by them from then on, for their
    subclasses too; the built-in ones come after it. ``save`` and ``load`` reach files through
    ``self.artifact_store``, which takes their digests when they are written and compares them before a byte
    is handed out.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = ()
    NAME: ClassVar[str | None] = None
    """The name in the records of a built-in one; a user's is recorded as ``module:Class``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        types = cls.__dict__.get("ASSOCIATED_TYPES", ())
        for one in types:
            if not isinstance(one, type):
                raise MaterializerError(
                    f"{cls.__qualname__}.ASSOCIATED_TYPES holds {one!r}, which is no type",
                    hint="write classes there, as in ASSOCIATED_TYPES = (MyClass,)",
                )
            _by_type[one] = cls

    def __init__(self, uri: str, artifact_store: ArtifactFiles) -> None:
        """``uri`` is the folder of the artifact, without a slash at the end; files go below it."""
        self.uri = uri
        self.artifact_store = artifact_store

    @abstractmethod
    def save(self, data: Any) -> None:
        """Write ``data`` below ``self.uri``.

        Raises:
            Declined: it would not come back as it was; nothing that was written counts.
        """

    @abstractmethod
    def load(self, data_type: type[Any]) -> Any:
        """What was saved. ``data_type`` is its type, or ``object`` where that class is not imported."""

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:  # noqa: ARG002 - for subclasses
        """Facts about ``data`` that go into the record, as JSON: a shape, a count."""
        return {}


_by_type: dict[type[Any], type[BaseMaterializer]] = {}


def associated(kind: type[Any]) -> type[BaseMaterializer] | None:
    """The materializer that a user's class registered for exactly this type."""
    return _by_type.get(kind)
