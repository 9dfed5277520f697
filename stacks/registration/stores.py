"""The verbs of artifact stores and of their flavors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from stacks.assembly import flavor_class
from stacks.connectors import check_covers, create_connector
from stacks.errors import ConnectorError, InvalidValueError, PathError, StoreConfigError
from stacks.registration.base import KEPT, STORE, Kept, RegistrationBase, merged, refuse_managed, refuse_taken
from stacks.state import ArtifactStoreRecord, FlavorRecord, State
from stacks.stores.base import BaseArtifactStore
from stacks.stores.paths import split_scheme
from stacks.stores.registry import Flavor, canonical, flavors, load_class, store_class

logger = logging.getLogger(__name__)
KIND = STORE


class StoreRegistration(RegistrationBase):
    """Registering and changing artifact stores; each raises UnknownComponentError for an unknown name."""

    def register_artifact_store(
        self,
        name: str,
        flavor: str,
        path: str | None = None,
        *,
        config: Mapping[str, Any] | None = None,
        authentication_secret: str | None = None,
        connector: str | None = None,
    ) -> ArtifactStoreRecord:
        """Registers a store; without ``path`` a local one gets a folder of its own beside the state file.

        Plain secrets in ``config`` go into the secret ``<name>.artifact-store``. Nothing is contacted.
        Raises ComponentExistsError, UnknownComponentError (flavor, connector), StoreConfigError,
        ConnectorScopeError, InvalidValueError.
        """
        refuse_taken(self.state.artifact_stores, name, KIND)
        path = self._default_path(name, flavor) if path is None else path
        with self._stowed(name, KIND, config or {}, self._secret_fields(flavor)) as stowed:
            record = ArtifactStoreRecord(
                name, canonical(flavor), path, stowed, connector, authentication_secret
            )

            def change(state: State) -> State:
                return state.with_artifact_store(self._checked(state, record))

            return self._update(change).artifact_store(name)

    def list_artifact_stores(self) -> list[ArtifactStoreRecord]:
        """All artifact stores, by name."""
        stores = self.state.artifact_stores
        return [stores[name] for name in sorted(stores)]

    def describe_artifact_store(self, name: str) -> ArtifactStoreRecord:
        """The record of a store; what is secret in it is a reference."""
        return self.state.artifact_store(name)

    def update_artifact_store(
        self,
        name: str,
        *,
        path: str | None = None,
        config: Mapping[str, Any] | None = None,
        authentication_secret: str | Kept | None = KEPT,
        connector: str | Kept | None = KEPT,
        remove: Iterable[str] = (),
    ) -> ArtifactStoreRecord:
        """Changes what is given and removes the fields ``remove``; raises as registering does."""
        gone = set(remove)
        present = self.state.artifact_store(name)
        refuse_managed(present, KIND)
        with self._stowed(name, KIND, config or {}, self._secret_fields(present.flavor)) as stowed:

            def change(state: State) -> State:
                old = state.artifact_store(name)
                refuse_managed(old, KIND)
                unknown = sorted(gone - old.config.keys() - {"authentication_secret", "connector"})
                if unknown:
                    raise InvalidValueError(
                        f"{KIND} {name!r} has no attribute {', '.join(unknown)}",
                        hint=f"it has: {', '.join(sorted(old.config)) or 'none'}",
                    )
                record = replace(
                    old,
                    path=old.path if path is None else path,
                    config=merged({k: v for k, v in old.config.items() if k not in gone}, stowed),
                    authentication_secret=_kept(authentication_secret, old.authentication_secret, gone),
                    connector=_kept(connector, old.connector, gone, "connector"),
                )
                return state.with_artifact_store(self._checked(state, record), replacing=True)

            changed = self._update(change).artifact_store(name)
            self._stores.pop(name, None)  # a new value of a secret leaves the record as it was
            return changed

    def connect_artifact_store(
        self, name: str, connector: str, *, verify: bool = False
    ) -> ArtifactStoreRecord:
        """Lets the store authenticate through a connector, which takes the place of its secret.

        With ``verify`` the connector proves first that it reaches the store; when it does not, the store
        stays as it was.
        """
        if verify:
            state = self.state
            create_connector(state.connector(connector), self.secrets).verify(state.artifact_store(name).path)
        return self.update_artifact_store(name, connector=connector, authentication_secret=None)

    def disconnect_artifact_store(self, name: str) -> ArtifactStoreRecord:
        """Lets the store authenticate without a connector."""
        return self.update_artifact_store(name, connector=None)

    def rename_artifact_store(self, old: str, new: str) -> None:
        """Raises ComponentError for a store that a manifest manages, ComponentExistsError."""

        def change(state: State) -> State:
            refuse_managed(state.artifact_store(old), KIND)
            return state.with_artifact_store_renamed(old, new)

        self._update(change)

    def copy_artifact_store(self, source: str, target: str) -> ArtifactStoreRecord:
        """A second record of the same place, which no manifest manages; no data is copied."""

        def change(state: State) -> State:
            record = replace(state.artifact_store(source), name=target, deployment=None)
            return state.with_artifact_store(record)

        return self._update(change).artifact_store(target)

    def delete_artifact_store(self, name: str) -> None:
        """Forgets the record, not the data; raises ComponentInUseError while a stack uses it."""

        gone = self.state.artifact_store(name)

        def change(state: State) -> State:
            refuse_managed(state.artifact_store(name), KIND)
            return state.without_artifact_store(name)

        self._update(change)
        self._drop_own_secrets(gone, KIND)

    # -- flavors

    def list_flavors(self) -> list[Flavor]:
        """Every flavor: built-in ones, those of installed packages, registered ones."""
        return flavors({name: record.source for name, record in self.state.flavors.items()})

    def register_flavor(self, source: str) -> FlavorRecord:
        """Registers the class ``module.Class`` under its ``FLAVOR``; raises StoreConfigError."""
        name = load_class(source).FLAVOR
        if any(known.name == name and known.origin != "custom" for known in self.list_flavors()):
            raise InvalidValueError(
                f"{source!r} calls itself {name!r}, which is a flavor that is there already",
                hint="give the class another FLAVOR",
            )
        record = FlavorRecord(name, source)
        self._update(lambda state: state.with_flavor(record))
        return record

    def delete_flavor(self, name: str) -> None:
        """Forgets a registered flavor; raises ComponentInUseError while a store is of it."""
        self._update(lambda state: state.without_flavor(name))

    # -- what they share

    def _secret_fields(self, flavor: str) -> frozenset[str]:
        """The fields that the flavor itself declares to be secret; a custom one may call them anything."""
        return frozenset(getattr(flavor_class(self.state, flavor), "SECRET_CONFIG", ()))

    def _default_path(self, name: str, flavor: str) -> str:
        if canonical(flavor) == "local":
            return str(self.state_file.home / "local_stores" / name)
        raise InvalidValueError(
            f"an artifact store of the flavor {flavor} needs a path", hint="give --path, such as s3://bucket"
        )

    def _checked(self, state: State, record: ArtifactStoreRecord) -> ArtifactStoreRecord:
        """``record`` with its path as the flavor writes it; raises when no store could be made of it."""
        if record.connector is not None and record.authentication_secret is not None:
            raise InvalidValueError(
                f"{KIND} {record.name!r} has both a connector and an authentication_secret",
                hint="choose one: the connector's credentials are short-lived",
            )
        connector = None if record.connector is None else state.connector(record.connector)
        secret = record.authentication_secret
        if secret is not None and secret not in self.secrets.names():
            logger.warning(
                "%s %s refers to the secret %s, which is not there yet: provision secret create %s …",
                KIND, record.name, secret, secret,
            )  # fmt: skip
        cls = flavor_class(state, record.flavor)
        path = str(Path(record.path).expanduser()) if record.path.startswith("~") else record.path
        asks = connector is not None or secret is not None
        try:
            made = cls(path, name=record.name, credentials=_never_asked if asks else None, **record.config)
        except (PathError, StoreConfigError) as error:
            better = _of_another_flavor(path, cls, state)
            if better is None:
                raise
            raise better from error
        if connector is not None:
            check_covers(connector, cls.SUPPORTED_SCHEMES, made.path)
        return replace(record, path=made.path)


def _of_another_flavor(path: str, cls: type[BaseArtifactStore], state: State) -> StoreConfigError | None:
    """The error for a URL that stores of another flavor are at; None for any other path."""
    scheme, _ = split_scheme(path)
    custom = {name: record.source for name, record in state.flavors.items()}
    if scheme and scheme not in cls.SUPPORTED_SCHEMES:
        for known in flavors(custom):
            with suppress(StoreConfigError):  # what somebody installed may not even load
                if scheme in store_class(known.name, custom).SUPPORTED_SCHEMES:
                    begin = " or ".join(sorted(cls.SUPPORTED_SCHEMES))
                    local = "" in cls.SUPPORTED_SCHEMES
                    wrong = "is not local" if local else f"does not begin with {begin}"
                    return StoreConfigError(
                        f"the path {path!r} {wrong}",
                        hint=f"stores at {scheme} are of the flavor {known.name}: register one with "
                        f"-f {known.name}",
                        path=path,
                    )
    return None


def _never_asked() -> NoReturn:
    """Stands for a store's credentials while it is only checked whether the store can be made."""
    raise ConnectorError("a store that was only made to be checked was used")


def _kept(
    given: str | Kept | None, old: str | None, removed: set[str], name: str = "authentication_secret"
) -> str | None:
    if name in removed:
        return None
    return old if isinstance(given, Kept) else given
