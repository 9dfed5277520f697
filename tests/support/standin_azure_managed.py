"""What the types of hashicorp/azurerm have in common in the stand-in: an id that is a path at Azure."""

from __future__ import annotations

from typing import Any

from standin.api import Api
from standin.resources import Resource
from standin.values import Values


def group_of(api: Api, name: str) -> str:
    return f"/subscriptions/{api.config['subscription_id']}/resourceGroups/{name}"


class Managed(Resource):
    """A resource of the management: its ``id`` is its path."""

    version = "2023-05-01"

    def where(self, api: Api, planned: Values) -> str:
        raise NotImplementedError

    def body(self, planned: Values) -> dict[str, Any]:
        raise NotImplementedError

    def state(self, api: Api, found: dict[str, Any], state: Values) -> Values:
        """Terraform's values of what was found; ``state`` is what it knew."""
        raise NotImplementedError

    def create(self, api: Api, planned: Values) -> Values:
        path = self.where(api, planned)
        if self._get(api, path) is not None:
            raise RuntimeError(f"a resource with the ID {path!r} already exists - it needs to be imported")
        self._put(api, path, planned)
        return self._read(api, path, planned)

    def read(self, api: Api, state: Values) -> Values | None:
        found = self._get(api, state["id"])
        return None if found is None else self.state(api, found, state)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        self._put(api, prior["id"], planned)
        return self._read(api, prior["id"], planned)

    def delete(self, api: Api, state: Values) -> None:
        api.ask("DELETE", state["id"], query={"api-version": self.version}, expect=(200, 202, 204, 404))

    def _get(self, api: Api, path: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = api.get(path, query={"api-version": self.version})
        return found

    def _put(self, api: Api, path: str, planned: Values) -> None:
        api.ask("PUT", path, self.body(planned), query={"api-version": self.version})

    def _read(self, api: Api, path: str, planned: Values) -> Values:
        found = self._get(api, path)
        if found is None:
            raise RuntimeError(f"{path} is not there although it was just made")
        return self.state(api, found, planned)
