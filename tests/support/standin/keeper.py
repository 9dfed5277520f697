"""A server that keeps what it is given: PUT, PATCH, GET, DELETE of JSON at any path, and a look inside."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from small_server import Answer, Asked, serving

Route = Callable[[Asked, "Keeper"], Answer | None]
"""Answers a request in its own way, or gives None for the next one's turn."""


@dataclass
class Keeper:
    """What is kept, by path, and what was asked; ``routes`` go before the keeping."""

    routes: list[Route] = field(default_factory=list)
    things: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        with self._lock:
            self.asked.append(asked)
            for route in self.routes:
                answer = route(asked, self)
                if answer is not None:
                    return answer
            return self.keep(asked)

    def keep(self, asked: Asked) -> Answer:
        """What the server does of its own."""
        there = self.things.get(asked.path)
        if asked.method == "PUT":
            if there is not None and asked.headers.get("if-none-match") == "*":
                return Answer(409, {"error": f"{asked.path} is there already"})
            self.things[asked.path] = json.loads(asked.body)
            return Answer(200, self.things[asked.path])
        if there is None:
            return Answer(404, {"error": f"{asked.path} is not there"})
        if asked.method == "PATCH":
            self.things[asked.path] = {**there, **json.loads(asked.body)}
        elif asked.method == "DELETE":
            del self.things[asked.path]
            return Answer(204, None)
        return Answer(200, self.things[asked.path])

    def methods(self) -> list[str]:
        """The methods of all requests that changed something, in order."""
        return [asked.method for asked in self.asked if asked.method != "GET"]


@contextmanager
def keeping(*routes: Route) -> Iterator[Keeper]:
    """A server on a free port until the block ends; its address is ``url``."""
    keeper = Keeper(list(routes))
    with serving(keeper) as url:
        keeper.url = url
        yield keeper
