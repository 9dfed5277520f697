"""`--auto-configure`: what a new connector takes from the environment; no key where a role will do."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from stacks.connectors import connector_type
from stacks.errors import InvalidValueError

# One module for each type, with ``discover(auth_method: str | None) -> Discovery``.
_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "aws": "stacks.connectors.aws_discovery",
        "azure": "stacks.connectors.azure_discovery",
        "gcp": "stacks.connectors.gcp_discovery",
    }
)


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: an auth method, its configuration (secrets among it), and in words what was taken."""

    auth_method: str
    config: Mapping[str, Any] = field(repr=False)
    taken: tuple[str, ...]


def discover(type_name: str, auth_method: str | None = None) -> Discovery:
    """What the environment has for a connector of this type, for ``auth_method`` if one is asked for.

    Raises InvalidValueError for an unknown type or method, CredentialsMissingError when the environment has
    nothing that would do, MissingExtraError.
    """
    known = connector_type(type_name)
    if auth_method is not None:
        known.auth_method(auth_method)
    if type_name not in _MODULES:
        raise InvalidValueError(
            f"connectors of type {type_name} cannot configure themselves from the environment",
            hint="give --auth-method and its fields",
        )
    found: Discovery = importlib.import_module(_MODULES[type_name]).discover(auth_method)
    return found
