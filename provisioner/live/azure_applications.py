"""Applications of Entra ID as ``modules/azure/application`` makes them, read through Microsoft Graph.

The attributes have the names and shapes of the azuread provider's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from provisioner.catalog import PROVIDERS
from provisioner.live.base import Found, UnreadableError
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest
from provisioner.verify import azure_names
from provisioner.verify.azure_directory import READERS, Directory
from provisioner.verify.azure_secrets import TITLE
from provisioner.verify.azure_services import ForbiddenError, moment, translated

_APPLICATION = "azuread_application"
_PRINCIPAL = "azuread_service_principal"
_FEDERATED = "azuread_application_federated_identity_credential"


class Applications:
    """What a stack has in a tenant."""

    def __init__(self, manifest: Manifest, identity: Any) -> None:
        self._manifest = manifest
        self._directory = Directory(identity)

    @property
    def readings(self) -> Mapping[str, Callable[[Mapping[str, Any]], Found]]:
        """See :class:`provisioner.live.base.Reader`."""
        return {_APPLICATION: self._application, _PRINCIPAL: self._principal, _FEDERATED: self._federated}

    def uninvited(self, resources: Sequence[Resource]) -> Iterator[str]:
        """Whoever can act as an application of ours by something that neither Terraform nor an apply made."""
        try:
            for resource in resources:
                if resource.type == _APPLICATION:
                    yield from self._strangers(resource, resources)
                elif resource.type == _PRINCIPAL:
                    with _reading("the service principals"):
                        found = self._directory.principal(str(resource.attributes["object_id"]))
                    yield from _keys(found, (), "the service principal")
        except UnreadableError:
            return  # told already: Terraform reads them too, and so do the readings

    def _strangers(self, resource: Resource, resources: Sequence[Resource]) -> Iterator[str]:
        identifier = str(resource.attributes["object_id"])
        ours = {
            str(one.attributes["credential_id"])
            for one in resources
            if one.type == _FEDERATED and str(one.attributes["application_id"]).endswith(f"/{identifier}")
        }
        with _reading("the applications"):
            application = self._directory.application(identifier)
            federated = self._directory.federated(identifier)
        for one in federated:
            if str(one["id"]) not in ours:
                who = one.get("subject") or one.get("claimsMatchingExpression")
                yield (
                    f"the application {resource.attributes['display_name']} trusts {who} of {one['issuer']} "
                    f"(federated credential {one['name']})"
                )
        yield from _keys(application, self._titles(resource), "the application")

    def _titles(self, resource: Resource) -> tuple[str, ...]:
        """How the client secrets are called that are made here: by an apply, and when one is rotated."""
        minted = PROVIDERS[self._manifest.provider].minted_methods
        return next(
            (
                (TITLE, "provision ")
                for connector in self._manifest.connectors
                if resource.address.startswith(f"{azure_names.application(connector)}.")
                and connector.auth_method in minted
            ),
            (),
        )

    # --- attributes ---------------------------------------------------------------------------------------

    def _application(self, noted: Mapping[str, Any]) -> Found:
        with _reading("the applications"):
            found = self._directory.application(str(noted["object_id"]))
        if found is None:
            return None
        return {
            "display_name": found.get("displayName"),
            "sign_in_audience": found.get("signInAudience"),
            "tags": _set(found.get("tags"), noted.get("tags")),
            "notes": found.get("notes"),
            "identifier_uris": _set(found.get("identifierUris"), noted.get("identifier_uris")),
            "fallback_public_client_enabled": bool(found.get("isFallbackPublicClient")),
        }

    def _principal(self, noted: Mapping[str, Any]) -> Found:
        with _reading("the service principals"):
            found = self._directory.principal(str(noted["object_id"]))
        if found is None:
            return None
        return {
            "client_id": found.get("appId"),
            "account_enabled": found.get("accountEnabled", True),
            "app_role_assignment_required": bool(found.get("appRoleAssignmentRequired")),
            "tags": _set(found.get("tags"), noted.get("tags")),
            "notes": found.get("notes"),
        }

    def _federated(self, noted: Mapping[str, Any]) -> Found:
        application = str(noted["application_id"]).rpartition("/")[2]
        with _reading("the federated credentials"):
            found = self._directory.trusted(application, str(noted["credential_id"]))
        if found is None:
            return None
        return {
            "display_name": found.get("name"),
            "issuer": found.get("issuer"),
            "subject": found.get("subject"),
            "audiences": list(found.get("audiences") or ()),
        }


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Refusals as what they are here: whoever manages a subscription need not be allowed to read a tenant."""
    try:
        with translated(f"reading {what}"):
            yield
    except ForbiddenError as error:
        raise UnreadableError(f"the identity in use may not read it: it needs {READERS}") from error


def _set(found: Iterable[str] | None, noted: Sequence[str] | None) -> list[str]:
    """A set in the order in which Terraform noted it, and else in order."""
    known, values = list(noted or ()), set(found or ())
    return known if values == set(known) else sorted(values)


def _keys(held: Mapping[str, Any] | None, ours: tuple[str, ...], what: str) -> Iterator[str]:
    """The client secrets that are not called as ours are, and the certificates, that have not ended."""
    found = held or {}
    secrets = [
        one
        for one in found.get("passwordCredentials") or ()
        if not (ours and str(one.get("displayName")).startswith(ours))
    ]
    for kind, keys in (("client secret", secrets), ("certificate", found.get("keyCredentials") or ())):
        for one in keys:
            ends = moment(one.get("endDateTime"))
            if ends is None or ends > datetime.now(UTC):
                name = one.get("displayName") or one.get("keyId")
                until = f", good until {ends:%Y-%m-%d}" if ends is not None else ""
                yield f"{what} {found.get('displayName')} has a {kind} that was not made here: {name}{until}"
