"""Prove a registered store by using it, as a program would, with the connector's own credentials."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from provisioner.errors import UpstreamError
from provisioner.manifest import ArtifactStore, Manifest
from stacks import Client
from stacks.errors import CredentialsError, StacksError, StorePermissionError
from stacks.state import StateFile
from stacks.stores.base import BaseArtifactStore

_CONTENT = b"a probe of stack-provisioner: it may be deleted\n"
_SETTLE_SECONDS = 60.0  # IAM is eventually consistent: a new role works after some seconds
_PAUSE_SECONDS = 2.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Probed:
    """A store that works: in words, and the folder in it whose old versions may now be deleted."""

    store: ArtifactStore
    sentence: str
    folder: str | None


def probe(state_file: StateFile, manifest: Manifest, say: Say) -> tuple[Probed, ...]:
    """Put, get, list and delete one object in each store.

    Raises :class:`UpstreamError`, naming the store, the operation and the permission that it misses.
    """
    client = Client(state_file)
    read_only = {connector.name for connector in manifest.connectors if connector.access == "read-only"}
    done = []
    for record in manifest.artifact_stores:
        if record.connector in read_only:
            _until_settled(record, partial(_look, client, record.name), say)
            done.append(Probed(record, f"{record.name}: list works", None))
            continue
        folder = new_folder()
        _until_settled(record, partial(_use, client, record.name, folder), say)
        done.append(Probed(record, f"{record.name}: put, get, list and delete work", folder))
    return tuple(done)


def _until_settled(record: ArtifactStore, use: Callable[[], None], say: Say) -> None:
    begun = time.monotonic()
    while True:
        try:
            use()
        except (StorePermissionError, CredentialsError) as error:
            if time.monotonic() - begun < _SETTLE_SECONDS and record.connector is not None:
                say(f"{record.name}: not usable yet, waiting for the permissions to arrive")
                time.sleep(_PAUSE_SECONDS)
                continue
            raise UpstreamError(
                f"{record.name} was created and registered, but cannot be used: {error}",
                hint=getattr(error, "hint", None) or "check the permissions of the connector",
            ) from error
        else:
            return


def _look(client: Client, name: str) -> None:
    store = client.get_artifact_store(name)
    _list(store, store.path)


def _use(client: Client, name: str, folder: str) -> None:
    try_out(client.get_artifact_store(name), folder)


def try_out(store: BaseArtifactStore, folder: str) -> None:
    """Write, read, list and delete one object in a folder of its own below the store's root.

    Raises :class:`UpstreamError` when the store gives back something else than it got.
    """
    place = f"{store.path.rstrip('/')}/{folder}"
    path = f"{place}/object"
    store.makedirs(place)
    try:
        with store.open(path, "wb") as stream:
            stream.write(_CONTENT)
        with store.open(path, "rb") as stream:
            content = stream.read()
        if content != _CONTENT or _list(store, place) != ["object"]:
            raise UpstreamError(
                f"{store.name} gave back something else than was put into it",
                hint="look at what stands between this machine and the service: a cache, a proxy",
            )
    except BaseException:
        # What went wrong here is what the user has to know, not that there is nothing to clean up.
        with suppress(StacksError, OSError):
            store.rmtree(place)
        raise
    store.rmtree(place)


def new_folder() -> str:
    """A name for the folder of a probe that nobody has used before."""
    return f".probe-{uuid.uuid4().hex}"


def _list(store: BaseArtifactStore, path: str) -> list[str]:
    return [str(entry) for entry in store.listdir(path)]
