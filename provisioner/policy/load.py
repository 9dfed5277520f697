"""Find and read the policy of a manifest; its mistakes are told like a manifest's, each at its place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from provisioner.errors import InputError, ManifestError, Problem
from provisioner.manifest.extends import read_file, read_text
from provisioner.manifest.scalars import described
from provisioner.manifest.tree import MapNode, Node, ScalarNode, broken_places, find, path_text, to_data
from provisioner.manifest.validate import nearest
from provisioner.policy.models import PolicyFile

FILE = "policy.yaml"
VARIABLE = "PROVISION_POLICY"
_HINT = "`provision schema --of policy` prints every rule with its description"
_WORDS_FOR = {
    "missing": "",
    "too_short": "at least one",
    "too_long": "a shorter list",
    "tuple_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
    "dict_type": "a mapping",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy and the file it is from."""

    path: Path
    asks: PolicyFile


def find_policy(folder: Path) -> Path | None:
    """The policy file beside a manifest, or above it as far as the root of the repository."""
    folder = Path(os.path.realpath(folder))
    inside = [folder, *folder.parents]
    tops = [index for index, place in enumerate(inside) if (place / ".git").exists()]
    for place in inside[: tops[0] + 1 if tops else 1]:
        if (place / FILE).is_file():
            return place / FILE
    return None


def policy_for(
    folder: Path, explicit: Path | None = None, environ: Mapping[str, str] | None = None
) -> Policy | None:
    """The policy in force for a manifest in ``folder``: the given file, that of the environment, or its own.

    Raises :class:`ManifestError` with everything that is wrong in it.
    """
    named = (os.environ if environ is None else environ).get(VARIABLE)
    path = explicit or (Path(named) if named else None) or find_policy(folder)
    return load_policy(path) if path is not None else None


def load_policy(path: Path) -> Policy:
    """Read a policy file. Raises :class:`ManifestError`, and :class:`InputError` when there is none."""
    try:
        raw = read_file(path)
    except InputError as error:
        raise InputError(error.message, hint=f"name a policy file, or write {FILE}") from error
    tree, problems = read_text(raw, str(path))
    if tree is not None and not isinstance(tree, MapNode):
        if not (isinstance(tree, ScalarNode) and tree.broken):
            found = described(to_data(tree))
            problems.append(
                Problem(*tree.mark, "", f"found {found}; allowed: a mapping with version and rules")
            )
        tree = None
    if tree is not None:
        silent = set(broken_places(tree))
        try:
            asks = PolicyFile.model_validate(to_data(tree))
        except ValidationError as error:
            found_problems = [_problem(details, tree) for details in error.errors(include_url=False)]
            problems += [item for item, loc in found_problems if loc not in silent]
        else:
            problems += _keys(asks, tree)
            if not problems:
                return Policy(path, asks)
    raise ManifestError(
        sorted(dict.fromkeys(problems), key=lambda item: (item.line, item.column)), hint=_HINT
    )


def _keys(asks: PolicyFile, tree: Node) -> list[Problem]:
    from provisioner.bundle.signing import read_public_key

    problems = []
    for index, key in enumerate(asks.require_signature):
        try:
            read_public_key(key)
        except InputError as error:
            entry, _ = find(tree, ("require_signature", index))
            problems.append(Problem(*entry.node.mark, f"require_signature[{index}]", error.message))
    return problems


def _problem(error: ErrorDetails, tree: Node) -> tuple[Problem, tuple[str | int, ...]]:
    loc = tuple(step for step in error["loc"] if step != "[key]")
    entry, _ = find(tree, loc)
    kind = error["type"]
    if kind == "extra_forbidden":
        return Problem(*entry.key, path_text(loc), _unknown(loc)), loc
    if kind == "missing":
        return Problem(*entry.node.mark, path_text(loc), "required field is missing"), loc
    if kind == "manifest":
        return Problem(*entry.node.mark, path_text(loc), str(error["ctx"]["sentence"])), loc
    # The level alone stands in the place of the whole rule.
    found = described(to_data(entry.node))
    if kind == "literal_error":
        allowed = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        given = error["input"]
        allowed += nearest(given, allowed.split(", ")) if isinstance(given, str) else ""
    else:
        allowed = _WORDS_FOR.get(kind, error["msg"])
    return Problem(*entry.node.mark, path_text(loc), f"found {found}; allowed: {allowed}"), loc


def _unknown(loc: Sequence[str | int]) -> str:
    known = list(_fields_at(loc[:-1]))
    hint = nearest(str(loc[-1]), known)
    return f"unknown field{hint}" if hint else f"unknown field; allowed: {', '.join(known)}"


def _fields_at(loc: Sequence[str | int]) -> Mapping[str, Any]:
    model: type[BaseModel] | None = PolicyFile
    for step in loc:
        info = model.model_fields.get(str(step)) if model is not None else None
        model = _model(info.annotation) if info is not None else None
    return model.model_fields if model is not None else {}


def _model(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in {Union, UnionType}:
        return next((found for part in get_args(annotation) if (found := _model(part))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
