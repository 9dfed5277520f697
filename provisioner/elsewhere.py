"""A stack whose service is at another address than before: the same service, or one that holds nothing of it.

The accounts of AWS guard against the credentials of another one. Services that are like S3 often know no
accounts, and to Terraform all that exists would be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from provisioner.catalog import PROVIDERS
from provisioner.errors import SafetyError
from provisioner.manifest import Manifest
from provisioner.terraform.stream import StreamResult
from stacks.state import State


def refuse_elsewhere(
    manifest: Manifest,
    applied: Manifest | None,
    state: State,
    held: Collection[str],
    plan: StreamResult,
    *,
    destroy: bool,
) -> None:
    """Refuse a plan at another address than that of the last apply, if what exists is not to be found there.

    ``applied`` is the manifest as it was applied, where that is known, ``held`` the addresses of what
    Terraform's state holds. Raises :class:`SafetyError`.
    """
    here = manifest.endpoint_url
    before = {applied.endpoint_url} if applied is not None else {*_registered(manifest, state)}
    if not before or here in before:
        return
    if destroy:  # whatever is still there is deleted
        gone = {*held} - {change.address for change in plan.planned if change.action == "delete"}
    else:
        made = {change.address for change in plan.planned if change.action == "create"}
        gone = {*plan.vanished} | (made & {*held})
    if not gone:
        return
    former, other = " and ".join(sorted(map(_named, before))), _named(here)
    raise SafetyError(
        f"{manifest.name} was applied at {former}, and {len(gone)} of its resources are not at {other}, "
        f"such as {min(gone)}: Terraform would forget what exists",
        hint="put `endpoint_url` back; if the service has moved, all of the stack has to be there first; for "
        "another service, destroy this stack or give the new one another `name`",
    )


def _registered(manifest: Manifest, state: State) -> Iterator[str | None]:
    provider = PROVIDERS[manifest.provider]
    for record in state.artifact_stores.values():
        if record.deployment == manifest.name:
            yield provider.address_of(record.config)


def _named(address: str | None) -> str:
    return address or "the cloud itself"
