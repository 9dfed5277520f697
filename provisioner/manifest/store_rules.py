"""What holds for artifact stores: by provider, by service, and next to each other."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.catalog import PROVIDERS, Provider
from provisioner.manifest.findings import Finding, by_rule, refused_by, said
from provisioner.manifest.models import ArtifactStore, Manifest
from provisioner.manifest.normalise import default_compatibility, generated_bucket
from provisioner.manifest.text import shown
from provisioner.manifest.tree import Loc

_SPECIAL_STORE_FIELDS = tuple(
    name
    for name in ArtifactStore.model_fields
    if any(name in provider.store_fields for provider in PROVIDERS.values()) or name == "storage_account"
)
_PLACE_FIELDS = ("bucket", "prefix", "existing")
_NOT_FOR_ADOPTED = ("versioning", "lifecycle", "storage_class")


def store_rules(
    index: int, store: ArtifactStore, manifest: Manifest, provider: Provider
) -> Iterator[Finding]:
    here: Loc = ("artifact_stores", index)
    for name in _SPECIAL_STORE_FIELDS:
        if said(store, name) and name not in provider.store_fields:
            yield Finding(
                (*here, name), f"not for provider {provider.name}", at_key=True, because=(("provider",),)
            )
    if said(store, "connector") and not provider.has_connectors:
        wrong = f"not for provider {provider.name}, which has no connectors"
        yield Finding((*here, "connector"), wrong, at_key=True, because=(("provider",),))
    yield from _place(here, store, manifest, provider)
    yield from _storage_class(here, store, manifest, provider)
    if store.profile not in provider.profiles:
        available = ", ".join(provider.profiles)
        wrong = f'found "{store.profile}", which is not available yet; available: {available}'
        yield Finding((*here, "profile"), wrong)
    yield from _adopted(here, store, provider)
    yield from _encryption(here, store, manifest, provider)


def _place(here: Loc, store: ArtifactStore, manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    """The names of where a store lies, as this cloud takes them."""
    if store.bucket is not None:
        why = refused_by(provider.bucket_rule, store.bucket)
        if why is not None:
            yield Finding((*here, "bucket"), why, because=(("provider",),))
    elif provider.scheme:
        yield from _generated_name(here, store, manifest, provider)
    for name in ("prefix", "storage_account"):
        value = getattr(store, name)
        if value is not None and name in provider.store_fields:
            yield from by_rule(manifest, provider, (*here, name), name, value)


def _generated_name(
    here: Loc, store: ArtifactStore, manifest: Manifest, provider: Provider
) -> Iterator[Finding]:
    """A name that nobody wrote must be one that the cloud takes, too."""
    name = generated_bucket(manifest.name, store.renamed_from or store.name, manifest.account or "")
    why = provider.bucket_rule.problem(name)
    if why is not None:
        wrong = f"its bucket would be named {name}, which is refused: {why}; name one in bucket"
        leaning: tuple[Loc, ...] = (("provider",), ("name",), (*here, "name"), ("account",))
        yield Finding(here, wrong, because=leaning)


def _storage_class(
    here: Loc, store: ArtifactStore, manifest: Manifest, provider: Provider
) -> Iterator[Finding]:
    """One that the cloud has, whose objects are read at once, and from which archiving leads somewhere."""
    name, loc = store.storage_class, (*here, "storage_class")
    if name not in provider.storage_classes:
        slow = ", whose objects cannot be read at once" if name.lower() in provider.slow_classes else ""
        allowed = ", ".join(provider.storage_classes)
        yield Finding(loc, f"found {shown(name)}{slow}; allowed: {allowed}", because=(("provider",),))
        return
    compatibility = default_compatibility(manifest, provider) or ""
    if name != provider.storage_classes[0] and not provider.can("storage_classes", compatibility):
        wrong = f"not for compatibility {compatibility}, whose storage classes are its operator's own"
        yield Finding(loc, wrong, at_key=True, because=(("compatibility",),))
        return
    why = provider.never_archived.get(name)
    if why is not None and store.lifecycle.archive_after_days is not None:
        days = (*here, "lifecycle", "archive_after_days")
        yield Finding(days, f"not with storage_class {name}: {why}", at_key=True, because=(loc,))


def _adopted(here: Loc, store: ArtifactStore, provider: Provider) -> Iterator[Finding]:
    if not store.existing:
        return
    leaning: tuple[Loc, ...] = ((*here, "existing"),)
    if store.bucket is None:
        yield Finding(
            (*here, "bucket"), "required field is missing: existing: true adopts a bucket by its name"
        )
    if store.profile != "baseline":
        wrong = f"{store.profile} is not with existing: true, which leaves the bucket as it is"
        yield Finding((*here, "profile"), wrong, because=leaning)
    for name in _NOT_FOR_ADOPTED:
        if said(store, name) and not (name == "storage_class" and provider.class_of_writes):
            wrong = "not with existing: true, which leaves the bucket as it is"
            yield Finding((*here, name), wrong, at_key=True, because=leaning)


def _encryption(here: Loc, store: ArtifactStore, manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    key = store.encryption.kms_key
    if key is None or "encryption" not in provider.store_fields:
        return
    loc = (*here, "encryption", "kms_key")
    compatibility = default_compatibility(manifest, provider) or ""
    if not (provider.can("kms", compatibility) and provider.can("encryption", compatibility)):
        wrong = f"not for compatibility {compatibility}, which does not take a bucket's encryption settings"
        yield Finding(loc, wrong, at_key=True, because=(("compatibility",),))
    else:
        yield from by_rule(manifest, provider, loc, "encryption.kms_key", key)


def shared_places(manifest: Manifest, provider: Provider) -> Iterator[Finding]:
    """Two stores never share a place, and only one of them creates the bucket they share."""
    stores = manifest.artifact_stores
    for second, other in enumerate(stores):
        for first in range(second):
            if "storage_account" in provider.store_fields and _apart(stores[first], other):
                continue
            wrong = _clash(first, stores[first], other)
            if wrong is not None:
                leaning = tuple(
                    ("artifact_stores", at, name) for at in (first, second) for name in _PLACE_FIELDS
                )
                yield Finding(("artifact_stores", second, "bucket"), wrong, because=leaning)
                break


def _apart(one: ArtifactStore, other: ArtifactStore) -> bool:
    """Whether two stores lie in storage accounts of their own: there, names of buckets may be alike."""
    return one.storage_account is None or one.storage_account != other.storage_account


def _clash(first: int, one: ArtifactStore, other: ArtifactStore) -> str | None:
    if one.bucket is None or other.bucket is None:
        return None
    if _overlap(one, other):
        return f"found a place that overlaps with artifact_stores[{first}]; allowed: places apart"
    if one.bucket == other.bucket and not one.existing and not other.existing:
        return (
            f"artifact_stores[{first}] creates this bucket already; allowed here: existing: true, added once "
            "that one has been applied"
        )
    return None


def _overlap(one: ArtifactStore, other: ArtifactStore) -> bool:
    """Whether one store lies in the other: buckets have no '/', so this also tells of nested directories."""
    places = (
        f"{store.bucket}/{store.prefix}" if store.prefix else store.bucket or "" for store in (one, other)
    )
    short, long = sorted((place.split("/") for place in places), key=len)
    return long[: len(short)] == short
