"""The rules of the ``state`` block: which fields each backend takes, and what its cloud allows in them."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.backends import BACKENDS, STATE_FIELDS
from provisioner.catalog import PROVIDERS
from provisioner.manifest.findings import Finding, refused_by, said
from provisioner.manifest.models import Manifest


def state_rules(manifest: Manifest) -> Iterator[Finding]:
    """What does not hold in the ``state`` block."""
    state = manifest.state
    leaning = (("state", "backend"),)
    backend = BACKENDS.get(state.backend)
    allowed = (*backend.required, *backend.optional) if backend else ()
    for name in STATE_FIELDS:
        if said(state, name) and name not in allowed:
            takes = f"; it takes {', '.join(allowed)}" if allowed else ""
            wrong = f"not for the {state.backend} backend{takes}"
            yield Finding(("state", name), wrong, at_key=True, because=leaning)
    if backend is None:
        return
    for name in backend.required:
        if not said(state, name):
            wrong = f"required field is missing: the {backend.name} backend needs it"
            yield Finding(("state", name), wrong, because=leaning)
    for name, rule in backend.rules.items():
        value = getattr(state, name)
        why = refused_by(rule, value) if value is not None else None
        if why is not None:
            yield Finding(("state", name), why, because=leaning)
    if backend.name == "s3" and not (state.region or state.endpoint_url or _has_aws_region(manifest)):
        wrong = (
            "required field is missing: the region of the bucket, which the manifest's provider does not tell"
        )
        yield Finding(("state", "region"), wrong, because=(("provider",), *leaning))


def _has_aws_region(manifest: Manifest) -> bool:
    return PROVIDERS[manifest.provider].flavor == "s3" and manifest.region is not None
