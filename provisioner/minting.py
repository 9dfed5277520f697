"""Static credentials, where a manifest asks for one: made after the apply, straight into the secret store.

Terraform never sees them, so no state, plan or log holds one. What is in the secret store and still works is
kept: applying twice makes one credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.manifest import Connector, Manifest
from provisioner.verify.base import Minter
from provisioner.work import Work
from stacks import Client
from stacks.errors import SecretNotFoundError


def mint_missing(work: Work, before: Manifest | None, outputs: Mapping[str, Any]) -> None:
    """Make the credentials that the manifest asks for and nobody has yet; end those it no longer asks for.

    ``before`` is the manifest as it was applied last. Raises :class:`InputError` for a secret that holds
    something else, which is never overwritten.
    """
    wanted = _minted(work.manifest)
    for secret, connector in wanted.items():
        _mint(work, connector, secret, outputs["connectors"][connector.name])
    for secret in _minted(before).keys() - wanted.keys():
        _end(work, secret)


def forget(work: Work, before: Manifest | None) -> None:
    """After a destroy: the identities are gone, and what is left of their credentials is of no use."""
    for secret in {**_minted(before), **_minted(work.manifest)}:
        _end(work, secret)


def _minted(manifest: Manifest | None) -> dict[str, Connector]:
    if manifest is None:
        return {}
    methods = PROVIDERS[manifest.provider].minted_methods
    return {
        connector.authentication_secret or "": connector
        for connector in manifest.connectors
        if connector.auth_method in methods
    }


def _mint(work: Work, connector: Connector, secret: str, output: Mapping[str, Any]) -> None:
    cloud, client = cast("Minter", work.cloud), Client(work.state_file)
    held = _held(client, secret)
    if held is not None and cloud.holds(output, held):
        return
    if held is not None and not _is_ours(work, secret):
        raise InputError(
            f"the secret {secret} is there already and holds something else than a credential of "
            f"{connector.name}",
            hint=f"give {connector.name} another authentication_secret, or: provision secret delete {secret}",
        )
    minted = cloud.mint(connector, output)
    if held is None:
        client.create_secret(secret, minted.values)
    else:
        client.update_secret(secret, minted.values, remove=held.keys() - minted.values.keys())
    work.say(f"{connector.name}: its credential was made and lies in the secret {secret}; {minted.says}")


def _is_ours(work: Work, secret: str) -> bool:
    """Whether an earlier apply of this stack made the secret: then its credential was deleted by others."""
    return any(
        record.authentication_secret == secret and record.deployment == work.manifest.name
        for record in work.state.connectors.values()
    )


def _end(work: Work, secret: str) -> None:
    """Revoke what a secret holds and forget it, unless something else has come to use it."""
    client = Client(work.state_file)
    held = _held(client, secret)
    state = client.state
    used = any(
        record.authentication_secret == secret and record.deployment != work.manifest.name
        for records in (state.connectors, state.artifact_stores)
        for record in records.values()
    )
    if held is None or used:
        return
    cast("Minter", work.cloud).revoke(held)
    client.secrets.delete(secret)
    work.say(f"the secret {secret} was revoked and deleted")


def _held(client: Client, secret: str) -> Mapping[str, str] | None:
    try:
        return client.get_secret(secret)
    except SecretNotFoundError:
        return None
