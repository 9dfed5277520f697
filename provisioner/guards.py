"""What is refused before anything is changed: what could lose data, or could not be brought to its end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from provisioner.catalog import PROVIDERS
from provisioner.errors import CredentialsError, NotEmptyError, ProtectedError, SafetyError
from provisioner.terraform.session import PlanOutcome
from provisioner.verify.base import Contents
from provisioner.work import Work

_ROOM_BYTES = 64 << 20  # Terraform's state, its copies and its logs, many times over
_LAST_MINUTE = 60
_SOON = 15 * 60
_BESIDE = re.compile(r"module\.([a-z]+)_([^.]+)\.([^\[]+)(\[.*\])?")
_OF_STORE = re.compile(r"module\.store_([^.]+)\.([^\[]+)(\[.*\])?")


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
    """Refuse a destroy while a store is protected, in the manifest at hand or in what was applied."""
    before = work.applied_manifest()
    stores = {store.name: store for store in before.artifact_stores} if before else {}
    for store in work.manifest.artifact_stores:
        stores.pop(store.renamed_from or "", None)
        stores[store.name] = store
    protected = [store.name for store in stores.values() if store.protect and not store.existing]
    if protected:
        options = " ".join(f"--set artifact_stores.{name}.protect=false" for name in protected)
        raise ProtectedError(
            f"protected against destruction: {', '.join(protected)}",
            hint=f"set `protect: false` in the manifest and have it reviewed, or repeat with {options}",
        )


def refuse_data_loss(work: Work, outcome: PlanOutcome) -> None:
    """Refuse an apply that would delete or replace a bucket which is protected or not empty.

    What counts is the manifest as it was applied: taking a store out of the file, or giving its bucket
    another name, must not be a way around its protection.
    """
    lost = _lost_stores(work, outcome)
    before = work.applied_manifest() if lost else None
    if before is None:
        _refuse_unknown_loss(work, lost)
        return
    stores = {store.name: store for store in before.artifact_stores}
    protected = [name for name in lost if name in stores and stores[name].protect]
    if protected:
        raise ProtectedError(
            f"this apply would delete the bucket of {', '.join(protected)}, which is protected",
            hint="set `protect: false` on it and apply that first; or put it back as it was, or use "
            "`renamed_from` if it only got another name",
        )
    filled = filled_buckets(work, outcome)
    if filled:
        named = "; ".join(str(bucket) for bucket in filled)
        raise NotEmptyError(
            f"this apply would delete a bucket that is not empty: {named}",
            hint="copy away what is needed and empty it first",
        )


def _refuse_unknown_loss(work: Work, lost: list[str]) -> None:
    """What was applied from another machine may be protected for all that is known here."""
    if lost and work.workspace.state_place() is not None:
        raise ProtectedError(
            f"this apply would delete the bucket of {', '.join(lost)}, and this machine does not know "
            "whether it is protected: it was applied from another one",
            hint="apply from there; or put it back with `protect: false`, apply that here, then take it out",
        )


def filled_buckets(work: Work, outcome: PlanOutcome) -> list[FilledBucket]:
    """The buckets that this plan would delete or replace although something is in them."""
    lost = [*_lost_buckets(work, outcome), *_lost_beside(work, outcome)]
    looked_at = ((store, name, work.cloud.contents(name)) for store, name in lost)
    return [FilledBucket(store, name, contents) for store, name, contents in looked_at if not contents.empty]


def discard_what_leaves_the_manifest(work: Work, outcome: PlanOutcome) -> None:
    """Remove the empty buckets of stores that are no longer in the manifest, where Terraform would not."""
    kept = {store.name for store in work.manifest.artifact_stores}
    for store, name in _lost_buckets(work, outcome):
        if store not in kept:
            work.cloud.discard(name)


def _lost_buckets(work: Work, outcome: PlanOutcome) -> list[tuple[str, str]]:
    """The buckets that this plan deletes or replaces: the store, and the bucket's name."""
    lost = _lost_stores(work, outcome)
    outputs = work.known_outputs().get("artifact_stores", {}) if lost else {}
    # One without an output was made by a run that did not end well, and never handed to anybody.
    return [
        (store, outputs[store].get("bucket", outputs[store]["path"])) for store in lost if store in outputs
    ]


def _lost_beside(work: Work, outcome: PlanOutcome) -> list[tuple[str, str]]:
    """The same for what a strict store has beside its bucket: one with logs, one with copies."""
    beside = PROVIDERS[work.manifest.provider].side_buckets
    found = []
    for change in outcome.stream.planned:
        match = _BESIDE.fullmatch(change.address)
        key = beside.get(f"{match[1]}.{match[3]}") if match else None
        if match and key and change.action in {"delete", "replace"}:
            output = work.known_outputs().get("artifact_stores", {}).get(match[2], {})
            # By its rule, too: a destroy that ended in the middle has left no outputs.
            name = output.get(key) or work.cloud.identifiers(work.account()).get(change.address)
            if name:
                found.append((match[2], name))
    return found


def _lost_stores(work: Work, outcome: PlanOutcome) -> list[str]:
    """The stores whose bucket, or its key, this plan takes away, by the names they were applied under."""
    renamed = {store.name: store.renamed_from for store in work.manifest.artifact_stores}
    before = work.applied_manifest()
    known = {store.name for store in before.artifact_stores} if before else set()
    vital = {work.cloud.bucket_resource, *PROVIDERS[work.manifest.provider].key_resources}
    lost = []
    for change in outcome.stream.planned:
        match = _OF_STORE.fullmatch(change.address)
        if match and match[2] in vital and change.action in {"delete", "replace"}:
            name = match[1]
            lost.append(name if name in known else renamed.get(name) or name)
    return [*dict.fromkeys(lost)]
