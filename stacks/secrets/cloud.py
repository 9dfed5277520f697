"""What the secret stores of the three clouds have in common: one secret of the service for each of ours.

The values of a secret are one JSON object. Every name begins with a prefix of ours, so that whoever reads the
services' own lists can tell whose they are, and nothing else that is kept there is ever listed or touched.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from stacks.errors import (
    ComponentExistsError,
    InvalidNameError,
    InvalidValueError,
    SecretError,
    SecretLockedError,
)
from stacks.secrets.base import Secret, check_secret, no_secret
from stacks.state.records import check_name

PREFIX = "stacks"
_PREFIX = re.compile(r"[a-z0-9]{1,32}")


class NameTakenError(Exception):
    """The service has a secret of that name already."""


class CloudSecretStore(ABC):
    """The behaviour; a service is ``_list``, ``_read``, ``_create``, ``_replace`` and ``_remove``."""

    SCHEME: ClassVar[str]
    SERVICE: ClassVar[str]
    LONGEST_NAME: ClassVar[int]
    LARGEST: ClassVar[int]  # bytes that one secret may have

    def __init__(self, place: str, prefix: str = PREFIX) -> None:
        """``place`` is the region, project or vault. Raises InvalidValueError."""
        if not _PREFIX.fullmatch(prefix):
            raise InvalidValueError(
                f"{prefix!r} cannot be a prefix of secrets", hint="use 1 to 32 of a-z and 0-9"
            )
        self.place = place
        self.prefix = prefix

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place!r}, {self.prefix!r})"

    def __reduce__(self) -> tuple[type[CloudSecretStore], tuple[str, str]]:
        return type(self), (self.place, self.prefix)  # without clients and their credentials

    def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        found = (self._ours(identifier) for identifier in self._list())
        return sorted(name for name in found if name is not None)

    def get(self, name: str) -> Secret:
        """The secret of that name; raises SecretNotFoundError."""
        text = self._read(self._identifier(name))
        if text is None:
            raise no_secret(name, self._known())
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise SecretError(
                f"{self.SERVICE} holds no secret of this library under {self._identifier(name)}",
                hint="it was written by something else: rename or delete it there",
            ) from None  # the cause would carry the text
        return Secret(name, values)

    def put(self, name: str, values: Mapping[str, str], *, replacing: bool = False) -> None:
        """Stores a secret; ComponentExistsError when the name is taken and not ``replacing``."""
        check_secret(name, values)
        text = json.dumps(dict(values))
        if len(text.encode()) > self.LARGEST:
            raise InvalidValueError(
                f"secret {name!r} is larger than the {self.LARGEST} bytes that {self.SERVICE} takes",
                hint="keep large documents in the encrypted file, or split the secret",
            )
        identifier = self._identifier(name)
        if replacing:
            self._replace(identifier, text)
            return
        try:
            self._create(identifier, text)
        except NameTakenError:
            raise ComponentExistsError(
                f"a secret named {name!r} is there already",
                hint=f"provision secret update {name} …, or choose another name",
                kind="secret",
                name=name,
            ) from None

    def delete(self, name: str) -> None:
        """Forgets the secret; raises SecretNotFoundError. The service may keep it for a while, to recover."""
        if not self._remove(self._identifier(name)):
            raise no_secret(name, self._known())

    def rename(self, old: str, new: str) -> None:
        """Gives the secret another name; raises SecretNotFoundError and ComponentExistsError.

        Not in one step, for no service has one: what is interrupted leaves the secret under both names.
        """
        check_name(new, "secret")
        self.put(new, self.get(old))
        self.delete(old)

    def _known(self) -> list[str]:
        # Who may read single secrets may not be allowed to list them; that must not hide what was asked.
        try:
            return self.names()
        except SecretLockedError:
            return []

    def _identifier(self, name: str) -> str:
        identifier = f"{self.prefix}-{escaped(name)}"
        if len(identifier) > self.LONGEST_NAME:
            raise InvalidNameError(
                f"the name {name!r} is too long for {self.SERVICE}", hint="choose a shorter one"
            )
        return identifier

    def _ours(self, identifier: str) -> str | None:
        """The name of ours that stands behind an identifier of the service."""
        start = f"{self.prefix}-"
        return unescaped(identifier.removeprefix(start)) if identifier.startswith(start) else None

    @abstractmethod
    def _list(self) -> list[str]:
        """The identifiers that begin with the prefix, and perhaps others."""

    @abstractmethod
    def _read(self, identifier: str) -> str | None:
        """The newest value, None when there is none."""

    @abstractmethod
    def _create(self, identifier: str, text: str) -> None:
        """Stores a new secret; raises NameTakenError."""

    @abstractmethod
    def _replace(self, identifier: str, text: str) -> None:
        """Stores a secret, whether it is there or not."""

    @abstractmethod
    def _remove(self, identifier: str) -> bool:
        """Deletes a secret; False when there is none."""


_SIGNS = {"-": "--", "_": "-0", ".": "-1"}
_BACK = {text: sign for sign, text in _SIGNS.items()}


def escaped(name: str) -> str:
    """``name`` in a-z, 0-9 and '-' alone: Key Vault takes no more, and tells no capitals apart."""
    return "".join(_SIGNS.get(sign, f"-{sign.lower()}" if sign.isupper() else sign) for sign in name)


def unescaped(text: str) -> str | None:
    """The name that ``escaped`` made ``text`` of; None for what it did not make."""

    def back(match: re.Match[str]) -> str:
        return _BACK.get(match[0]) or match[0][1].upper()

    if not re.fullmatch(r"(?:[a-z0-9]|-[a-z01-])+", text):
        return None
    return re.sub(r"-[a-z01-]", back, text)


def parsed(text: str | bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty for anything else."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
