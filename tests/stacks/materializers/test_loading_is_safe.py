"""Loading runs nobody's code: what a record names is looked up among what is imported, and no more."""

from __future__ import annotations

import builtins
import json
from dataclasses import dataclass
from typing import Any

import pytest
from stored_types import Config, Plain, Point
from workshop import Workshop

from stacks import save_artifact
from stacks.errors import MaterializerError


def test_loading_imports_calls_and_evaluates_nothing_that_a_record_names(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to a store can write a file that names ``os.system``, or a class of another kind."""
    version = save_artifact([Point(1, 2), Config(name="a")], "value")

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("antigravity"):
            raise AssertionError(f"imported {name}")
        return importer(name, *rest, **more)

    importer = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    for evil in ("antigravity:fly", "os:system", "subprocess:Popen", "stored_types:Plain"):
        for tag, field_name in (("$dataclass", "fields"), ("$model", "json"), ("$enum", "name")):
            with pytest.raises(MaterializerError):
                _decode({tag: evil, field_name: {}})
    assert version.load()[0] == Point(1, 2)


def _decode(data: Any) -> Any:
    from stacks.materializers.codec import Decoder

    return Decoder().loads(json.dumps(data))


class Watched:
    """Counts how often it is made."""

    made = 0


@dataclass
class Active:
    """A dataclass that does something when it is made."""

    value: int

    def __post_init__(self) -> None:
        Watched.made += 1


def test_a_dataclass_comes_back_without_its_constructor(workshop: Workshop) -> None:
    version = save_artifact(Active(1), "value")
    before = Watched.made

    assert version.load().value == 1
    assert Watched.made == before


def test_a_class_that_is_not_imported_is_named_in_the_error(workshop: Workshop) -> None:
    from stacks.materializers.classes import required

    with pytest.raises(MaterializerError, match=r"Config\.Inner of my_code is not imported") as caught:
        required("my_code:Config.Inner", "dataclass")
    assert caught.value.hint == "import it before loading: from my_code import Config"


def test_a_pickle_can_be_refused(workshop: Workshop) -> None:
    version = save_artifact(Plain(1), "value")

    with pytest.raises(MaterializerError, match="loading it would run the code in it"):
        version.load(allow_pickle=False)
    assert version.load() == Plain(1)
    assert save_artifact([1], "other").load(allow_pickle=False) == [1]


def test_a_class_with_other_fields_than_were_stored_says_so(workshop: Workshop) -> None:
    here = "stored_types:Point"
    with pytest.raises(MaterializerError, match=r"Point has no field z any more"):
        _decode({"$dataclass": here, "fields": {"x": 1, "y": 2, "z": 3}})
    with pytest.raises(MaterializerError, match=r"has a new field y without a default"):
        _decode({"$dataclass": here, "fields": {"x": 1}})
    assert _decode({"$dataclass": here, "fields": {"x": 1, "y": 2}}) == Point(1, 2)
    with pytest.raises(MaterializerError, match="has no member GREEN"):
        _decode({"$enum": "stored_types:Colour", "name": "GREEN"})
