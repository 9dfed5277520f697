"""What a secret store does, and how references to secrets become their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from stacks.errors import InvalidNameError, InvalidValueError, SecretNotFoundError
from stacks.sensitive import KEY, REFERENCE
from stacks.state.records import check_name


class Secret(Mapping[str, str]):
    """The values of one secret by key. Shows its keys when printed, never a value."""

    __slots__ = ("_values", "name")

    def __init__(self, name: str, values: Mapping[str, str]) -> None:
        self.name = name
        self._values = dict(values)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, keys={sorted(self._values)})"


class SecretReader(Protocol):
    """Secrets by name, each a set of values by key; every method raises SecretError when the store fails."""

    def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        ...

    def get(self, name: str) -> Secret:
        """The secret of that name; raises SecretNotFoundError."""
        ...


class ReadOnlySecrets(SecretReader, Protocol):
    """Secrets that are changed elsewhere."""

    def place_of(self, name: str) -> str:
        """Where the secret of that name comes from, in words."""
        ...


class SecretStore(SecretReader, Protocol):
    """Secrets that can be changed, too; ``delete`` and ``rename`` raise SecretNotFoundError."""

    def put(self, name: str, values: Mapping[str, str], *, replacing: bool = False) -> None:
        """Stores a secret; ComponentExistsError when the name is taken and not ``replacing``."""
        ...

    def delete(self, name: str) -> None:
        """Forgets the secret."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Gives the secret another name; ComponentExistsError when that is taken."""
        ...


def check_secret(name: str, values: Mapping[str, str]) -> None:
    """Raises InvalidNameError or InvalidValueError for what no secret store takes; names no value."""
    check_name(name, "secret")
    if not values:
        raise InvalidValueError(
            f"secret {name!r} has no values", hint="give at least one, for example --token=@token.txt"
        )
    for key, value in values.items():
        if not KEY.fullmatch(key):
            raise InvalidNameError(
                f"{key!r} cannot be a key of secret {name!r}", hint="use A-Z, a-z, 0-9, '_' and '-'"
            )
        if not isinstance(value, str):
            raise InvalidValueError(
                f"the value of {key!r} in secret {name!r} is not text", hint="secrets hold text only"
            )


def no_secret(name: str, known: list[str]) -> SecretNotFoundError:
    """The error for a secret that is not there, naming those that are."""
    there = ", ".join(known[:20]) or "none"
    return SecretNotFoundError(
        f"there is no secret named {name!r}",
        hint=f"there are: {there}. Create it: provision secret create {name} --KEY=@FILE",
    )


def references(value: Any) -> set[str]:
    """The names of all secrets that ``value``, a text or anything made of texts, refers to."""
    if isinstance(value, str):
        return {match[1] for match in REFERENCE.finditer(value)}
    if isinstance(value, Mapping):
        return {name for item in value.values() for name in references(item)}
    if isinstance(value, list | tuple):
        return {name for item in value for name in references(item)}
    return set()


def resolve(value: Any, store: SecretReader) -> Any:
    """``value`` with every ``{{name.key}}`` in its texts, however deep, replaced by the secret's value.

    A secret's value is taken as it is: references inside it are not followed. Raises SecretNotFoundError
    for a secret or a key that is not there.
    """
    return _resolve(value, {name: store.get(name) for name in references(value)})


def _resolve(value: Any, secrets: Mapping[str, Secret]) -> Any:
    if isinstance(value, str):
        return REFERENCE.sub(lambda match: _value(secrets[match[1]], match[2]), value)
    if isinstance(value, Mapping):
        return {key: _resolve(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_resolve(item, secrets) for item in value]
    return value


def _value(secret: Secret, key: str) -> str:
    try:
        return secret[key]
    except KeyError:
        raise SecretNotFoundError(
            f"secret {secret.name!r} has no key {key!r}",
            hint=f"its keys are: {', '.join(sorted(secret)) or 'none'}",
        ) from None
