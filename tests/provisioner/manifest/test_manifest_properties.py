"""Properties over all text that a manifest can hold: refused, or kept as those very characters."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_samples import EVERYTHING, LOCAL
from pydantic import BaseModel
from ruamel.yaml import YAML

from provisioner.errors import ManifestError
from provisioner.manifest import Manifest, dump_manifest, parse_manifest
from provisioner.manifest.scalars import Plain, as_integer
from provisioner.manifest.text import hidden_character
from provisioner.manifest.tree import to_data
from provisioner.manifest.yaml_source import read_tree

Place = tuple[str | int, ...]

NASTY = [
    '${file("/etc/passwd")}',
    "$${x}",
    "%{ if true }x%{ endif }",
    "{{ x }}",
    "{{secret.key}}",
    "{% raw %}",
    '"',
    "'",
    "\\",
    '"; exit 1; #',
    "a\nb",
    "a\r\nb",
    "a\0b",
    "\t",
    "a\u202eb",
    "a\u200bb",
    "\ufeff",
    "a\u0301",
    "\u0430\u0440\u0440le",
    "\uff21\uff22\uff23",
    "*",
    "&a",
    "!!python/object:os.system",
    "<<",
    "~",
    "null",
    "true",
    "no",
    "1.10",
    "22:30",
    "0x1F",
    "- a",
    "a: b",
    "# a",
    "",
    " ",
    "../../etc",
    "a//b",
    "aws:x",
    "\U0001f600",
    "\ud800",
]
text = (
    st.sampled_from(NASTY) | st.text(max_size=40) | st.text("ab-_./:=$%{}'\"\\ \u0430\u202e\n", max_size=12)
)
spliced = st.builds(
    lambda head, nasty, tail: head + nasty + tail,
    st.sampled_from(["", "a", "ab-"]),
    text,
    st.sampled_from(["", "a"]),
)


def _places(data: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in the data that holds text."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _places(value, (*here, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _places(value, (*here, index))
    elif isinstance(data, str):
        yield here


def _text_fields(model: type[BaseModel], here: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field of the models that may hold text, without the indices of lists."""
    for name, field in model.model_fields.items():
        inner = [part for part in _parts(field.annotation) if isinstance(part, type)]
        models = [part for part in inner if issubclass(part, BaseModel)]
        for part in models:
            yield from _text_fields(part, (*here, name))
        if (not models and str in inner) or name in {"backend", "profile", "access"}:
            yield (*here, name)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


BASES = {"aws": _load(EVERYTHING), "local": _load(LOCAL)}
PLACES = [(base, place) for base, data in BASES.items() for place in _places(data)]


def _with(data: Any, place: Place, value: str) -> Any:
    changed = copy.deepcopy(data)
    part = changed
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    return changed


def _at(manifest: Manifest, place: Place) -> Any:
    part: Any = manifest
    for step in place:
        part = getattr(part, step) if isinstance(part, BaseModel) else part[step]  # type: ignore[arg-type]  # a field's name
    return part


def _can_be_seen(message: str) -> bool:
    return not any(
        unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in message.replace("\n", "")
    )


OTHER_BACKENDS = {("state", "prefix"), ("state", "storage_account"), ("state", "container")}


def test_the_samples_fill_every_text_field_of_the_models() -> None:
    filled = {tuple(step for step in place if isinstance(step, str)) for _, place in PLACES}
    filled |= {place[:1] for place in filled if place[0] == "tags"}
    # Not in the samples: what other providers and other backends have, and what needs a file.
    azure = ("storage_account", "resource_group", "allowed_networks", "private_endpoint_subnet")
    special = (*azure, "replica_region")
    absent = {*(("artifact_stores", name) for name in special), ("extends",), *OTHER_BACKENDS}
    assert set(_text_fields(Manifest)) - filled == absent


@pytest.mark.parametrize("nasty", NASTY)
def test_each_nasty_text_in_each_field_is_refused_or_kept(nasty: str) -> None:
    for base, place in PLACES:
        _refused_or_kept(base, place, nasty)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), spliced)
def test_any_text_in_any_field_is_refused_or_kept(where: tuple[str, Place], value: str) -> None:
    _refused_or_kept(*where, value)


def _refused_or_kept(base: str, place: Place, value: str) -> None:
    manifest = _manifest_or_none(dump_manifest(_with(BASES[base], place, value)))
    if manifest is not None:
        assert _at(manifest, place) == value


def _manifest_or_none(text: str, *overrides: str) -> Manifest | None:
    """The manifest, or None when it was refused in words that can be printed anywhere."""
    refusal = None
    try:
        return parse_manifest(text, overrides=overrides)
    except ManifestError as error:
        refusal = str(error)
    assert _can_be_seen(refusal), repr(refusal)
    return None


@settings(max_examples=200, deadline=None)
@given(spliced, spliced)
def test_any_tag_is_refused_or_kept(key: str, value: str) -> None:
    manifest = _manifest_or_none(dump_manifest(BASES["aws"] | {"tags": {key: value}}))
    if manifest is not None:
        assert dict(manifest.tags) == {key: value}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text("a:-[]{}&*!|>#%@'\"\\ \n\t,?~0x\u202e", max_size=60))
def test_any_text_at_all_is_a_manifest_or_a_manifest_error(raw: str) -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(raw)
    assert caught.value.problems
    assert _can_be_seen(str(caught.value)), repr(str(caught.value))
    assert all(problem.line >= 1 and problem.column >= 1 for problem in caught.value.problems)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("a.[]0=:{}&*!#-' \n\u202e", max_size=30))
def test_any_option_is_taken_or_a_manifest_error(option: str) -> None:
    manifest = _manifest_or_none(EVERYTHING, option)
    assert manifest is None or "=" in option


def _visible(written: str) -> bool:
    """What hides in a text is refused when it is read; Python calls a variation selector printable."""
    return written.isprintable() and hidden_character(written) is None


leaves = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | text.filter(_visible)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text.filter(_visible), inner, max_size=4),
)


def _resolved(node: Any) -> Any:
    """Data as the core schema reads it, quotes respected."""
    if isinstance(node, dict):
        return {key: _resolved(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_resolved(value) for value in node]
    if not isinstance(node, Plain):
        return node
    if node.is_null:
        return None
    if node in {"true", "false"}:
        return node == "true"
    return as_integer(node) if node.lstrip("-").isdigit() else str(node)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(text.filter(_visible).filter(lambda key: key != "<<"), trees, max_size=5))
def test_what_is_written_is_read_back(data: dict[str, Any]) -> None:
    tree, _ = read_tree(dump_manifest(data), "written")
    assert tree is not None
    assert _resolved(to_data(tree)) == data
    assert dump_manifest(data) == dump_manifest(copy.deepcopy(data))


@pytest.mark.parametrize("data", BASES.values(), ids=list(BASES))
def test_a_written_manifest_loads_as_the_same_and_reads_well(data: dict[str, Any]) -> None:
    written = dump_manifest(dict(reversed(data.items())))
    assert written.startswith("version: 1\nname: ")
    assert parse_manifest(written) == parse_manifest(dump_manifest(data))
    assert _load(written) == data


def test_what_a_manifest_cannot_hold_is_not_written() -> None:
    with pytest.raises(TypeError, match="float"):
        dump_manifest({"version": 1.5})
