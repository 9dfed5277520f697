"""One secret store, with read-only ones above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stacks.errors import SecretNotFoundError, SecretReadOnlyError
from stacks.secrets.base import ReadOnlySecrets, Secret, SecretReader, SecretStore, no_secret


class LayeredSecretStore:
    """Reads from the first of those ``above`` that has a secret, else from ``store``, and writes there."""

    def __init__(self, above: Sequence[ReadOnlySecrets], store: SecretStore) -> None:
        self._above = tuple(above)
        self._readers: tuple[SecretReader, ...] = (*above, store)
        self._store = store

    def __repr__(self) -> str:
        return f"LayeredSecretStore({', '.join(repr(reader) for reader in self._readers)})"

    def names(self) -> list[str]:
        """The names in any of the stores, sorted."""
        return sorted({name for reader in self._readers for name in reader.names()})

    def get(self, name: str) -> Secret:
        """The secret of that name; raises SecretNotFoundError when no store has it."""
        for reader in self._readers:
            try:
                return reader.get(name)
            except SecretNotFoundError:
                continue
        raise no_secret(name, self.names())

    def put(self, name: str, values: Mapping[str, str], *, replacing: bool = False) -> None:
        """Stores a secret; ComponentExistsError when the name is taken and not ``replacing``."""
        self._refuse_read_only(name)
        self._store.put(name, values, replacing=replacing)

    def delete(self, name: str) -> None:
        """Forgets the secret; raises SecretNotFoundError."""
        self._refuse_read_only(name)
        self._store.delete(name)

    def rename(self, old: str, new: str) -> None:
        """Gives the secret another name; raises SecretNotFoundError and ComponentExistsError."""
        self._refuse_read_only(old)
        self._refuse_read_only(new)
        self._store.rename(old, new)

    def _refuse_read_only(self, name: str) -> None:
        # A change would go to the store below, and the reader above would hide it.
        for reader in self._above:
            try:
                reader.get(name)
            except SecretNotFoundError:
                continue
            raise SecretReadOnlyError(
                f"secret {name!r} comes from {reader.place_of(name)}, which cannot be changed here",
                hint="change it where the program is started, or use another name",
            )
