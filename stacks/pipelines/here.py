"""The client of the state file in force: one for each, so that stores keep their connections."""

from __future__ import annotations

from stacks.client import Client
from stacks.state import StateFile

_clients: dict[str, Client] = {}


def client() -> Client:
    """As ``Client()``, with the stores of the call before."""
    file = StateFile.locate()
    made = _clients.get(file.location)
    if made is None:
        made = _clients[file.location] = Client(file)
    return made
