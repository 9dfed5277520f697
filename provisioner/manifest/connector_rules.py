"""What holds for connectors: which methods there are, and what each needs or cannot have."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.catalog import Provider
from provisioner.manifest.findings import Finding, by_rule, said
from provisioner.manifest.models import Connector, Manifest
from provisioner.manifest.normalise import default_auth_method, default_compatibility, default_connector_name
from provisioner.manifest.text import shown
from provisioner.manifest.tree import Loc

# Methods that bring credentials of their own: no identity is created for them, so nothing can be said of it.
_ONLY_WITH_AN_IDENTITY = ("access", "trusted_principals", "external_id", "session_seconds")
_NEEDS_SECRET = frozenset({"secret-key"})
_TAKES_NO_SECRET = frozenset({"implicit", "none"})


def connector_rules(
    index: int, connector: Connector, manifest: Manifest, provider: Provider
) -> Iterator[Finding]:
    here: Loc = ("connectors", index)
    if "connector" not in provider.modules:
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
    method = method or default_auth_method(connector, provider, compatibility)
    yield from _identity(here, connector, method, compatibility or "", provider)
    yield from _secret(here, connector, method)
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
    if method in _NEEDS_SECRET or method in _TAKES_NO_SECRET:
        for name in _ONLY_WITH_AN_IDENTITY:
            if said(connector, name):
                wrong = f"not with auth_method {method}: no identity is created that it could hold for"
                yield Finding((*here, name), wrong, at_key=True, because=leaning)
    elif not provider.can("iam_roles", compatibility):
        place = (*here, "auth_method") if connector.auth_method else here
        yield Finding(place, _no_roles(compatibility), because=leaning)
    elif not provider.can("caller_identity", compatibility) and not connector.trusted_principals:
        loc = (*here, "trusted_principals")
        yield Finding(loc, _no_caller(compatibility), because=leaning)


def _secret(here: Loc, connector: Connector, method: str) -> Iterator[Finding]:
    given = connector.authentication_secret is not None
    loc = (*here, "authentication_secret")
    leaning: tuple[Loc, ...] = ((*here, "auth_method"),)
    if method in _NEEDS_SECRET and not given:
        wrong = f"required field is missing: auth_method {method} takes its credentials from a secret"
        yield Finding(loc, wrong, because=leaning)
    if method in _TAKES_NO_SECRET and given:
        wrong = f"not with auth_method {method}, which takes the credentials of its surroundings"
        yield Finding(loc, wrong, at_key=True, because=leaning)


def default_connector_rules(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    """A connector that would be made by itself must be one that can work."""
    if "connector" not in provider.modules:
        return
    compatibility = default_compatibility(manifest, provider) or ""
    named = {connector.name for connector in manifest.connectors}
    if provider.default_auth_method in _TAKES_NO_SECRET:
        return
    if not provider.can("iam_roles", compatibility):
        wrong = _no_roles(compatibility)
    elif not provider.can("caller_identity", compatibility):
        wrong = _no_caller(compatibility)
    else:
        return
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


def _no_roles(compatibility: str) -> str:
    return (
        f"{compatibility} has no IAM roles; allowed: auth_method secret-key with an authentication_secret, "
        "or implicit"
    )


def _no_caller(compatibility: str) -> str:
    return (
        f"{compatibility} cannot say who applies; required: trusted_principals, the ARNs of who may use it, "
        "such as arn:aws:iam:::user/NAME"
    )
