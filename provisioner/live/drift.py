"""`provision drift --fast`: the cloud's own answers against Terraform's notes, without a Terraform."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from provisioner.catalog import PROVIDERS
from provisioner.errors import DamagedStateError, WrongAccountError
from provisioner.live.base import Reader, UnreadableError, connect
from provisioner.live.compare import differences
from provisioner.live.noted import Resource, read_resources
from provisioner.manifest import Manifest
from provisioner.summary import ResourceChange, Summary, split_address
from provisioner.workspace import Workspace
from stacks.state import StateFile

_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class FastDrift:
    """What was found, and the types of resources that could not be read, each with the reason."""

    summary: Summary
    unread: tuple[str, ...]


def fast_drift(state_file: StateFile, workspace: Workspace, manifest: Manifest) -> FastDrift:
    """How the cloud differs from what was applied as ``manifest`` says, resource by resource.

    Raises :class:`WrongAccountError` for the credentials of another account, :class:`DamagedStateError` when
    Terraform's state is lost or broken.
    """
    resources = _noted(workspace, manifest)
    reader = connect(manifest)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        asked = threads.submit(reader.account)
        guests = threads.submit(reader.uninvited, resources)
        changing = threads.map(lambda resource: _changed(reader, resource), resources)
        # First: what another account refuses to show would be told as something else.
        account = asked.result()
        _check_account(state_file, manifest, account)
        looked = list(changing)
        deviations = guests.result()
    unread = sorted({unread for unread in looked if isinstance(unread, str)})
    drift = tuple(change for change in looked if isinstance(change, ResourceChange))
    return FastDrift(_summary(manifest, account, drift, tuple(deviations)), tuple(unread))


def uninvited(workspace: Workspace, manifest: Manifest) -> list[str]:
    """What somebody added that widens access and that no Terraform sees, for it stands for no resource."""
    return connect(manifest).uninvited(_noted(workspace, manifest))


def _noted(workspace: Workspace, manifest: Manifest) -> list[Resource]:
    path = workspace.newest_state()
    if path is None:
        raise DamagedStateError(
            f"Terraform's state of {manifest.name} is not here",
            hint="run `provision drift` without --fast once, which fetches it",
        )
    return read_resources(path)


def _changed(reader: Reader, resource: Resource) -> ResourceChange | str | None:
    """What is different about one resource, or why nobody looked; an apply would create what is missing."""
    read = reader.readings.get(resource.type)
    if read is None:
        return f"{resource.type} (drift without --fast does)"
    try:
        found = read(resource.attributes)
    except UnreadableError as error:
        return f"{resource.type} ({error})"
    attributes = () if found is None else differences(resource, found)
    if found is not None and not attributes:
        return None
    kind, component, inner = split_address(resource.address)
    return ResourceChange(
        address=resource.address,
        kind=kind,
        component=component,
        resource=inner,
        action="create" if found is None else "update",
        attributes=attributes,
    )


def _check_account(state_file: StateFile, manifest: Manifest, account: str | None) -> None:
    deployed = state_file.read().deployments.get(manifest.name)
    for wanted in (manifest.account, deployed.account if deployed else None):
        if account is not None and wanted is not None and account != wanted:
            raise WrongAccountError(
                f"the credentials belong to account {account}, but {manifest.name} is in {wanted}",
                hint="switch the profile or the role",
            )


def _summary(
    manifest: Manifest,
    account: str | None,
    drift: tuple[ResourceChange, ...],
    deviations: tuple[str, ...],
) -> Summary:
    return Summary(
        stack=manifest.name,
        provider=PROVIDERS[manifest.provider].title,
        region=manifest.region,
        account=account or manifest.account,
        endpoint_url=manifest.endpoint_url,
        operation="drift",
        changes=(),
        drift=drift,
        deviations=deviations,
        emptied=(),
        grants=(),
        missing_protections=(),
        outputs_change=False,
    )
