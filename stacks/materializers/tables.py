"""Tables: pandas as Parquet, which other programs read too; pyarrow in Arrow's own stream format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from stacks.materializers.base import BaseMaterializer, Declined

_SERIES = b"stacks.series"


class PandasMaterializer(BaseMaterializer):
    """``DataFrame`` and ``Series``; those that Parquet would change go another way."""

    NAME: ClassVar[str | None] = "pandas"

    def save(self, data: Any) -> None:
        import pandas as pd

        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise Declined("pyarrow is not installed") from error
        if type(data) not in (pd.DataFrame, pd.Series):
            raise Declined
        if data.ndim > 1 and data.columns.inferred_type.startswith("mixed"):
            raise Declined("Parquet's columns have names that are text")
        try:
            table = _table(data, pa)
            if not _same(_value(table), data):
                raise Declined("Parquet would change it")
        except (pa.ArrowException, ValueError, TypeError, KeyError) as error:
            raise Declined(str(error)) from error
        with self.artifact_store.open(f"{self.uri}/data.parquet", "wb") as file:
            pq.write_table(table, file)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - the file says what is in it
        import pyarrow.parquet as pq

        with self.artifact_store.open(f"{self.uri}/data.parquet", "rb") as file:
            return _value(pq.read_table(file))

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:
        return {"shape": list(data.shape)}


class ArrowMaterializer(BaseMaterializer):
    """``pyarrow.Table``."""

    NAME: ClassVar[str | None] = "pyarrow"

    def save(self, data: Any) -> None:
        import pyarrow as pa

        if type(data) is not pa.Table:
            raise Declined
        with (
            self.artifact_store.open(f"{self.uri}/data.arrows", "wb") as file,
            pa.ipc.new_stream(file, data.schema) as writer,
        ):
            writer.write_table(data)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - there is one type
        import pyarrow as pa

        with self.artifact_store.open(f"{self.uri}/data.arrows", "rb") as file:
            return pa.ipc.open_stream(file).read_all()

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:
        return {"rows": data.num_rows, "columns": data.column_names}


def _table(data: Any, pa: Any) -> Any:
    if data.ndim == 2:
        return pa.Table.from_pandas(data)
    if not (data.name is None or type(data.name) in (str, int)):
        raise Declined("the series has a name that is no text")
    table = pa.Table.from_pandas(data.to_frame("values"))
    return table.replace_schema_metadata({**table.schema.metadata, _SERIES: json.dumps(data.name).encode()})


def _value(table: Any) -> Any:
    frame = table.to_pandas()
    name = (table.schema.metadata or {}).get(_SERIES)
    return frame if name is None else frame["values"].rename(json.loads(name))


def _same(back: Any, data: Any) -> bool:
    """Whether what would be loaded is what is stored, types, names and attributes too."""
    if data.ndim == 1 and (back.name != data.name or back.dtype != data.dtype):
        return False
    if data.ndim > 1 and not (back.columns.equals(data.columns) and back.dtypes.equals(data.dtypes)):
        return False
    names = back.index.names == data.index.names
    return bool(
        names and back.attrs == data.attrs and type(back.index) is type(data.index) and back.equals(data)
    )
