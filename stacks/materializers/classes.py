"""Classes by name, in records: what a record names is looked up, and never imported or called for that.

A record is data. Importing a module because data names it would run that module's code, so a class is found
only where the program itself has imported it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from stacks.errors import MaterializerError

MAIN = "__main__"


def reference(kind: type[Any]) -> str | None:
    """``module:Class``, or None for a class that no name leads to (one made within a function).

    The module that Python was started with is named as an import would name it, so that ``from train
    import Config`` in another program finds what ``python train.py`` stored.
    """
    module = main_name() if kind.__module__ == MAIN else kind.__module__
    text = f"{module}:{kind.__qualname__}"
    return text if module and found(text) is kind else None


def found(text: str) -> type[Any] | None:
    """The class that ``module:Class`` names, where it is imported; looks into no more than dictionaries."""
    module_name, _, path = text.partition(":")
    modules = [module_name, MAIN] if module_name == main_name() else [module_name]
    for one in modules:
        value: Any = sys.modules.get(one)
        for name in path.split("."):
            space = getattr(value, "__dict__", None)
            value = space.get(name) if space is not None else None
        if isinstance(value, type):
            return value
    return None


def required(text: str, what: str) -> type[Any]:
    """The same.

    Raises:
        MaterializerError: the class is not imported here; the hint says what to import.
    """
    kind = found(text)
    if kind is None:
        module, _, name = text.partition(":")
        raise MaterializerError(
            f"the {what} {name} of {module} is not imported in this program",
            hint=f"import it before loading: from {module} import {name.split('.')[0]}",
            name=text,
        )
    return kind


def main_name() -> str | None:
    """The name by which the started program could be imported; None in an interactive one."""
    main = sys.modules.get(MAIN)
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name: str = spec.name
        return name.removesuffix(f".{MAIN}")
    file = getattr(main, "__file__", None)
    return Path(file).stem if file else MAIN
