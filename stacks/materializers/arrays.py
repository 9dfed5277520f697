"""Arrays and tensors, in their packages' own formats, read without unpickling."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

from stacks.materializers.base import BaseMaterializer, Declined


class NumpyMaterializer(BaseMaterializer):
    """``numpy.ndarray`` and numpy's scalars as ``.npy``; arrays of Python objects go another way."""

    NAME: ClassVar[str | None] = "numpy"

    def save(self, data: Any) -> None:
        import numpy as np

        scalar = isinstance(data, np.generic)
        if not (scalar or type(data) is np.ndarray) or data.dtype.hasobject:
            raise Declined
        name = "scalar.npy" if scalar else "data.npy"
        with self.artifact_store.open(f"{self.uri}/{name}", "wb") as file:
            np.save(file, data, allow_pickle=False)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - the file says what is in it
        import numpy as np

        scalar = f"{self.uri}/scalar.npy"
        is_scalar = scalar.removeprefix(f"{self.uri}/") in _names(self)
        with self.artifact_store.open(scalar if is_scalar else f"{self.uri}/data.npy", "rb") as file:
            array = np.load(file, allow_pickle=False)
        return array[()] if is_scalar else array

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:
        return {"shape": list(data.shape), "dtype": str(data.dtype)}


class TorchMaterializer(BaseMaterializer):
    """``torch.Tensor`` and ``Parameter``, loaded with ``weights_only``; modules are pickled."""

    NAME: ClassVar[str | None] = "torch"

    def save(self, data: Any) -> None:
        torch = sys.modules["torch"]
        if type(data) not in (torch.Tensor, torch.nn.Parameter):
            raise Declined
        with self.artifact_store.open(f"{self.uri}/data.pt", "wb") as file:
            torch.save(data, file)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - the file says what is in it
        import importlib

        torch: Any = importlib.import_module(
            "torch"
        )  # no types here: it is installed with pipelines that use it
        device = None if torch.cuda.is_available() else "cpu"
        with self.artifact_store.open(f"{self.uri}/data.pt", "rb") as file:
            return torch.load(file, weights_only=True, map_location=device)

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:
        return {"shape": list(data.shape), "dtype": str(data.dtype)}


def _names(materializer: BaseMaterializer) -> set[str]:
    """The names of the files of one artifact or item, from its record."""
    files = materializer.artifact_store
    recorded = files.expected if files.expected is not None else files.written
    below = f"{materializer.uri[len(files.uri) :].lstrip('/')}/".lstrip("/")
    return {name.removeprefix(below) for name in recorded if name.startswith(below)}
