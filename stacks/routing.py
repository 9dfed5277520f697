"""Which artifact store a path belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from stacks.components import Components
from stacks.errors import PathOutsideStoreError, StoreConfigError, UnknownComponentError, UnknownSchemeError
from stacks.state import State
from stacks.stores.base import BaseArtifactStore
from stacks.stores.local import LocalArtifactStore
from stacks.stores.paths import split_scheme, to_text
from stacks.stores.registry import store_class
from stacks.stores.types import PathType

LOCAL_SCHEMES = frozenset({"", "file://"})


@dataclass(frozen=True, slots=True)
class _Root:
    """The root of one registered store, ready to be compared."""

    store: str
    schemes: frozenset[str]
    segments: tuple[str, ...]

    def contains(self, scheme: str, segments: tuple[str, ...]) -> bool:
        return scheme in self.schemes and segments[: len(self.segments)] == self.segments


class Router:
    """Finds the store for a path: the one with the longest root that contains it.

    Of two with the same root it is the active stack's. A local path outside every store belongs to the plain
    file system.
    """

    def __init__(self, client: Components) -> None:
        self.client = client
        self.plain = LocalArtifactStore("/", name="local files")
        self._made_from: State | None = None
        self._roots: tuple[_Root, ...] = ()

    def store_for(self, path: PathType) -> BaseArtifactStore:
        """The store whose root contains ``path``.

        Raises UnknownSchemeError for a scheme that no store serves, PathOutsideStoreError for a remote path
        in no store.
        """
        text = to_text(path)
        scheme = split_scheme(text)[0]
        if scheme in LOCAL_SCHEMES:
            found = self._longest("", _local_segments(text))
        else:
            found = self._longest(scheme, _segments(split_scheme(text)[1]))
        if found is not None:
            return self.client.get_artifact_store(found.store)
        if scheme in LOCAL_SCHEMES:
            return self.plain
        raise self._homeless(text, scheme)

    def _longest(self, scheme: str, segments: tuple[str, ...]) -> _Root | None:
        # Sorted longest first, so that the first one that contains the path is the one.
        return next((root for root in self._all() if root.contains(scheme, segments)), None)

    def _all(self) -> tuple[_Root, ...]:
        state = self.client.state
        if state is not self._made_from:
            stack = state.stacks.get(state.active_stack or "")
            active = stack.artifact_store if stack else None
            self._roots = tuple(
                sorted(_roots(state), key=lambda root: (-len(root.segments), root.store != active))
            )
            self._made_from = state
        return self._roots

    def _homeless(self, text: str, scheme: str) -> UnknownSchemeError | PathOutsideStoreError:
        roots = self._all()
        known = tuple(sorted({"file://", *(s for root in roots for s in root.schemes if s)}))
        if scheme not in known:
            return UnknownSchemeError(
                f"no artifact store serves {scheme} ({text!r})",
                hint=f"known are: {', '.join(known)}; register a store: provision artifact-store register …",
                known=known,
            )
        there = ", ".join(sorted(root.store for root in roots if scheme in root.schemes)[:10])
        return PathOutsideStoreError(
            f"{text!r} is in none of the registered artifact stores",
            hint=f"stores of {scheme} are: {there}; register one whose path contains it",
            path=text,
        )


def _roots(state: State) -> Iterator[_Root]:
    sources = {name: record.source for name, record in state.flavors.items()}
    schemes: dict[str, frozenset[str]] = {}
    for record in state.artifact_stores.values():
        scheme, rest = split_scheme(record.path)
        if scheme in LOCAL_SCHEMES:
            yield _Root(record.name, frozenset({""}), _local_segments(record.path))
            continue
        if record.flavor not in schemes:
            try:
                schemes[record.flavor] = store_class(record.flavor, sources).SUPPORTED_SCHEMES
            except (StoreConfigError, UnknownComponentError):
                # A flavor whose package is missing here must not spoil the others; using it says so.
                schemes[record.flavor] = frozenset()
        yield _Root(record.name, schemes[record.flavor] | {scheme}, _segments(rest))


def _segments(rest: str) -> tuple[str, ...]:
    return tuple(part for part in rest.split("/") if part)


def _local_segments(text: str) -> tuple[str, ...]:
    if text.lower().startswith("file:"):
        from urllib.parse import unquote, urlsplit

        text = unquote(urlsplit(text).path)
    return _segments(os.path.abspath(text))  # noqa: PTH100 - Path.absolute() keeps the «..» that leaves a root
