"""What is refused before anything is changed: what could lose data, or could not be brought to its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from provisioner.errors import CredentialsError, NotEmptyError, ProtectedError, SafetyError
from provisioner.losses import Loss
from provisioner.verify.base import Contents
from provisioner.work import Work

_ROOM_BYTES = 64 << 20  # Terraform's state, its copies and its logs, many times over
_LAST_MINUTE = 60
_SOON = 15 * 60


@dataclass(frozen=True, slots=True)
class FilledBucket:
    """A bucket that holds something: whose it is, and what."""

    store: str
    name: str
    contents: Contents

    def __str__(self) -> str:
        return f"{self.store} ({self.name}) still holds {self.contents}"


def refuse_what_may_not_end(work: Work) -> None:
    """Refuse to start what could not be brought to its end, for lack of room or of time.

    Raises :class:`SafetyError` for a disk that is nearly full, and :class:`CredentialsError` for
    credentials in their last minute.
    """
    free = work.workspace.free_bytes()
    if free < _ROOM_BYTES:
        raise SafetyError(
            f"only {free >> 20} MiB are free on the disk of {work.workspace.path}: if it fills up in the "
            "middle of an apply, Terraform cannot store its state",
            hint=f"make room: at least {_ROOM_BYTES >> 20} MiB",
        )
    if work.cloud.credentials_end_within(_LAST_MINUTE):
        raise CredentialsError(
            "the credentials end within a minute: they would not outlive this run", hint="log in again"
        )
    if work.cloud.credentials_end_within(_SOON):
        work.say(f"warning: the credentials end within {_SOON // 60} minutes")


def refuse_protected(work: Work) -> None:
    """Refuse a destroy while a store is protected, in the manifest at hand or in what was applied.

    A store that this stack made stays protected when the manifest says now that it is somebody else's.
    """
    before = work.applied_manifest()
    applied = {store.name: store for store in before.artifact_stores if not store.existing} if before else {}
    protected = []
    for store in work.manifest.artifact_stores:
        made = [applied.pop(name, None) for name in (store.renamed_from or "", store.name)]
        if store.protect and (not store.existing or any(one is not None and one.protect for one in made)):
            protected.append(store.name)
    protected += [store.name for store in applied.values() if store.protect]
    if protected:
        options = " ".join(f"--set artifact_stores.{name}.protect=false" for name in protected)
        raise ProtectedError(
            f"protected against destruction: {', '.join(protected)}",
            hint=f"set `protect: false` in the manifest and have it reviewed, or repeat with {options}",
        )


def refuse_unknown_destroy(work: Work, lost: Sequence[Loss]) -> None:
    """Refuse a destroy of what nobody here can say to be unprotected, or says to be somebody else's."""
    made = {store.name for store in work.manifest.artifact_stores if not store.existing}
    unclaimed = [loss for loss in lost if loss.called not in made]
    _refuse_losing_adopted(work, unclaimed)
    _refuse_unknown_loss(
        work,
        unclaimed,
        "destroy",
        "destroy from there; or put it into the manifest, with `protect: false`",
    )


def refuse_data_loss(work: Work, lost: Sequence[Loss]) -> None:
    """Refuse an apply that would delete or replace a bucket which is protected or not empty.

    What counts is the manifest as it was applied: taking a store out of the file, or giving its bucket
    another name, must not be a way around its protection.
    """
    _refuse_losing_adopted(work, lost)
    _refuse_unknown_loss(
        work,
        lost,
        "apply",
        "apply from there; or put it back with `protect: false`, apply that here, then take it out",
    )
    before = work.applied_manifest()
    protecting = {store.name for store in before.artifact_stores if store.protect} if before else set()
    protected = [store for store in _stores(lost) if store in protecting]
    if protected:
        raise ProtectedError(
            f"this apply would delete the bucket of {', '.join(protected)}, which is protected",
            hint="set `protect: false` on it and apply that first; or put it back as it was, or use "
            "`renamed_from` if it only got another name",
        )
    filled = filled_buckets(work, lost)
    if filled:
        named = "; ".join(str(bucket) for bucket in filled)
        raise NotEmptyError(
            f"this apply would delete a bucket that is not empty: {named}",
            hint="copy away what is needed and empty it first",
        )


def filled_buckets(work: Work, lost: Iterable[Loss]) -> list[FilledBucket]:
    """The buckets that would be lost although something is in them."""
    looked_at = ((loss, work.cloud.contents(loss.bucket)) for loss in lost)
    return [FilledBucket(loss.store, loss.bucket, found) for loss, found in looked_at if not found.empty]


def discard_what_leaves_the_manifest(work: Work, lost: Iterable[Loss]) -> None:
    """Remove the empty buckets of stores that are no longer in the manifest, where Terraform would not."""
    kept = {store.name for store in work.manifest.artifact_stores}
    for loss in lost:
        if loss.deleted and not loss.beside and loss.called not in kept:
            work.cloud.discard(loss.bucket)


def _refuse_unknown_loss(work: Work, lost: Sequence[Loss], what: str, hint: str) -> None:
    """What was applied from another machine may be protected for all that is known here."""
    unknown = _stores(lost) if work.applied_manifest() is None else []
    if unknown and work.workspace.state_place() is not None:
        raise ProtectedError(
            f"this {what} would delete the bucket of {', '.join(unknown)}, and this machine does not know "
            "whether it is protected: it was applied from another one",
            hint=hint,
        )


def _refuse_losing_adopted(work: Work, lost: Iterable[Loss]) -> None:
    """What the manifest calls somebody else's is not deleted, even if this stack once made it."""
    adopted = work.cloud.adopted()
    for loss in lost:
        if loss.deleted and loss.bucket in adopted:
            raise ProtectedError(
                f"the manifest says `existing: true` for {adopted[loss.bucket]}, but this stack has made its "
                f"bucket ({loss.bucket}), and Terraform would now delete it",
                hint="take `existing: true` out again: a bucket that a stack made stays its own",
            )


def _stores(lost: Iterable[Loss]) -> list[str]:
    """The stores that lose their own bucket, or its key."""
    return [*dict.fromkeys(loss.store for loss in lost if not loss.beside)]
