"""A manifest for a single store, from a few options: what `artifact-store deploy` applies."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from provisioner.catalog import PROVIDERS, by_flavor
from provisioner.errors import InputError

_ADJECTIVES = (
    "amber",
    "brisk",
    "calm",
    "clear",
    "deep",
    "eager",
    "fair",
    "keen",
    "quiet",
    "swift",
    "warm",
    "wide",
)
_NOUNS = (
    "basin",
    "cove",
    "delta",
    "fjord",
    "grove",
    "harbor",
    "lagoon",
    "meadow",
    "orchard",
    "quarry",
    "reef",
    "vale",
)
_TOP_LEVEL = frozenset({"region", "account", "endpoint_url", "compatibility"})
_CONNECTOR = frozenset(
    {"auth_method", "access", "trusted_principals", "external_id", "authentication_secret", "session_seconds"}
)


def random_name() -> str:
    """A readable name nobody has to think of, such as ``brisk_lagoon_4f2a``."""
    return f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_NOUNS)}_{secrets.token_hex(2)}"


def stack_name(store: str) -> str:
    """The name of the stack that a deployed store lives in."""
    name = store.replace("_", "-").lower().strip("-")[:30]
    return name if len(name) > 1 else f"{name}-store"  # a stack's name has two characters at least


def store_manifest(store: str, flavor: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest, as data to be validated, with one store and everything else at its default.

    ``options`` are fields of the store, of its connector or of the manifest's top level; ``path``
    (``s3://bucket/prefix``, or a directory) stands for ``bucket`` and ``prefix``. Raises
    :class:`InputError` for a flavor that cannot be deployed.
    """
    provider = by_flavor(flavor)
    if provider is None:
        flavors = ", ".join(item.flavor for item in PROVIDERS.values())
        raise InputError(f"the flavor {flavor!r} cannot be deployed", hint=f"flavors: {flavors}")
    options = dict(options)
    fields: dict[str, Any] = {"name": store, **_from_path(options.pop("path", None), provider.scheme)}
    manifest: dict[str, Any] = {"version": 1, "name": stack_name(store), "provider": provider.name}
    connector: dict[str, Any] = {}
    for key, value in options.items():
        target = manifest if key in _TOP_LEVEL else connector if key in _CONNECTOR else fields
        target[key] = value
    # Deployed by name and destroyed by name; a bucket with something in it is never destroyed all the same.
    fields.setdefault("protect", False)
    manifest["artifact_stores"] = [fields]
    if connector:
        name = f"{store}_connector"
        fields["connector"] = name
        manifest["connectors"] = [{"name": name, **connector}]
    return manifest


def _from_path(path: str | None, scheme: str) -> dict[str, str]:
    if path is None:
        return {}
    if not scheme:
        return {"bucket": path.removeprefix("file://")}
    url = urlsplit(path)
    if url.scheme != scheme or not url.netloc:
        raise InputError(f"--path={path} is not of the form {scheme}://bucket[/prefix]")
    prefix = url.path.strip("/")
    return {"bucket": url.netloc, **({"prefix": prefix} if prefix else {})}
