"""The verbs of secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stacks.errors import ComponentInUseError
from stacks.registration.base import RegistrationBase, users_of_secret
from stacks.secrets import Secret


class SecretRegistration(RegistrationBase):
    """Creating, reading and changing secrets; all raise SecretError when the store cannot be used."""

    def create_secret(self, name: str, values: Mapping[str, str]) -> None:
        """Stores a new secret; raises ComponentExistsError, InvalidNameError, InvalidValueError."""
        self.secrets.put(name, values)

    def list_secrets(self) -> list[str]:
        """The names of all secrets, sorted."""
        return self.secrets.names()

    def get_secret(self, name: str) -> Secret:
        """The secret, values and all; printing it shows its keys alone. Raises SecretNotFoundError."""
        return self.secrets.get(name)

    def update_secret(self, name: str, values: Mapping[str, str], remove: Iterable[str] = ()) -> None:
        """Sets and removes keys of a secret; raises SecretNotFoundError, InvalidValueError."""
        held = {key: value for key, value in self.secrets.get(name).items() if key not in set(remove)}
        self.secrets.put(name, {**held, **values}, replacing=True)

    def rename_secret(self, old: str, new: str) -> None:
        """Raises ComponentInUseError while a component refers to it by its old name."""
        self._refuse_used(old)
        self.secrets.rename(old, new)

    def delete_secret(self, name: str) -> None:
        """Raises ComponentInUseError while a component refers to it."""
        self._refuse_used(name)
        self.secrets.delete(name)

    def _refuse_used(self, name: str) -> None:
        users = users_of_secret(self.state, name)
        if users:
            raise ComponentInUseError(
                f"secret {name!r} is used by {', '.join(users)}",
                hint="let them refer to another secret first",
                kind="secret",
                name=name,
                users=users,
            )
