"""Storing a value as the next version of an artifact, so that nobody ever sees half of it."""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stacks.artifacts import layout
from stacks.artifacts.machine import this_process
from stacks.artifacts.records import ArtifactRecord, Claim, Producer, artifact_json, claim_json, now, relative
from stacks.errors import MaterializerError, StorePermissionError
from stacks.forks import ProcessLock
from stacks.materializers import ArtifactFiles, BaseMaterializer, Declined, FileDigest
from stacks.materializers.classes import reference
from stacks.materializers.registry import candidates, name_of
from stacks.stores.base import BaseArtifactStore
from stacks.stores.opening import OpeningStore

logger = logging.getLogger(__name__)

_TRIES = 8  # numbers tried one after the other before the claims are listed again
_lock = ProcessLock()
_counters: weakref.WeakKeyDictionary[BaseArtifactStore, dict[str, _Counter]] = weakref.WeakKeyDictionary()


def create(store: BaseArtifactStore, path: str, content: bytes) -> None:
    """Write a file that must not exist yet; no two writers may have the same ``content``.

    A service whose answer is lost is asked again, and then says that the file is there: it is our own.

    Raises:
        FileExistsError: it does; also when another writer was faster.
    """
    try:
        if isinstance(store, OpeningStore):
            store.write_bytes(path, content, if_absent=True)  # one request
        else:
            with store.open(path, "xb") as file:
                file.write(content)
    except FileExistsError:
        if not _holds(store, path, content):
            raise


def _holds(store: BaseArtifactStore, path: str, content: bytes) -> bool:
    try:
        return store.read_many([path]) == [content]
    except (FileNotFoundError, IsADirectoryError):
        return False


def refused(error: StorePermissionError, what: str) -> StorePermissionError:
    """The same, saying what could not be done for it."""
    return StorePermissionError(
        f"{what}: {error.message}",
        hint="these credentials may only read: use a stack, or a connector, with read-write access",
        store=error.store,
        operation=error.operation,
        path=error.path,
    )


