"""What all verbs of the registration stand on."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from itertools import chain, count
from typing import Any

from stacks.errors import ComponentError, ComponentExistsError
from stacks.secrets import SecretStore, references, secret_store
from stacks.sensitive import is_reference, is_secret, unfolded
from stacks.state import ArtifactStoreRecord, ConnectorRecord, StackRecord, State, StateFile
from stacks.state.records import check_name
from stacks.stores.base import BaseArtifactStore

logger = logging.getLogger(__name__)

STORE, CONNECTOR = "artifact store", "service connector"
"""What messages call the two kinds of components that can hold secrets."""

Managed = ArtifactStoreRecord | ConnectorRecord | StackRecord


class Kept(Enum):
    """The default of an argument whose None means «none»: leave what is there."""

    KEPT = "kept"


KEPT = Kept.KEPT


class RegistrationBase:
    """The state file, the secret store beside it, and the changes of both."""

    def __init__(
        self,
        state: StateFile | str | os.PathLike[str] | None = None,
        *,
        secrets: SecretStore | None = None,
    ) -> None:
        if state is None:
            state = StateFile.locate()
        self.state_file = state if isinstance(state, StateFile) else StateFile(state)
        self.secrets: SecretStore = secrets if secrets is not None else secret_store(self.state_file.home)
        self._stores: dict[str, tuple[object, BaseArtifactStore]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.state_file.location!r})"

    @property
    def state(self) -> State:
        """All records, as the state file has them now."""
        return self.state_file.read()

    def _update(self, change: Callable[[State], State]) -> State:
        return self.state_file.update(change)

    @contextmanager
    def _stowed(
        self, name: str, kind: str, config: Mapping[str, Any], secret_fields: Collection[str] = ()
    ) -> Iterator[dict[str, Any]]:
        """``config`` with its plain secrets moved into a secret of the component's own.

        ``secret_fields`` are fields that hold secrets although their names do not say so.
        When the block raises, the secret is as it was before: a refused registration leaves nothing.
        """
        values: dict[str, str] = {}
        moved = _moved(config, own_secret(check_name(name, kind), kind), "", values, secret_fields)
        if not values:
            yield moved
            return
        own = self._own_secret(name, kind)
        moved = _moved(config, own, "", values, secret_fields)
        before = dict(self.secrets.get(own)) if own in self.secrets.names() else None
        self.secrets.put(own, {**(before or {}), **values}, replacing=True)
        try:
            yield moved
        except BaseException:
            if before is None:
                self.secrets.delete(own)
            else:
                self.secrets.put(own, before, replacing=True)
            raise
        logger.info("%s of %s %s went into the secret %s", ", ".join(sorted(values)), kind, name, own)

    def _own_secret(self, name: str, kind: str) -> str:
        """The secret that belongs to a component alone.

        The one that its record refers to, and no other does; else one that is not there yet: the name may be
        taken by a component that was renamed or copied, or by one of another state file.
        """
        state = self.state
        records: Mapping[str, ArtifactStoreRecord | ConnectorRecord] = (
            state.artifact_stores if kind == STORE else state.connectors
        )
        if name in records:
            for secret in sorted(references(records[name].config)):
                if secret.endswith(own_secret("", kind)) and users_of_secret(state, secret) == (
                    f"{kind} {name}",
                ):
                    return secret
        taken = set(self.secrets.names())
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        return next(own for own in (own_secret(free, kind) for free in names) if own not in taken)

    def _drop_own_secrets(self, gone: ArtifactStoreRecord | ConnectorRecord, kind: str) -> None:
        """Forgets the secrets that ``_stowed`` made for a component, once nothing refers to them."""
        for secret in references(gone.config):
            if secret.endswith(own_secret("", kind)) and not users_of_secret(self.state, secret):
                self.secrets.delete(secret)


def own_secret(name: str, kind: str) -> str:
    """The name of the secret that belongs to a component: ``mine.artifact-store``."""
    return f"{name}.{kind.replace(' ', '-')}"


def users_of_secret(state: State, secret: str) -> tuple[str, ...]:
    """The components that refer to a secret, each with its kind."""
    return tuple(
        f"{kind} {record.name}"
        for kind, records in (
            (STORE, state.artifact_stores),
            (CONNECTOR, state.connectors),
        )
        for record in records.values()
        if record.authentication_secret == secret or secret in references(record.config)
    )


def refuse_managed(record: Managed, kind: str) -> None:
    """Raises ComponentError for a record that belongs to a deployment: its manifest would win again."""
    if record.deployment is not None:
        raise ComponentError(
            f"{kind} {record.name!r} is managed by the manifest of {record.deployment!r}",
            hint="change the manifest and apply it; or copy it under a name of your own",
            kind=kind,
            name=record.name,
        )


def refuse_taken(records: Mapping[str, object], name: str, kind: str) -> None:
    """Raises ComponentExistsError before anything of the component that has the name is touched."""
    if name in records:
        raise ComponentExistsError(
            f"a {kind} named {name!r} is already registered",
            hint=f"choose another name, or update, rename or delete the {kind} that has it",
            kind=kind,
            name=name,
        )


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` with ``changes``; a change to None removes the field."""
    both = {**config, **changes}
    return {name: value for name, value in both.items() if value is not None}


def _moved(
    config: Mapping[str, Any],
    secret: str,
    prefix: str,
    values: dict[str, str],
    secret_fields: Collection[str] = (),
) -> dict[str, Any]:
    """``config`` with references in the place of plain secrets, which go to ``values``."""
    moved: dict[str, Any] = {}
    for name, value in config.items():
        secretive = is_secret(name, value) or name in secret_fields
        if secretive and value not in (None, "", False) and not is_reference(value):
            key = f"{prefix}{name}"
            values[key] = value if isinstance(value, str) else json.dumps(value)
            moved[name] = f"{{{{{secret}.{key}}}}}"
        elif isinstance(inner := unfolded(value), Mapping):
            moved[name] = _moved(inner, secret, f"{prefix}{name}-", values)
        else:
            moved[name] = value
    return moved
