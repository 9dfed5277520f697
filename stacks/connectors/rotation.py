"""Replacing a connector's static key without an outage: the new one is proven before the old one goes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from stacks.connectors import create_connector
from stacks.errors import InvalidValueError, SecretNotFoundError
from stacks.secrets import Secret, SecretReader, SecretStore
from stacks.sensitive import REFERENCE
from stacks.state.records import ConnectorRecord

# One module for each type, with ``fields(record)``, the names of a key's parts (none where the auth method
# has no key of its own), and ``rotator(record, secrets, key) -> Rotator``.
_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "aws": "stacks.connectors.aws_rotation",
        "gcp": "stacks.connectors.gcp_rotation",
        "azure": "stacks.connectors.azure_rotation",
    }
)


class Rotator(Protocol):
    """The keys of one identity; every method raises ConnectorError or CredentialsError."""

    def identify(self, key: Mapping[str, str]) -> str:
        """How the cloud names that key; raises ConnectorError where that cannot be told."""
        ...

    def create(self) -> Mapping[str, str]:
        """A second key, by the names of the fields; the old one stays."""
        ...

    def prove(self, key: Mapping[str, str]) -> None:
        """Uses that key, until the cloud knows it."""
        ...

    def forget(self, key: Mapping[str, str]) -> None:
        """Deletes that key."""
        ...


@dataclass(frozen=True, slots=True)
class _Proposed:
    """The secrets as they will be once the rotation is done."""

    store: SecretReader
    secret: Secret

    def names(self) -> list[str]:
        return self.store.names()

    def get(self, name: str) -> Secret:
        return self.secret if name == self.secret.name else self.store.get(name)


def rotate(record: ConnectorRecord, secrets: SecretStore, *, keep_old: bool = False) -> str:
    """Makes a key, proves it, puts it into the connector's secret, deletes the old one; that secret's name.

    Whatever fails before the new key is in the secret leaves the old one in force, and no second one behind.
    With ``keep_old`` the old key stays, for programs that go on holding it. Raises InvalidValueError for a
    connector without a static key of its own, ConnectorError, SecretError, CredentialsError.
    """
    module = importlib.import_module(_MODULES[record.type])
    name, keys = _home_of(record, module.fields(record), secrets)
    held = secrets.get(name)
    old = {field: held[key] for field, key in keys.items()}
    by_old: Rotator = module.rotator(record, secrets, old)
    if not keep_old:
        by_old.identify(old)  # before anything is made: a key that cannot be told apart cannot be deleted
    new = by_old.create()
    proposed = {**held, **{keys[field]: value for field, value in new.items()}}
    try:
        by_old.prove(new)
        if record.resource_id is not None:
            create_connector(record, _Proposed(secrets, Secret(name, proposed))).verify()
        secrets.put(name, proposed, replacing=True)
    except BaseException:
        by_old.forget(new)
        raise
    if not keep_old:
        by_new: Rotator = module.rotator(record, secrets, new)
        by_new.forget(old)
    return name


def _home_of(
    record: ConnectorRecord, fields: tuple[str, ...], secrets: SecretStore
) -> tuple[str, Mapping[str, str]]:
    """The one secret that holds ``fields``, and under which key it holds each."""
    found: dict[str, tuple[str, str]] = {}
    for field in fields:
        match = REFERENCE.fullmatch(str(record.config.get(field, "")).strip())
        if match is not None:
            found[field] = (match[1], match[2])
        elif record.authentication_secret is not None and field in secrets.get(record.authentication_secret):
            found[field] = (record.authentication_secret, field)
    names = {name for name, _ in found.values()}
    if not fields or len(found) < len(fields) or len(names) > 1:
        raise InvalidValueError(
            f"service connector {record.name!r} has no static key of its own that could be rotated",
            hint=f"its auth method is {record.auth_method}; keys are rotated that lie in one secret",
        )
    name = names.pop()
    missing = sorted(key for _, key in found.values() if key not in secrets.get(name))
    if missing:
        raise SecretNotFoundError(f"secret {name!r} has no key {', '.join(missing)}")
    return name, {field: key for field, (_, key) in found.items()}
