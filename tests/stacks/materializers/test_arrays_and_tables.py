"""Arrays and tables in formats that other programs read, and that are read without unpickling."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from stored_types import stored
from workshop import Workshop


@pytest.mark.parametrize(
    "value",
    [
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.array(5),
        np.array([]),
        np.array(["a", "bc"]),
        np.float64(1.5),
        np.int8(-3),
        np.datetime64("2026-11-20"),
        np.zeros(2, dtype=[("a", "i4"), ("b", "U3")]),
        np.asfortranarray(np.eye(3)),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.dtype}",
)
def test_arrays_come_back_without_pickling(workshop: Workshop, value: Any) -> None:
    back, by = stored(value)

    assert by == "numpy"
    assert type(back) is type(value)
    assert back.dtype == value.dtype
    np.testing.assert_array_equal(back, value)


@pytest.mark.parametrize(
    "value", [np.array([{}, None], dtype=object), np.ma.masked_array([1, 2], mask=[False, True])]
)
def test_arrays_that_npy_would_change_are_pickled(workshop: Workshop, value: Any) -> None:
    back, by = stored(value)

    assert by == "cloudpickle"
    assert type(back) is type(value)


TABLE = pd.DataFrame(
    {
        "n": [1, 2],
        "when": pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True),
        "c": pd.Categorical(["a", "b"]),
    },
    index=pd.Index(["i", "j"], name="key"),
)


@pytest.mark.parametrize(
    "value",
    [
        TABLE,
        pd.DataFrame(),
        pd.Series([1.5, None], name="s"),
        pd.Series(["a"], index=[9]),
        pd.DataFrame({"a": range(3)}, index=pd.date_range("2026", periods=3)),
    ],
)
def test_tables_are_parquet(workshop: Workshop, value: Any) -> None:
    back, by = stored(value)

    assert by == "pandas"
    (pd.testing.assert_frame_equal if value.ndim == 2 else pd.testing.assert_series_equal)(
        back, value, check_freq=False
    )


@pytest.mark.parametrize(
    "value",
    [
        TABLE.rename(columns={"n": 7}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": [object(), 1]}),
        pd.Index([1, 2]),
        pd.DataFrame({"mixed": [1, None]}, dtype=object),
    ],
    ids=["number among column names", "a name twice", "objects", "index", "numbers as objects"],
)
def test_tables_that_parquet_would_change_come_back_all_the_same(workshop: Workshop, value: Any) -> None:
    back, by = stored(value)

    assert by in {"cloudpickle", "pandas"}
    assert type(back) is type(value)
    if isinstance(value, pd.DataFrame):
        assert list(map(str, back.columns)) == list(map(str, value.columns))
        assert back.dtypes.tolist() == value.dtypes.tolist()


def test_arrow_tables_keep_schema_and_metadata(workshop: Workshop) -> None:
    table = pa.table({"a": pa.array([1, None], pa.int8()), "b": [["x"], []]}).replace_schema_metadata(
        {"k": "v"}
    )

    back, by = stored(table)

    assert by == "pyarrow"
    assert back.equals(table, check_metadata=True)


def test_tensors_come_back_without_pickling(workshop: Workshop) -> None:
    torch = pytest.importorskip("torch")

    back, by = stored({"weights": torch.arange(6.0).reshape(2, 3)})

    assert by == "json"
    assert torch.equal(back["weights"], torch.arange(6.0).reshape(2, 3))
    assert not any(name.endswith(".pkl") for name in workshop.files())


def test_no_package_is_imported_before_a_value_needs_it(workshop: Workshop) -> None:
    heavy = ("numpy", "pandas", "pyarrow", "torch", "pydantic", "cloudpickle")
    program = (
        "import sys\nfrom stacks import save_artifact\nsave_artifact({'a': [1]}, 'value').load()\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
