"""Filling in what a manifest leaves out: everything has a default, and after this every reader sees it."""

from __future__ import annotations

import hashlib
from typing import Any

from provisioner.catalog import PROVIDERS, Provider
from provisioner.manifest.models import ArtifactStore, Connector, Manifest


def normalise(manifest: Manifest) -> Manifest:
    """The same manifest with every default written out; doing it twice changes nothing.

    Afterwards each store of a provider with connectors has one, each connector its method, and the stack its
    artifact store. ``rules.py`` has made sure that what is filled in holds.
    """
    provider = PROVIDERS[manifest.provider]
    has_connectors = provider.has_connectors
    compatibility = default_compatibility(manifest, provider)
    stores = tuple(_with_connector(store) if has_connectors else store for store in manifest.artifact_stores)
    named = {connector.name for connector in manifest.connectors}
    made = (
        [_default_connector(store) for store in stores if store.connector not in named]
        if has_connectors
        else []
    )
    return manifest.model_copy(
        update={
            "compatibility": compatibility,
            "artifact_stores": stores,
            "connectors": tuple(
                _with_method(connector, provider, compatibility)
                for connector in (*manifest.connectors, *made)
            ),
            "stack": manifest.stack.model_copy(
                update={"artifact_store": manifest.stack.artifact_store or stores[0].name}
            ),
        }
    )


def default_compatibility(manifest: Manifest, provider: Provider) -> str | None:
    """What the service understands: the provider's first kind unless the manifest says otherwise."""
    return manifest.compatibility or next(iter(provider.compatibilities), None)


def default_connector_name(store: ArtifactStore) -> str:
    """The name of the connector that a store gets when it names none."""
    return f"{store.name}_connector"


def default_secret_name(connector: Connector) -> str:
    """The secret that keeps the credential minted for a connector which names none."""
    return f"{connector.name}_key"


def generated_bucket(stack: str, store: str, account: str) -> str:
    """The bucket name of a store that names none: the twin of the rule in the modules' HCL.

    At most 63 characters, all lower case; the account salts it, so that two accounts never want the same.
    """
    digest = hashlib.sha256(f"{account}/{stack}/{store}".encode()).hexdigest()
    return f"{stack}-{store.replace('_', '-')}"[:52] + f"-{digest[:10]}"


def _with_connector(store: ArtifactStore) -> ArtifactStore:
    if store.connector is not None:
        return store
    return store.model_copy(update={"connector": default_connector_name(store)})


def _default_connector(store: ArtifactStore) -> Connector:
    """A connector of the store's own; it follows the store through a rename."""
    fields: dict[str, Any] = {"name": store.connector}
    if store.renamed_from is not None:
        fields["renamed_from"] = f"{store.renamed_from}_connector"
    return Connector(**fields)


def _with_method(connector: Connector, provider: Provider, compatibility: str | None) -> Connector:
    method = connector.auth_method or provider.auth_method_for(connector, compatibility or "")
    secret = connector.authentication_secret
    if method in provider.minted_methods:
        secret = secret or default_secret_name(connector)
    return connector.model_copy(update={"auth_method": method, "authentication_secret": secret})
