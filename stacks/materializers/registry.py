"""Which materializer stores a value, and which one loads what a record names."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from stacks.errors import MaterializerError
from stacks.materializers.base import BaseMaterializer, associated
from stacks.materializers.classes import found, reference

# By the name in the records. None is imported before a value needs it.
_BUILT_IN = {
    "json": "stacks.materializers.values:JsonMaterializer",
    "bytes": "stacks.materializers.values:BytesMaterializer",
    "path": "stacks.materializers.paths:PathMaterializer",
    "numpy": "stacks.materializers.arrays:NumpyMaterializer",
    "torch": "stacks.materializers.arrays:TorchMaterializer",
    "pandas": "stacks.materializers.tables:PandasMaterializer",
    "pyarrow": "stacks.materializers.tables:ArrowMaterializer",
    "cloudpickle": "stacks.materializers.pickles:PickleMaterializer",
}
# By package and class, so that asking about a type imports nothing.
_BY_TYPE = {
    "builtins.bytes": "bytes",
    "numpy.ndarray": "numpy",
    "numpy.generic": "numpy",
    "pandas.DataFrame": "pandas",
    "pandas.Series": "pandas",
    "pathlib.Path": "path",
    "pyarrow.Table": "pyarrow",
    "torch.Tensor": "torch",
    "torch.Parameter": "torch",
}


def built_in(name: str) -> type[BaseMaterializer]:
    """A built-in materializer by its name in the records."""
    module, _, attribute = _BUILT_IN[name].partition(":")
    loaded: type[BaseMaterializer] = getattr(importlib.import_module(module), attribute)
    return loaded


def candidates(value: Any) -> Iterator[type[BaseMaterializer]]:
    """Those that may store ``value``, in the order in which they are asked.

    For each class that its type derives from, the nearest first: a user's materializer, then a built-in one;
    then JSON; cloudpickle, which takes nearly everything, is last.
    """
    asked: set[type[BaseMaterializer]] = set()
    for kind in type(value).__mro__[:-1]:
        own = associated(kind)
        name = _BY_TYPE.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
        for one in (own, built_in(name) if name else None):
            if one is not None and one not in asked:
                asked.add(one)
                yield one
    yield built_in("json")
    yield built_in("cloudpickle")


def name_of(materializer: type[BaseMaterializer]) -> str:
    """How a record names a materializer.

    Raises:
        MaterializerError: no name leads to the class, so that nobody could load what it stores.
    """
    if materializer.NAME is not None:
        return materializer.NAME
    text = reference(materializer)
    if text is None:
        raise MaterializerError(
            f"the materializer {materializer.__qualname__} cannot be found by its name",
            hint="define it at the top level of a module",
            name=materializer.__qualname__,
        )
    return text


def materializer_named(name: str) -> type[BaseMaterializer]:
    """The materializer that a record names.

    Raises:
        MaterializerError: it is a user's, and its module is not imported here.
    """
    if name in _BUILT_IN:
        return built_in(name)
    kind = found(name)
    if kind is None or not issubclass(kind, BaseMaterializer):
        module, _, cls = name.partition(":")
        raise MaterializerError(
            f"this was stored by the materializer {name.replace(':', '.')}, which is not imported here",
            hint=f"import it before loading: from {module} import {cls.split('.')[0]}"
            if cls
            else "update stack-provisioner: a newer release stored this",
            name=name,
        )
    return kind
