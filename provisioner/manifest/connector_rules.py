"""What holds for connectors: which methods there are, and what each needs or cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.catalog import PROVIDERS, Provider
from provisioner.manifest.findings import Finding, by_rule, said
from provisioner.manifest.models import Connector, Manifest
from provisioner.manifest.normalise import default_compatibility, default_connector_name
from provisioner.manifest.text import shown
from provisioner.manifest.tree import Loc

# Methods that bring credentials of their own: no identity is created for them, so nothing can be said of it.
_ONLY_WITH_AN_IDENTITY = ("access", "trusted_principals", "external_id", "session_seconds")
# A static credential works for whoever has it, for as long as it lives.
_NOT_WITH_A_MINTED_ONE = ("trusted_principals", "external_id", "session_seconds")
_SPECIAL_CONNECTOR_FIELDS = tuple(
    name
    for name in Connector.model_fields
    if any(name in provider.connector_fields for provider in PROVIDERS.values())
)


def connector_rules(
    index: int, connector: Connector, manifest: Manifest, provider: Provider
) -> Iterator[Finding]:
    here: Loc = ("connectors", index)
    if not provider.has_connectors:
        wrong = f"not for provider {provider.name}, which has no connectors"
        yield Finding(here, wrong, because=(("provider",),))
        return
    method = connector.auth_method
    if method and method not in provider.auth_methods:
        allowed = ", ".join(provider.auth_methods)
        yield Finding(
            (*here, "auth_method"), f"found {shown(method)}; allowed: {allowed}", because=(("provider",),)
        )
        return
    compatibility = default_compatibility(manifest, provider)
    method = method or provider.auth_method_for(connector, compatibility or "")
    for name in _SPECIAL_CONNECTOR_FIELDS:
        if said(connector, name) and name not in provider.connector_fields:
            wrong = f"not for provider {provider.name}"
            yield Finding((*here, name), wrong, at_key=True, because=(("provider",),))
    yield from _identity(here, connector, method, compatibility or "", provider)
    yield from _secret(here, connector, method, provider)
    for at, principal in enumerate(connector.trusted_principals):
        loc = (*here, "trusted_principals", at)
        yield from by_rule(manifest, provider, loc, "trusted_principals", principal)
    if connector.external_id is not None:
        yield from by_rule(manifest, provider, (*here, "external_id"), "external_id", connector.external_id)


def _identity(
    here: Loc, connector: Connector, method: str, compatibility: str, provider: Provider
) -> Iterator[Finding]:
    """What is created for the connector: a role, or nothing when it brings credentials of its own."""
    leaning: tuple[Loc, ...] = ((*here, "auth_method"), (*here, "authentication_secret"), ("compatibility",))
    if method not in provider.identity_methods:
        for name in _ONLY_WITH_AN_IDENTITY:
            if said(connector, name):
                wrong = f"not with auth_method {method}: no identity is created that it could hold for"
                yield Finding((*here, name), wrong, at_key=True, because=leaning)
        return
    if method in provider.minted_methods:
        for name in _NOT_WITH_A_MINTED_ONE:
            if said(connector, name):
                wrong = f"not with auth_method {method}: whoever has its secret is trusted, until it ends"
                yield Finding((*here, name), wrong, at_key=True, because=leaning)
    refused = provider.no_identity(connector, compatibility)
    if refused is not None:
        name, wrong = refused
        place = here if name == "auth_method" and not connector.auth_method else (*here, name)
        yield Finding(place, wrong, because=leaning)


def _secret(here: Loc, connector: Connector, method: str, provider: Provider) -> Iterator[Finding]:
    given = connector.authentication_secret is not None
    loc = (*here, "authentication_secret")
    leaning: tuple[Loc, ...] = ((*here, "auth_method"),)
    if method in provider.secret_methods and not given:
        wrong = f"required field is missing: auth_method {method} takes its credentials from a secret"
        yield Finding(loc, wrong, because=leaning)
    if given and method not in provider.secret_methods | provider.minted_methods | provider.identity_methods:
        wrong = f"not with auth_method {method}, which takes the credentials of its surroundings"
        yield Finding(loc, wrong, at_key=True, because=leaning)


def default_connector_rules(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    """A connector that would be made by itself must be one that can work."""
    if not provider.has_connectors:
        return
    compatibility = default_compatibility(manifest, provider) or ""
    named = {connector.name for connector in manifest.connectors}
    refused = provider.no_identity(None, compatibility)
    if provider.default_auth_method not in provider.identity_methods or refused is None:
        return
    _, wrong = refused
    for index, store in enumerate(manifest.artifact_stores):
        default = default_connector_name(store)
        if (store.connector or default) == default and default not in named:
            leaning: tuple[Loc, ...] = (
                ("compatibility",),
                ("connectors",),
                ("artifact_stores", index, "name"),
            )
            message = f"the default connector {default} cannot work: {wrong}; add it under connectors"
            yield Finding(("artifact_stores", index), message, because=leaning)
