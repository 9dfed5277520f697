"""The applications of a tenant, as Microsoft Graph tells of them to whoever runs the command.

https://learn.microsoft.com/graph/api/resources/application and its neighbours. None of these questions is an
«advanced query»: they are answered from the directory itself, not from an index that follows it later.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from provisioner.verify.azure_services import GRAPH, Rest, graph_url

READERS = "Application.Read.All of Microsoft Graph, or Application.ReadWrite.OwnedBy for its own applications"
"""The permissions with which applications are read."""


class Directory:
    """Applications, service principals and federated credentials: read, never changed.

    Everything may raise :class:`provisioner.verify.azure_services.ForbiddenError`, for whoever manages a
    subscription need not be allowed to look at the tenant's applications.
    """

    def __init__(self, identity: Any) -> None:
        self._graph = Rest(graph_url(), identity, f"{GRAPH}/.default")

    def tagged(self, tag: str) -> list[dict[str, Any]]:
        """The applications with a tag."""
        quoted = tag.replace("'", "''")
        wanted = quote(f"tags/any(tag:tag eq '{quoted}')")
        return list(self._graph.listed(f"/v1.0/applications?$filter={wanted}"))

    def application(self, object_id: str) -> dict[str, Any] | None:
        """An application by its object id, with what is told of its secrets and certificates."""
        return self._graph.ask("GET", f"/v1.0/applications/{object_id}")

    def principal(self, object_id: str) -> dict[str, Any] | None:
        """A service principal by its object id."""
        return self._graph.ask("GET", f"/v1.0/servicePrincipals/{object_id}")

    def principal_of(self, client_id: str) -> dict[str, Any] | None:
        """The service principal of an application in this tenant."""
        return self._graph.ask("GET", f"/v1.0/servicePrincipals(appId='{client_id}')")

    def federated(self, object_id: str) -> list[dict[str, Any]]:
        """The federated credentials of an application; none where there is no such application."""
        return list(self._graph.listed(f"/v1.0/applications/{object_id}/federatedIdentityCredentials"))

    def trusted(self, object_id: str, credential_id: str) -> dict[str, Any] | None:
        """One federated credential of an application."""
        path = f"/v1.0/applications/{object_id}/federatedIdentityCredentials/{credential_id}"
        return self._graph.ask("GET", path)
