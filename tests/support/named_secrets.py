"""Secrets that a test gives by name, as the library reads them."""

from __future__ import annotations

from collections.abc import Mapping

from stacks.secrets import Secret
from stacks.secrets.base import no_secret


class Secrets:
    """The secrets of one test."""

    def __init__(self, **secrets: Mapping[str, str]) -> None:
        self._secrets = secrets

    def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        return sorted(self._secrets)

    def get(self, name: str) -> Secret:
        """The secret of that name; raises SecretNotFoundError."""
        if name not in self._secrets:
            raise no_secret(name, self.names())
        return Secret(name, self._secrets[name])


def everything(error: BaseException | None) -> str:
    """All that printing an error could show, its causes and notes included."""
    said = ""
    while error is not None:
        said += f"{error!r} {error} {getattr(error, 'hint', '')} {getattr(error, '__notes__', '')} "
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return said
