"""A manifest for a bucket that is already there: it is adopted as it is, and nothing about it is changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provisioner.catalog import PROVIDERS
from provisioner.deploy import store_manifest
from provisioner.errors import InputError
from provisioner.live.base import Seen, look


def adopted_manifest(path: str, store: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Seen]:
    """The manifest, as data to be validated, for the bucket at ``path``, and what was seen of the bucket.

    ``path`` is ``s3://bucket[/prefix]`` and its like, or a directory; ``options`` are fields of the manifest,
    the store or its connector, and go before what the bucket says. Without an auth method the connector is
    ``implicit``: no identity is created (on Azure, whoever applies is granted the container). Raises
    :class:`InputError` for a path of no provider and for a bucket that is not there.
    """
    scheme, separator, rest = path.partition("://")
    wanted = scheme if separator and scheme != "file" else ""
    provider = next((item for item in PROVIDERS.values() if item.scheme == wanted), None)
    if provider is None:
        known = ", ".join(f"{item.scheme}://" for item in PROVIDERS.values() if item.scheme)
        raise InputError(f"{path!r} is of no known kind", hint=f"write one of {known}, or a directory")
    given = dict(options)
    bucket = rest.partition("/")[0] if wanted else str(Path(rest if separator else path).absolute())
    seen = look(provider, bucket, {key: str(value) for key, value in given.items()})
    if provider.has_connectors:
        given.setdefault("auth_method", "implicit")
    place = path if wanted else bucket
    merged = {**seen.fields, **given, "path": place, "existing": True}
    return store_manifest(store, provider.flavor, merged), seen
