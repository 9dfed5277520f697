"""What a cut-off run has left in Entra ID, whose ids nobody can foretell: found by tags and names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from provisioner.journal import Intent
from provisioner.manifest import Connector, Manifest
from provisioner.verify import azure_names
from provisioner.verify.azure_directory import READERS, Directory
from provisioner.verify.azure_services import ForbiddenError, moment
from provisioner.verify.base import Orphans

_APPLICATION = "azuread_application"
_PRINCIPAL = "azuread_service_principal"
_FEDERATED = "azuread_application_federated_identity_credential"
TYPES = frozenset((_APPLICATION, _PRINCIPAL, _FEDERATED))
_UNNAMED = "TERRAFORM_UPDATE_"
"""What the provider calls a new application for a moment, to learn whether Entra ID knows it everywhere."""


class LostApplications:
    """The applications of one stack that its Terraform state may not know."""

    def __init__(self, manifest: Manifest, directory: Directory) -> None:
        self._manifest = manifest
        self._directory = directory

    def orphans(self, intents: Sequence[Intent], since: datetime) -> Orphans:
        """Those of ``intents`` that are there, with the ids by which azuread imports them.

        An application counts that has this stack's tags, no secret yet, and is not older than the run; where
        there are two, neither does, and that is said.
        """
        found: list[Intent] = []
        unsure: list[str] = []
        for connector in self._manifest.connectors:
            here = f"{azure_names.application(connector)}."
            wanted = [intent for intent in intents if intent.address.startswith(here)]
            if not wanted:
                continue
            name = (wanted[0].identifier or "").partition("/")[0]
            try:
                held = self._held(connector, name)
                if any(intent.type == _APPLICATION for intent in wanted):
                    held = [one for one in held if _since(one, since) and not _has_keys(one)]
                if len(held) == 1:
                    found += self._parts(held[0], wanted, since)
                elif held:
                    unsure.append(_several(connector, name, held))
            except ForbiddenError:
                unsure.append(_unseen(connector, name))
        return Orphans(found, tuple(unsure))

    def _held(self, connector: Connector, name: str) -> list[dict[str, Any]]:
        """The applications that were made for a connector."""
        tags = azure_names.application_tags(self._manifest, connector)
        return [
            one
            for one in self._directory.tagged(f"stack:{self._manifest.name}")
            if tags <= set(one.get("tags") or ())
            and (one.get("displayName") == name or str(one.get("displayName")).startswith(_UNNAMED))
        ]

    def _parts(
        self, application: dict[str, Any], wanted: Sequence[Intent], since: datetime
    ) -> Iterator[Intent]:
        """An application and what belongs to it, as far as they are wanted."""
        identifier = str(application["id"])
        trusted: dict[str, str] = {}
        if any(intent.type == _FEDERATED for intent in wanted):
            trusted = {str(one["name"]): str(one["id"]) for one in self._directory.federated(identifier)}
        for intent in wanted:
            name = (intent.identifier or "").rpartition("/")[2]
            if intent.type == _APPLICATION:
                yield replace(intent, identifier=f"/applications/{identifier}")
            elif intent.type == _PRINCIPAL:
                principal = self._directory.principal_of(str(application["appId"]))
                if principal is not None and _since(principal, since):
                    yield replace(intent, identifier=f"/servicePrincipals/{principal['id']}")
            elif name in trusted:  # Entra ID does not say since when; the name is one that only we give
                yield replace(intent, identifier=f"{identifier}/federatedIdentityCredential/{trusted[name]}")


def _since(thing: dict[str, Any], since: datetime) -> bool:
    made = moment(thing.get("createdDateTime"))
    return made is None or made >= since


def _has_keys(application: dict[str, Any]) -> bool:
    """A run that was cut off had not come to that: somebody else did."""
    return bool(application.get("passwordCredentials") or application.get("keyCredentials"))


def _several(connector: Connector, name: str, held: Sequence[dict[str, Any]]) -> str:
    ids = ", ".join(sorted(str(one["id"]) for one in held))
    return (
        f"{connector.name}: there are {len(held)} applications {name} of this stack (object ids {ids}), and "
        "nobody can say which of them the run left: none was taken into the state; delete those that nothing "
        "uses: az ad app delete --id OBJECT_ID"
    )


def _unseen(connector: Connector, name: str) -> str:
    return (
        f"{connector.name}: whether the run left an application is not known, as the identity in use may not "
        f"read applications ({READERS}): if it did, the next apply makes another of the same name; "
        f"look with: az ad app list --display-name {name}"
    )
