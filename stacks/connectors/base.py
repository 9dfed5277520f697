"""What every service connector does, and how a type of connectors describes itself.

A connector turns its configuration, and the secrets that it refers to, into short-lived credentials for one
resource. It never falls back to anonymous access, nor to credentials that its auth method does not name.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from stacks.credentials import Credentials
from stacks.errors import ConnectorConfigError, CredentialsExpiredError, InvalidValueError
from stacks.secrets.base import SecretReader, resolve
from stacks.state.records import ConnectorRecord

Access = Literal["read-write", "read-only"]
ACCESSES: tuple[Access, ...] = ("read-write", "read-only")


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """One way to authenticate: the fields it needs, those it also takes, which of them are secrets.

    ``scoped`` says whether what a store receives reaches that store alone; ``temporary`` whether it expires.
    """

    name: str
    says: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    scoped: bool = False
    temporary: bool = True

    @property
    def fields(self) -> frozenset[str]:
        """All fields that the method takes."""
        return self.required | self.optional


@dataclass(frozen=True, slots=True)
class ConnectorType:
    """A cloud: its auth methods, the types of resources it grants, and the extra that brings its SDK."""

    name: str
    title: str
    auth_methods: tuple[AuthMethod, ...]
    resource_types: tuple[str, ...]
    schemes: frozenset[str]
    extra: str

    def auth_method(self, name: str) -> AuthMethod:
        """The auth method of that name; raises InvalidValueError, naming those there are."""
        for method in self.auth_methods:
            if method.name == name:
                return method
        known = ", ".join(method.name for method in self.auth_methods)
        raise InvalidValueError(
            f"connectors of type {self.name} have no auth method {name!r}", hint=f"choose one of: {known}"
        )

    def check(self, record: ConnectorRecord, secret_keys: frozenset[str] = frozenset()) -> None:
        """Raises InvalidValueError for what no connector of this type could be made of.

        ``secret_keys`` are the keys of the record's ``authentication_secret``, which count as fields given.
        """
        method = self.auth_method(record.auth_method)
        if record.resource_type is not None and record.resource_type not in self.resource_types:
            raise InvalidValueError(
                f"connectors of type {self.name} have no resource type {record.resource_type!r}",
                hint=f"choose one of: {', '.join(self.resource_types)}",
            )
        for name in sorted(record.config.keys() - method.fields):
            near = difflib.get_close_matches(name, method.fields, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"it takes: {', '.join(sorted(method.fields))}"
            raise InvalidValueError(f"the auth method {method.name} has no field {name!r}", hint=known)
        missing = sorted(method.required - record.config.keys() - secret_keys)
        if missing:
            raise InvalidValueError(
                f"service connector {record.name!r}: {method.name} needs {', '.join(missing)}",
                hint=" ".join(f"--{name}=…" for name in missing)
                + ("; or put them into a secret and name it" if method.secrets else ""),
            )
        access = record.config.get("access", ACCESSES[0])
        if access not in ACCESSES:
            raise InvalidValueError(
                f"service connector {record.name!r}: access {access!r} is neither of {', '.join(ACCESSES)}",
                hint="give --access=read-write or --access=read-only",
            )


class Connector(ABC):
    """A connector made from its record; nothing is contacted before credentials are asked for."""

    TYPE: ConnectorType

    def __init__(self, record: ConnectorRecord, secrets: SecretReader) -> None:
        """Raises InvalidValueError for a record that does not hold, SecretNotFoundError for its secrets."""
        self.record = record
        self.method = self.TYPE.auth_method(record.auth_method)
        held = secrets.get(record.authentication_secret) if record.authentication_secret else {}
        kept = {key: value for key, value in held.items() if key in self.method.fields}
        self.TYPE.check(record, frozenset(kept))
        self._config: dict[str, Any] = {**kept, **resolve(dict(record.config), secrets)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.record.name!r}, auth_method={self.record.auth_method!r})"

    @property
    def access(self) -> Access:
        """The most that the connector grants."""
        access: Access = self._config.get("access", "read-write")
        return access

    @classmethod
    @abstractmethod
    def check_covers(cls, record: ConnectorRecord, resource_id: str) -> None:
        """Raises ConnectorScopeError when ``record`` is for another resource; contacts nobody."""

    @abstractmethod
    def store_settings(self) -> dict[str, Any]:
        """What an artifact store takes from its connector where its own configuration is silent."""

    @abstractmethod
    def credentials_for(self, resource_id: str | None = None, access: Access | None = None) -> Credentials:
        """Credentials for one resource and, where the auth method can, for nothing else.

        ``resource_id`` None stands for the connector's own resource, or for all that it reaches; ``access``
        None for the connector's own. Raises ConnectorScopeError for what it does not cover, CredentialsError
        for its own credentials, ConnectorError for what the cloud refuses.
        """

    @abstractmethod
    def verify(self, resource_id: str | None = None) -> list[str]:
        """Proves that credentials can be had and reach the resource; returns the resources proved."""

    @abstractmethod
    def list_resources(self) -> list[str]:
        """The ids of the resources that the connector can reach, sorted."""

    def _expiry(self, given: datetime | None = None) -> datetime | None:
        """When credentials end, less the tolerance for clocks that differ.

        That is what the service said (``given``), else the connector's own ``expires_at``. Raises
        CredentialsExpiredError when it has passed.
        """
        expires_at = given or _moment(self._config.get("expires_at"), self.record.name)
        if expires_at is None:
            return None
        skew = whole_number(self._config, "expires_skew_tolerance", 0, 0, 3600)
        # The SDKs bring UTC classes of their own, and obstore takes no other than Python's.
        expires_at = expires_at.astimezone(UTC) - timedelta(seconds=skew)
        if expires_at <= datetime.now(UTC):
            raise CredentialsExpiredError(
                f"the credentials of service connector {self.record.name!r} expired at "
                f"{expires_at.isoformat(timespec='seconds')}",
                hint=f"give it new ones: provision service-connector update {self.record.name} …",
            )
        return expires_at


def _moment(value: object, connector: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConnectorConfigError(
            f"service connector {connector!r}: expires_at is not a time with a time zone",
            hint="write it as 2026-11-20T10:00:00+00:00",
        )
    return moment


def whole_number(config: Mapping[str, Any], name: str, default: int, lowest: int, highest: int) -> int:
    """The field ``name`` as a whole number within its limits; raises ConnectorConfigError."""
    value = config.get(name, default)
    try:
        number = int(str(value))
    except ValueError:
        number = lowest - 1
    if not lowest <= number <= highest:
        raise ConnectorConfigError(
            f"{name} is {value!r}, and must be a whole number from {lowest} to {highest}",
            hint=f"give --{name}={default}, for example",
        )
    return number
