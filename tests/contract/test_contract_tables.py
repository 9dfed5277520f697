"""Tables through a store: pandas, pyarrow and dask with its filesystem, which has its live credentials."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from contract_rigs import Scene
from pyarrow import dataset, parquet

# pyarrow leaves the closing of what it has read to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

_TABLE = {"name": ["a", "b", "c"], "value": [1, 2, 3]}


@pytest.fixture
def folder(scene: Scene) -> str:
    return scene.store.path


def test_pandas_writes_and_reads_parquet(scene: Scene, folder: str) -> None:
    fs: Any = scene.store.fs
    pd.DataFrame(_TABLE).to_parquet(f"{folder}/table.parquet", filesystem=fs)

    read = pd.read_parquet(f"{folder}/table.parquet", filesystem=fs, columns=["value"])

    assert read.to_dict("list") == {"value": [1, 2, 3]}


def test_pyarrow_scans_a_dataset_of_several_files(scene: Scene, folder: str) -> None:
    fs: Any = scene.store.fs
    for part in ("one", "two"):
        parquet.write_table(pa.table(_TABLE), f"{folder}/{part}.parquet", filesystem=fs)

    found = dataset.dataset(folder, filesystem=fs, format="parquet")

    assert found.count_rows() == 6
    assert found.to_table(filter=dataset.field("value") > 2)["name"].to_pylist() == ["c", "c"]


def test_dask_reads_a_folder_of_files(scene: Scene, folder: str) -> None:
    frames = pytest.importorskip("dask.dataframe")
    fs: Any = scene.store.fs
    for part in ("one", "two"):
        pd.DataFrame(_TABLE).to_parquet(f"{folder}/{part}.parquet", filesystem=fs)

    read = frames.read_parquet(f"{folder}/*.parquet", filesystem=fs)

    assert int(read["value"].sum().compute(scheduler="threads")) == 12
