"""The flavors: built-in ones, those of installed packages, and classes named as ``module.Class``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Literal

from stacks.errors import StoreConfigError, UnknownComponentError
from stacks.stores.base import BaseArtifactStore

ENTRY_POINTS = "stacks.flavors"
_BUILT_IN = {
    "local": "stacks.stores.local.LocalArtifactStore",
    "s3": "stacks.stores.s3.S3ArtifactStore",
    "gcp": "stacks.stores.gcp.GCPArtifactStore",
    "azure": "stacks.stores.azure.AzureArtifactStore",
}
_ALIASES = {"gcs": "gcp"}


@dataclass(frozen=True, slots=True)
class Flavor:
    """A flavor that can be used: its name, the class as ``module.Class``, and where it was found."""

    name: str
    source: str
    origin: Literal["built-in", "entry point", "custom"]


def flavors(custom: Mapping[str, str] | None = None) -> list[Flavor]:
    """Every flavor by name; ``custom`` maps names to ``module.Class``. Loads none of them."""
    found = {name: Flavor(name, source, "built-in") for name, source in _BUILT_IN.items()}
    for point in _entry_points():
        found.setdefault(point.name, Flavor(point.name, point.value.replace(":", "."), "entry point"))
    for name, source in (custom or {}).items():
        found.setdefault(name, Flavor(name, source, "custom"))
    return [found[name] for name in sorted(found)]


def canonical(flavor: str) -> str:
    """The name of a flavor, for its alias."""
    return _ALIASES.get(flavor, flavor)


def store_class(flavor: str, custom: Mapping[str, str] | None = None) -> type[BaseArtifactStore]:
    """The class of a flavor; ``custom`` maps names to ``module.Class``.

    Built-in flavors come first, then entry points, then ``custom``: no package takes over ``s3``.

    Raises:
        UnknownComponentError: no such flavor.
        StoreConfigError: its class cannot be loaded, or is no artifact store.
    """
    wanted = canonical(flavor)
    for known in flavors(custom):
        if known.name == wanted:
            return load_class(known.source)
    names = ", ".join(known.name for known in flavors(custom))
    raise UnknownComponentError(
        f"there is no artifact store flavor {flavor!r}",
        hint=f"Known: {names}. Register another with: artifact-store flavor register module.Class",
        kind="flavor",
        name=flavor,
    )


def load_class(source: str) -> type[BaseArtifactStore]:
    """The class that ``module.Class`` names.

    Raises:
        StoreConfigError: it cannot be imported, is no ``BaseArtifactStore``, or lacks part of one.
    """
    module_name, _, class_name = source.replace(":", ".").rpartition(".")
    try:
        loaded = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise StoreConfigError(
            f"the flavor {source!r} cannot be loaded: {error}",
            hint="Name it as module.Class, and make sure that Python finds the module.",
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, BaseArtifactStore)):
        raise StoreConfigError(
            f"{source!r} is no artifact store", hint="Derive it from stacks.stores.base.BaseArtifactStore."
        )
    lacking = sorted(getattr(loaded, "__abstractmethods__", ()))
    lacking += [name for name in ("FLAVOR", "SUPPORTED_SCHEMES") if not getattr(loaded, name, None)]
    if lacking:
        raise StoreConfigError(f"the flavor {source!r} does not define {', '.join(lacking)}")
    return loaded


def _entry_points() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
