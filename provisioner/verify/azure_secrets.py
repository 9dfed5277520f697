"""Client secrets of a connector's application: made after the apply, with an end, never by Terraform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from provisioner.errors import UpstreamError
from provisioner.verify.azure_services import GRAPH, Rest, credential, graph_url
from provisioner.verify.base import Minted

TITLE = "stack-provisioner"
"""What every client secret that is made here is called."""

_LIFE = timedelta(days=180)
_SCOPE = f"{GRAPH}/.default"


class ClientSecrets:
    """The secrets of applications, through Microsoft Graph and with the credentials of whoever applies."""

    def __init__(self) -> None:
        self._graph = Rest(graph_url(), credential(), _SCOPE)

    def mint(self, output: Mapping[str, Any]) -> Minted:
        """A new secret, and none of ours beside it."""
        earlier = self._ours(str(output["client_id"]))
        ends = (datetime.now(UTC) + _LIFE).replace(microsecond=0)
        asked = {"passwordCredential": {"displayName": TITLE, "endDateTime": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}}
        made = self._graph.ask("POST", f"{_path(str(output['client_id']))}/addPassword", body=asked)
        if made is None:
            raise UpstreamError(
                f"Microsoft Graph does not know the application {output['client_id']}",
                hint="run the same command again: a new application takes some seconds to be known",
            )
        for key in earlier:
            self._remove(str(output["client_id"]), key)
        values = {
            "tenant_id": str(output["tenant_id"]),
            "client_id": str(output["client_id"]),
            "client_secret": str(made["secretText"]),
        }
        return Minted(
            values, f"it ends on {ends:%Y-%m-%d}: `provision service-connector rotate` makes the next"
        )

    def holds(self, output: Mapping[str, Any], values: Mapping[str, str]) -> bool:
        """Whether a secret has a client secret of this application that has not ended."""
        if values.get("client_id") != output["client_id"]:
            return False
        return bool(self._keys(str(output["client_id"]), values.get("client_secret", "")))

    def revoke(self, values: Mapping[str, str]) -> None:
        """End the client secret; one that is gone, with its application perhaps, is no error."""
        client, secret = values.get("client_id", ""), values.get("client_secret", "")
        for key in self._keys(client, secret) if client and secret else ():
            self._remove(client, key)

    def _keys(self, client: str, secret: str) -> list[str]:
        """Graph tells no secret, but its first three characters."""
        now = datetime.now(UTC).isoformat()
        return [
            str(found["keyId"])
            for found in self._credentials(client)
            if found.get("hint") == secret[:3] and str(found.get("endDateTime") or now) >= now
        ]

    def _ours(self, client: str) -> list[str]:
        return [
            str(found["keyId"]) for found in self._credentials(client) if found.get("displayName") == TITLE
        ]

    def _credentials(self, client: str) -> list[Mapping[str, Any]]:
        application = self._graph.ask("GET", _path(client)) or {}
        return list(application.get("passwordCredentials", ()))

    def _remove(self, client: str, key: str) -> None:
        self._graph.ask("POST", f"{_path(client)}/removePassword", body={"keyId": key})


def _path(client: str) -> str:
    return f"/v1.0/applications(appId='{client}')"