def save_version(
    store: BaseArtifactStore,
    name: str,
    value: Any,
    place: tuple[str, str],
    *,
    producer: Producer | None = None,
    materializer: type[BaseMaterializer] | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> ArtifactRecord:
    """Stores ``value`` as the next version of the artifact ``name``, below the pipeline and step ``place``.

    The number is claimed first, then the files are written, then the record: a writer that dies on the way
    leaves a gap in the numbers, and nothing that anybody sees. What fails on the way is cleaned up.

    Raises:
        MaterializerError: nothing stores such a value.
        StorePermissionError: the store's credentials may only read.
    """
    claim = _claim(store, name, place, producer)
    uri, path = f"{store.path}/{claim.path}", f"{store.path}/{layout.record(name, claim.version)}"
    recording = False
    try:
        kind, files, found = _save(store, uri, value, materializer)
        record = ArtifactRecord(
            id=uuid.uuid4().hex,
            name=name,
            version=claim.version,
            path=claim.path,
            created=now(),
            materializer=name_of(kind),
            type=reference(type(value)) or f"{type(value).__module__}:{type(value).__qualname__}",
            files=files,
            producer=producer,
            tags=tuple(tags),
            metadata=_metadata({**found, **(metadata or {})}, name),
        )
        recording = True
        create(store, path, artifact_json(record))
    except BaseException:
        # A write that failed may have arrived all the same: while there may be a record, its files stay.
        if not recording or _is_gone(store, path):
            _drop(store, uri)
        raise
    return record


def _claim(store: BaseArtifactStore, name: str, place: tuple[str, str], producer: Producer | None) -> Claim:
    counter = _counter(store, name)
    # One thread of this process at a time: against each other they would only lose.
    with counter.lock.now:
        number = counter.last or _last_claimed(store, name)
        tried = 0
        while True:
            number += 1
            claim = Claim(
                uuid.uuid4().hex,
                name,
                number,
                layout.data(*place, name, number),
                producer.pipeline if producer else None,
                producer.run if producer else None,
                this_process(),
            )
            try:
                create(store, f"{store.path}/{layout.claim(name, number)}", claim_json(claim))
            except FileExistsError:
                tried += 1
                if tried % _TRIES == 0:
                    number = max(number, _last_claimed(store, name))
                continue
            except StorePermissionError as error:
                raise refused(error, f"the artifact {name} cannot be stored") from error
            counter.last = number
            return claim


class _Counter:
    """The highest number of an artifact that this process has taken; claims stay, so none below is free."""

    __slots__ = ("last", "lock")

    def __init__(self) -> None:
        self.last = 0
        self.lock = ProcessLock()


def _counter(store: BaseArtifactStore, name: str) -> _Counter:
    with _lock.now:
        return _counters.setdefault(store, {}).setdefault(name, _Counter())


def _last_claimed(store: BaseArtifactStore, name: str) -> int:
    # A glob is one listing also where there is nothing; names have no character that means something in one.
    found = store.glob(f"{store.path}/{layout.CLAIMS}/{name}/*")
    return max((layout.number_in(one.rpartition("/")[2]) or 0 for one in found), default=0)


def _save(
    store: BaseArtifactStore, uri: str, value: Any, chosen: type[BaseMaterializer] | None
) -> tuple[type[BaseMaterializer], dict[str, FileDigest], Mapping[str, Any]]:
    """Who stored it, the digests of its files, and what is known of it."""
    reasons: list[str] = []
    for kind in [chosen] if chosen else candidates(value):
        files = ArtifactFiles(store, uri)
        materializer = kind(uri, files)
        if kind.NAME is None:
            store.makedirs(uri)  # a user's may expect a folder to be there
        try:
            materializer.save(value)
        except Declined as answer:
            reasons.append(f"{kind.__qualname__}: {answer}" if str(answer) else kind.__qualname__)
            if files.written:
                _drop(store, uri)
            continue
        # Ours write through `files` alone; a user's may write by any other way as well.
        digests = files.written if kind.NAME is not None else files.account()
        if not digests:
            raise MaterializerError(
                f"{kind.__qualname__} wrote nothing below {uri}",
                hint="write below self.uri, with self.artifact_store.open(…)",
                name=kind.__qualname__,
            )
        _check(digests, kind)
        return kind, digests, materializer.extract_metadata(value)
    raise MaterializerError(
        f"no materializer takes a {type(value).__qualname__} ({'; '.join(reasons)})",
        hint="write one: a subclass of stacks.BaseMaterializer with the class in ASSOCIATED_TYPES",
    )


def _check(names: Iterable[str], kind: type[BaseMaterializer]) -> None:
    try:
        for name in names:
            relative(name)
    except ValueError as error:
        raise MaterializerError(
            f"what {kind.__qualname__} wrote could not be read: {error}",
            hint="let it write below self.uri, without dots and backslashes that lead elsewhere",
            name=kind.__qualname__,
        ) from None


def _metadata(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    try:
        data: Mapping[str, Any] = json.loads(json.dumps(dict(found), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise MaterializerError(
            f"the metadata of {name} is no JSON: {error}",
            hint="use texts, numbers, lists and mappings",
            name=name,
        ) from error
    return data


def _is_gone(store: BaseArtifactStore, path: str) -> bool:
    try:
        store.remove(path)
    except FileNotFoundError:
        return True
    except Exception as error:  # noqa: BLE001 - the failure that led here is the one to be heard
        logger.warning("%s may be there or not: %s", path, error)
        return False
    return True


def _drop(store: BaseArtifactStore, uri: str) -> None:
    """Removes what was written so far; what stays is found by `artifact prune`."""
    with contextlib.suppress(FileNotFoundError):
        try:
            store.rmtree(uri)
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - the failure that led here is the one to be heard
            logger.warning("%s is left behind, unfinished: %s", uri, error)
