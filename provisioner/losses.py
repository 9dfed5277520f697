"""What a plan takes away: whose bucket, under the name by which the cloud can be asked what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from provisioner.catalog import PROVIDERS
from provisioner.held import Held, held
from provisioner.terraform.session import PlanOutcome
from provisioner.work import Work

_RESOURCE = re.compile(r"module\.([a-z]+)_([^.]+)\.([^\[]+)(\[.*\])?")


@dataclass(frozen=True, slots=True)
class Loss:
    """A bucket that a plan deletes or replaces, or whose key it takes away."""

    store: str
    """By the name that it was applied under."""
    called: str
    """By the name that the manifest at hand has, or would have, for it."""
    bucket: str
    """As :meth:`provisioner.verify.base.Cloud.contents` takes it."""
    beside: bool
    """Whether it is not the store's own, but one with its logs or with copies."""
    deleted: bool
    """Whether the bucket itself goes, and not only the key without which nobody can read what is in it."""


def losses(work: Work, outcome: PlanOutcome) -> list[Loss]:
    """Every bucket that applying this plan would cost, each once.

    The names are those of Terraform's own state, and not of what an apply answered: a destroy that ended in
    the middle has left no answers.
    """
    provider, own = PROVIDERS[work.manifest.provider], work.cloud.bucket_resource
    renamed = {store.name: store.renamed_from for store in work.manifest.artifact_stores}
    before = work.applied_manifest()
    known = {store.name for store in before.artifact_stores} if before else set()
    names = _Names(work)
    found: dict[str, Loss] = {}
    for change in outcome.stream.planned:
        match = _RESOURCE.fullmatch(change.address)
        if match is None or change.action not in {"delete", "replace"}:
            continue
        kind, called, resource = match[1], match[2], match[3]
        deleted = resource not in provider.key_resources
        bucket = resource if deleted else own  # what a key encrypts is the bucket of its own module
        if f"{kind}.{bucket}" not in {f"store.{own}", *provider.side_buckets}:
            continue
        name = names.of(f"module.{kind}_{called}.{bucket}")
        if name is None:
            continue  # a key whose bucket is gone already, or what never came to be a bucket
        if deleted or name not in found:
            store = called if called in known else renamed.get(called) or called
            beside = f"{kind}.{bucket}" in provider.side_buckets
            found[name] = Loss(store, called, name, beside=beside, deleted=deleted)
    return list(found.values())


@dataclass(frozen=True)
class _Names:
    """Buckets by the address of their resource, without the index: none of them has several instances."""

    work: Work

    @cached_property
    def _held(self) -> dict[str, Held]:
        return {one.address: one for one in held(self.work.workspace)}

    @cached_property
    def _planned(self) -> dict[str, Mapping[str, Any]]:
        return {
            item["address"].split("[", 1)[0]: item["change"]["before"]
            for item in self.work.details.get("resource_changes", ())
            if item["change"]["before"] is not None
        }

    def of(self, address: str) -> str | None:
        """From the state; from the plan, for which Terraform has to be asked, where a resource has moved."""
        known = self._held.get(address)
        if known is not None:
            return self.work.cloud.bucket_name(known.attributes, tainted=known.tainted)
        planned = self._planned.get(address)
        return self.work.cloud.bucket_name(planned) if planned is not None else None
