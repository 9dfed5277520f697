"""Stacks that cannot stand beside each other: what can be one stack's alone, and is claimed by two."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from provisioner.catalog import PROVIDERS
from provisioner.errors import Problem
from provisioner.manifest import ArtifactStore, LoadedManifest, Manifest, generated_bucket
from provisioner.manifest.extends import read_chain
from provisioner.manifest.tree import Loc, find, path_text


@dataclass(frozen=True, slots=True)
class _Claim:
    """Something that a manifest takes for itself: what kind of thing, which, and by which field."""

    kind: str
    what: tuple[str | None, ...]
    loc: Loc

    @property
    def name(self) -> str:
        return str(self.what[-1])


_REGISTERED = (
    "a state file registers each name once: give this one another name, or each environment a folder and a "
    "state file of its own"
)
_WHY = {
    "stack": "a stack has one manifest",
    "artifact store": _REGISTERED,
    "connector": _REGISTERED,
    "bucket": "one stack makes it; others adopt it with `existing: true`",
    "directory": "one stack makes it; others adopt it with `existing: true`",
    "place of Terraform's state": "two stacks in one state would delete each other",
}
_MARK = "let the name of {} file begin with `_` if it is no stack of its own"


def clashes(stacks: Sequence[LoadedManifest]) -> list[Problem]:
    """Every claim that was made before, at the place of the later one, naming the earlier."""
    first: dict[tuple[str, tuple[str | None, ...]], LoadedManifest] = {}
    problems = []
    for loaded in stacks:
        for claim in _claims(loaded):
            earlier = first.setdefault((claim.kind, claim.what), loaded)
            if earlier is not loaded:
                problems.append(_problem(loaded, claim, earlier))
    return problems


def _claims(loaded: LoadedManifest) -> Iterator[_Claim]:
    manifest = loaded.manifest
    yield _Claim("stack", (manifest.name,), ("name",))
    for index, store in enumerate(manifest.artifact_stores):
        yield _Claim("artifact store", (store.name,), ("artifact_stores", index, "name"))
        if not store.existing:
            yield from _bucket(loaded, store, ("artifact_stores", index, "bucket"))
    for index, connector in enumerate(manifest.connectors):
        yield _Claim("connector", (connector.name,), ("connectors", index, "name"))
    state = manifest.state
    where = "prefix" if state.backend == "gcs" else "key"
    named = getattr(state, where)
    if state.backend != "local" and named is not None:  # by default it has the stack's own name in it
        said = state.model_dump(exclude={"key", "prefix", "region"})
        place = tuple(str(value) for value in (*said.values(), named))
        yield _Claim("place of Terraform's state", place, ("state", where))


def _bucket(loaded: LoadedManifest, store: ArtifactStore, loc: Loc) -> Iterator[_Claim]:
    manifest = loaded.manifest
    provider = PROVIDERS[manifest.provider]
    if not provider.scheme:
        if store.bucket is not None:
            path = os.path.realpath(loaded.path.parent / store.bucket)
            yield _Claim("directory", (path,), loc)
        return
    name = store.bucket or _generated(manifest, store)
    if name is not None:
        yield _Claim("bucket", (manifest.provider, manifest.endpoint_url, store.storage_account, name), loc)


def _generated(manifest: Manifest, store: ArtifactStore) -> str | None:
    """The name that a bucket will get, where the manifest alone tells the account that is part of it."""
    account = manifest.account or manifest.endpoint_url
    return generated_bucket(manifest.name, store.renamed_from or store.name, account) if account else None


def _problem(loaded: LoadedManifest, claim: _Claim, earlier: LoadedManifest) -> Problem:
    tree = read_chain(loaded.path).tree
    mark = find(tree, claim.loc)[0].node.mark if tree is not None else (str(loaded.path), 0, 0)
    message = f"the {claim.kind} {claim.name!r} is also in {earlier.path}"
    if _lends(earlier, loaded):
        message += f", which this extends: {_MARK.format('that')}"
    elif _lends(loaded, earlier):
        message += f", which extends this: {_MARK.format('this')}"
    else:
        message += f": {_WHY[claim.kind]}"
    return Problem(*mark, path_text(claim.loc), message)


def _lends(base: LoadedManifest, other: LoadedManifest) -> bool:
    """Whether ``other`` extends ``base``."""
    path = os.path.realpath(base.path)
    return any(os.path.realpath(source.path) == path for source in other.sources[1:])
