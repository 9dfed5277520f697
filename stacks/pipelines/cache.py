"""Whether an identical step has run on this store before, by whomever."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from stacks.artifacts import ArtifactVersion, History, layout
from stacks.artifacts.records import CacheEntry, Ref, cache_json, parse_cache_entry
from stacks.errors import ArtifactError, MaterializerError
from stacks.materializers.registry import name_of
from stacks.pipelines.code import Unknowable, code_of, identity_of
from stacks.pipelines.graph import DEFAULT, Invocation
from stacks.pipelines.parameters import hardened
from stacks.pipelines.steps import Step

logger = logging.getLogger(__name__)

READ_UP_TO = 8 * 1024 * 1024
"""Bytes of a cached output up to which its content is compared before it is used; of a larger one, its sizes.
Whatever its size, it is compared when a step loads it."""

_SCHEMA = 2  # changed when two keys that were equal should not be


def cache_key(invocation: Invocation, digests: Mapping[str, str]) -> str | None:
    """The key of a step: its code and what it declares, its parameters, and the content of its inputs.

    None for a step that cannot be cached: what it does depends on something that nobody can compare.
    """
    step = invocation.step
    try:
        code, defaults, materializers = code_of(step.function), _defaults(invocation), _materializers(step)
        parameters = hardened(invocation.parameters, _json(code))
    except (Unknowable, MaterializerError) as reason:
        logger.info("the step %s is not cached: %s", invocation.name, reason)
        return None
    parts = {
        "schema": _SCHEMA,
        "code": code,
        "outputs": [[one.name, one.named] for one in step.outputs.each],
        "several": step.outputs.several,
        "materializers": materializers,
        "parameters": parameters,
        "defaults": defaults,
        "inputs": digests,
    }
    # In their own order: a step can tell one mapping from another that has the same names in another order.
    return hashlib.sha256(_json(parts)).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def _defaults(invocation: Invocation) -> list[Any]:
    """Those that a record has no place for: a function counts with its code."""
    return [
        [name, identity_of(invocation.arguments[name])]
        for name, shown in invocation.parameters.items()
        if shown == DEFAULT
    ]


def _materializers(step: Step) -> list[Any]:
    found: list[Any] = []
    for output in step.outputs.each:
        kind = step.materializer(output.name)
        found.append(None if kind is None else [name_of(kind), code_of(kind.save)])
    return found


def cached_outputs(history: History, key: str) -> dict[str, ArtifactVersion] | None:
    """The outputs of a step with that key, if it has run and they are still there.

    A look-up that finds nothing is one small read.
    """
    path = history.at(layout.cached(key))
    try:
        entry = parse_cache_entry(history.store.read_many([path])[0], path)
        found = history.versions_of(list(entry.outputs.values()))
    except FileNotFoundError:
        return None
    except ArtifactError as error:
        logger.info("a cached output is not used: %s", error)
        return None
    for version in found:
        if not history.is_there(version.record, read_up_to=READ_UP_TO):
            logger.warning("%s is damaged or gone: the step that made it runs again", version.uri)
            return None
    return dict(zip(entry.outputs, found, strict=True))


def remember(history: History, key: str, outputs: Mapping[str, Ref]) -> None:
    """Let others find the outputs of a step; later ones take the place of earlier ones."""
    history.store.write_many([(history.at(layout.cached(key)), cache_json(CacheEntry(outputs)))])
