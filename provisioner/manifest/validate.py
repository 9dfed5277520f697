"""A tree to a manifest, or to every problem it has, each at its place.

Pydantic judges field by field. What it refuses is then left out (or stood in for), so that the rules between
fields still speak about the rest in the same run; what they say about a place already in doubt is dropped.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from provisioner.errors import Problem
from provisioner.manifest.findings import Finding
from provisioner.manifest.models import Manifest, model_in
from provisioner.manifest.rules import broken_rules
from provisioner.manifest.scalars import described
from provisioner.manifest.text import hidden_problem
from provisioner.manifest.tree import (
    Loc,
    MapNode,
    Node,
    ScalarNode,
    broken_places,
    find,
    path_text,
    to_data,
)

_LONGEST_WORD = 40
_SECRET_WORDS = ("secret", "password", "token", "access_key", "credential")


def validate(tree: Node) -> tuple[Manifest | None, list[Problem]]:
    """The manifest of a tree as it was written (nothing filled in yet), and all problems beside those
    already reported for its broken places."""
    if isinstance(tree, ScalarNode) and tree.broken:
        return None, []
    if not isinstance(tree, MapNode):
        found = described(to_data(tree))
        return None, [Problem(*tree.mark, "", f"found {found}; allowed: a mapping with version, name, …")]
    data = to_data(tree)
    silent = set(broken_places(tree))
    manifest, errors = _model(data)
    findings = [_finding(error, tree) for error in errors]
    doubtful = silent | {finding.loc for finding in findings}
    findings = [finding for finding in findings if not doubtful.intersection(finding.because)]
    if manifest is None:
        manifest, _ = _model(_without(data, errors))
    if manifest is not None:
        findings += [found for found in broken_rules(manifest) if not _in_doubt(found, doubtful)]
    problems = [_placed(finding, tree) for finding in findings if finding.loc not in silent]
    return (manifest if not problems and not silent else None), problems


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean "bucket"?)`` when one of the known words is near, else nothing."""
    if len(word) > _LONGEST_WORD:
        return ""
    near = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""


def _model(data: Any) -> tuple[Manifest | None, list[ErrorDetails]]:
    try:
        return Manifest.model_validate(data), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _in_doubt(finding: Finding, doubtful: set[Loc]) -> bool:
    """Whether a finding leans on a place that has a problem of its own, or stands in one."""
    places = (finding.loc, *finding.because)
    return any(place[:length] in doubtful for place in places for length in range(1, len(place) + 1))


def _placed(finding: Finding, tree: Node) -> Problem:
    entry, taken = find(tree, finding.loc)
    exact = taken == len(finding.loc)
    mark = entry.key if finding.at_key and exact else entry.node.mark
    return Problem(*mark, path_text(finding.loc), finding.message)


# --- pydantic's errors in our words ---------------------------------------------------------------------


def _finding(error: ErrorDetails, tree: Node) -> Finding:
    key_of_mapping = error["loc"][-1:] == ("[key]",)
    loc: Loc = error["loc"][:-1] if key_of_mapping else error["loc"]
    kind = error["type"]
    if kind == "extra_forbidden":
        return Finding(loc, _unknown(loc), at_key=True)
    if kind == "missing":
        return Finding(loc, f"required field is missing{_asked(loc)}", because=(("extends",),))
    context = error.get("ctx", {})
    if kind == "manifest":
        return Finding(loc, str(context["sentence"]), at_key=key_of_mapping)
    entry, _ = find(tree, loc)
    found = described(to_data(entry.node))
    return Finding(loc, f"found {found}; allowed: {_allowed(kind, context, error)}", at_key=key_of_mapping)


_WORDS_FOR = {
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
}


def _allowed(kind: str, context: dict[str, Any], error: ErrorDetails) -> str:
    if kind == "literal_error":
        words = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        given = error["input"]
        return words + (nearest(given, words.split(", ")) if isinstance(given, str) else "")
    return _WORDS_FOR[kind].format(**context) if kind in _WORDS_FOR else error["msg"]


def _model_at(loc: Loc) -> type[BaseModel] | None:
    """The model whose fields may stand at ``loc``, through lists and optional values."""
    here: type[BaseModel] | None = Manifest
    for step in loc:
        if isinstance(step, int):
            continue
        info = here.model_fields.get(step) if here is not None else None
        here = model_in(info.annotation) if info is not None else None
    return here


def _unknown(loc: Loc) -> str:
    key = str(loc[-1])
    hidden = hidden_problem(key)
    if hidden is not None:
        return f"unknown field: {hidden}"
    model = _model_at(loc[:-1])
    known = list(model.model_fields) if model is not None else []
    hint = nearest(key, known)
    if not hint and any(word in key.lower() for word in _SECRET_WORDS):
        return (
            "unknown field (a manifest holds no secrets: keep it with `provision secret create` and name "
            "it in a connector's authentication_secret)"
        )
    return f"unknown field{hint}" if hint else f"unknown field; allowed: {', '.join(known)}"


def _asked(loc: Loc) -> str:
    model = _model_at(loc[:-1])
    info = model.model_fields.get(str(loc[-1])) if model is not None else None
    if info is None or not info.examples:
        return ""
    example = info.examples[0]
    text = example if isinstance(example, str | int) else "[{name: prod_store}]"
    return f", for example `{loc[-1]}: {text}`"


# --- what is left when the wrong is taken away --------------------------------------------------------


def _without(data: Any, errors: Iterable[ErrorDetails]) -> Any:
    """``data`` without what the errors name.

    Required fields and items of lists get a stand-in: the rest is judged, and every index stays what it was.
    """
    rest = copy.deepcopy(data)
    for error in errors:
        loc = tuple(step for step in error["loc"] if step != "[key]")
        if not loc:
            continue
        parent, last = _at(rest, loc[:-1]), loc[-1]
        stand_in = _stand_in(loc)
        if isinstance(parent, dict):
            parent.pop(last, None)
            if stand_in is not None:
                parent[last] = stand_in
        elif isinstance(parent, list) and isinstance(last, int):
            parent[last] = stand_in
    return rest


def _stand_in(loc: Loc) -> object:
    """A value that breaks no rule; names are unique, lest one seems repeated."""
    unique = "in-doubt" + "".join(f"-{step}" for step in loc if isinstance(step, int))
    if loc == ("version",):
        return 1
    if loc[-1] == "name":
        return unique
    if isinstance(loc[-1], int):
        return "arn:aws:iam::000000000000:root" if "trusted_principals" in loc else {"name": unique}
    return None


def _at(data: Any, loc: Loc) -> Any:
    for step in loc:
        if isinstance(data, dict):
            data = data.get(step)
        else:
            data = data[step] if isinstance(data, list) and isinstance(step, int) else None
    return data
