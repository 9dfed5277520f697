"""Whatever is stored comes back as it was: its value, its type, and without running code on the way."""

from __future__ import annotations

import collections
import json
import math
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored_types import Colour, Config, Frozen, Level, Lossy, Pair, Plain, Point, Rights, stored
from workshop import Workshop

from stacks import save_artifact
from stacks.errors import MaterializerError

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

JSON: list[Any] = [
    None,
    True,
    0,
    -1,
    2**64 + 1,
    10**5000,
    0.1,
    math.inf,
    -0.0,
    1e308,
    2 + 3j,
    "",
    "Grüße\u2028\ud800",
    b"\x00\xff" * 0,
    [],
    [1, [2, [3]]],
    {},
    {"a": {"b": None}},
    (),
    (1,),
    ((1, 2), [3]),
    set(),
    {1, "a", (2, 3)},
    frozenset({b"x"}),
    {1: "a", (2, 3): "b", None: 4},
    {"$int": "0x1"},
    {"$dataclass": "os:system", "fields": {}},
    {"": 0},
    collections.OrderedDict([("b", 1), ("a", 2)]),
    bytearray(b"ab"),
    [b"bytes within"],
    range(3, 9, 2),
    datetime(2026, 11, 20, 10, 0, 0, 123456),  # noqa: DTZ001 - one without a zone, too
    datetime(2026, 11, 20, 10, tzinfo=UTC),
    datetime(2026, 11, 20, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    date(2026, 11, 20),
    time(1, 2, 3, 4),
    timedelta(-1, 2, 3),
    Decimal("1.10"),
    UUID(int=7),
    Colour.RED,
    Level.LOW,
    [Colour.BLUE, {Level.LOW: 1}],
    Point(1.0, 2.0, {"a"}),
    Frozen(Point(1, 2), datetime(2026, 1, 1, tzinfo=UTC)),
    [Point(0, 0), (Point(1, 1),)],
    Config(name="a", inner=Config(name="b", limits={"$x": 1.5})),
    {"models": [Config(name="c")]},
]


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types all the way down; -0.0 is not 0.0 and NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, datetime):
        return (one, repr(one.tzinfo), one.fold) == (other, repr(other.tzinfo), other.fold)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return bool(one == other)


@pytest.mark.parametrize("value", JSON, ids=lambda value: type(value).__name__)
def test_plain_values_are_json(workshop: Workshop, value: Any) -> None:
    back, by = stored(value)

    assert same(back, value)
    assert by == "json" or value == b""


def test_not_a_number_is_one_again(workshop: Workshop) -> None:
    assert math.isnan(stored(math.nan)[0])
    assert math.isnan(stored({"a": [math.nan]})[0]["a"][0])


def test_what_is_plain_can_be_read_by_any_other_program(workshop: Workshop) -> None:
    version = save_artifact({"accuracy": 0.93, "labels": ["cat", "dog"]}, "report")

    assert workshop.document(f"{version.record.path}/data.json") == {
        "accuracy": 0.93,
        "labels": ["cat", "dog"],
    }


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.uuids(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_any_nesting_comes_back(workshop: Workshop, value: Any) -> None:
    assert same(stored(value)[0], value)


def test_bytes_are_one_file_as_they_are(workshop: Workshop) -> None:
    version = save_artifact(b"\x00\x01", "raw")

    assert (version.materializer, version.load()) == ("bytes", b"\x00\x01")
    assert (workshop.root / version.record.path / "data.bin").read_bytes() == b"\x00\x01"


def test_a_long_list_is_written_and_read_in_slices(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    data: list[Any] = [{"n": number, "text": "a\nb,"} for number in range(25_000)]
    data[12_345] = Plain(1)
    sizes: list[int] = []
    loads = json.loads

    def measured(text: bytes, **more: Any) -> Any:
        sizes.append(len(text))
        return loads(text, **more)

    monkeypatch.setattr("json.loads", measured)

    back, by = stored(data)

    assert (by, back) == ("json", data)
    whole = next(path for path in workshop.root.rglob("data.json")).stat().st_size
    assert max(sizes) < whole / 2


# ---- what goes beside the JSON --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        Plain(1),
        Pair(1, 2),
        Rights.READ | Rights.WRITE,
        collections.Counter("aab"),
        Lossy(value={1, 2}),
        ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_place_in_json_comes_back_by_cloudpickle(workshop: Workshop, value: Any) -> None:
    back, by = stored([value, 1])

    assert by == "json"
    assert type(back[0]) is type(value)
    assert repr(back[0]) == repr(value) or back[0] == value
    assert any(name.endswith("objects/data.pkl") for name in workshop.files())


def test_functions_and_classes_made_on_the_spot_come_back(workshop: Workshop) -> None:
    @dataclass
    class Local:
        value: int

    back, by = stored(Local(3))
    assert (by, back.value) == ("cloudpickle", 3)
    assert stored(lambda x: x + 1)[0](1) == 2


def test_many_objects_of_one_container_share_one_file(workshop: Workshop) -> None:
    one = Plain(1)

    back, _ = stored([one, one, {"more": [Plain(2)]}])

    assert back == [Plain(1), Plain(1), {"more": [Plain(2)]}]
    assert len(workshop.files()) == 2
    assert back[0] is back[1]


def test_a_container_of_arrays_and_files_has_a_folder_for_each(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")

    back, by = stored({"weights": np.arange(3), "report": tmp_path / "a.txt", "n": 1})

    assert by == "json"
    assert back["weights"].tolist() == [0, 1, 2]
    assert back["report"].read_text() == "hello"
    assert [name.removeprefix("saved/by_hand/value/1/") for name in workshop.files()] == [
        "data.json",
        "items/0/data.npy",
        "items/1/content/file",
        "items/1/path.json",
    ]


def test_a_list_that_contains_itself_comes_back_as_one(workshop: Workshop) -> None:
    ring: list[Any] = [1]
    ring.append(ring)

    back, by = stored(ring)

    assert by == "cloudpickle"
    assert back[1] is back
    assert workshop.files() == ["saved/by_hand/value/1/data.pkl"]


def test_a_dataclass_with_more_than_its_fields_keeps_it(workshop: Workshop) -> None:
    point = Point(1, 2)
    point.extra = "kept"  # type: ignore[attr-defined] # that is the point

    assert stored(point)[0].extra == "kept"


def test_what_cannot_be_stored_says_so_and_leaves_nothing(workshop: Workshop) -> None:
    with pytest.raises(MaterializerError, match="generator cannot be stored") as caught:
        save_artifact((one for one in "ab"), "value")

    assert "ASSOCIATED_TYPES" in str(caught.value.hint)
    assert workshop.files() == []
    assert workshop.client.list_artifacts() == []
