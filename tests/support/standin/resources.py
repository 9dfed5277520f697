"""What the stand-in does for a resource type: by default, a body kept by the server just as it is given.

A type that needs more is a subclass of :class:`Resource`, in the ``RESOURCES`` of ``standin_<provider>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from standin.api import Api
from standin.values import Schema, Values, without_unknown


@dataclass(frozen=True)
class Resource:
    """One resource type. Values are dicts shaped as the schema says; a handler may leave out what is null."""

    type_name: str
    schema: Schema

    force_new: ClassVar[frozenset[str]] = frozenset()
    """Dotted paths whose change makes a new resource: ``ForceNew``."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """Values at dotted paths that the provider, not the service, puts where nothing is configured."""
    volatile: ClassVar[frozenset[str]] = frozenset()
    """Computed attributes that any update may change, such as an etag."""
    computed_blocks: ClassVar[frozenset[str]] = frozenset()
    """Nested blocks that the service fills in when they are not configured."""

    # --- what a plan knows --------------------------------------------------------------------------------

    def validate(self, config: Values) -> list[str]:
        """What is wrong with a configuration beyond what the schema says."""
        return []

    def known(self, api: Api, planned: Values) -> Values:
        """Computed attributes that are known before the resource is there. ``planned`` may hold UNKNOWN."""
        return {}

    def plan(self, api: Api, prior: Values | None, planned: Values) -> Values:
        """The last word on a plan: `CustomizeDiff`."""
        return planned

    # --- the life of one ----------------------------------------------------------------------------------

    def identity(self, planned: Values) -> str:
        """The ``id`` that a new one gets."""
        return str(planned.get("name") or planned.get("display_name") or self.type_name)

    def computed(self, api: Api, planned: Values) -> Values:
        """What the service makes up for a new one, by attribute."""
        return {}

    def create(self, api: Api, planned: Values) -> Values:
        """Make it; the new state. ``planned`` has null where nothing was known."""
        state = {**planned, **self.computed(api, planned)}
        if "id" in self.schema["attributes"]:
            state["id"] = planned.get("id") or self.identity(planned)
        api.ask("PUT", self.path(state), without_unknown(state), headers={"If-None-Match": "*"})
        return state

    def read(self, api: Api, state: Values) -> Values | None:
        """What is there now, or None when it has gone."""
        body: Values | None = api.get(self.path(state))
        return body

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        """Change it; the new state."""
        api.ask("PUT", self.path(prior), without_unknown(planned))
        return planned

    def delete(self, api: Api, state: Values) -> None:
        """End it. One that has gone already is no error."""
        api.ask("DELETE", self.path(state), expect=(200, 202, 204, 404))

    def import_state(self, api: Api, identifier: str) -> Values:
        """The least that ``read`` needs of one that exists; Terraform reads it next."""
        return {"id": identifier}

    def path(self, state: Values) -> str:
        """Where the default handler keeps it."""
        return f"/{self.type_name}/{quote(str(state['id']), safe='')}"


@dataclass(frozen=True)
class DataSource:
    """One data source: a schema of its own where the shared ones hold none, and how it is read."""

    schema: Schema

    def read(self, api: Api, config: Values) -> Values:
        """The whole value, ``config`` included."""
        return config


def configure(api: Api) -> list[str]:
    """What is wrong with a provider block: nothing, unless a provider's own module says so."""
    return []
