"""What the engine asks of a cloud, besides what Terraform does there.

Each provider's module (``Provider.verifier`` in the catalog) has ``connect(manifest, places) -> Cloud``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from provisioner.catalog import PROVIDERS
from provisioner.errors import ProvisionError
from provisioner.journal import Intent
from provisioner.manifest import Connector, Manifest


@dataclass(frozen=True, slots=True)
class Places:
    """Folders that only this machine knows: the manifest's own, and the state file's home."""

    manifest: Path
    home: Path


@dataclass(frozen=True, slots=True)
class Contents:
    """What a bucket still holds: how many objects and old versions (up to a limit), and a few names."""

    objects: int
    versions: int
    examples: tuple[str, ...]
    more: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is there, no old version either."""
        return not (self.objects or self.versions)

    def __str__(self) -> str:
        more = "more than " if self.more else ""
        names = ", ".join(self.examples)
        objects = f"{self.objects} {'object' if self.objects == 1 else 'objects'}"
        versions = f"{self.versions} old {'version' if self.versions == 1 else 'versions'}"
        return f"{more}{objects} and {versions} (for example {names})"


@dataclass(frozen=True, slots=True)
class Minted:
    """A static credential: ``values`` as the connector's fields are named, ``says`` when it ends."""

    values: Mapping[str, str] = field(repr=False)
    says: str


@dataclass(frozen=True, slots=True)
class Orphans:
    """What a cut-off run has left: ``found`` has the identifiers by which Terraform imports it.

    ``unsure`` says in words what could not be looked at, or decided.
    """

    found: Sequence[Intent] = ()
    unsure: tuple[str, ...] = ()


class Minter(Protocol):
    """What a cloud with ``minted_methods`` does; ``output`` is what Terraform said of the connector."""

    def mint(self, connector: Connector, output: Mapping[str, Any]) -> Minted:
        """A new static credential of a connector's identity. It never enters Terraform's state."""

    def holds(self, output: Mapping[str, Any], values: Mapping[str, str]) -> bool:
        """Whether the ``values`` of a secret are a credential of that identity that still exists."""

    def revoke(self, values: Mapping[str, str]) -> None:
        """End the credential in a secret's ``values``; one that is gone already is no error."""


class Cloud(Protocol):
    """One cloud, spoken to with the credentials of whoever runs the command."""

    @property
    def bucket_resource(self) -> str:
        """The resource of a store's module whose loss is the loss of its data, as ``type.name``."""

    def bucket_name(self, attributes: Mapping[str, Any], *, tainted: bool = False) -> str | None:
        """A bucket as :meth:`contents` takes it, by the attributes that Terraform has of its resource.

        None if Terraform deletes nothing with it, which may be so where its creation failed (``tainted``).
        """

    def adopted(self) -> dict[str, str]:
        """The buckets, named likewise, that the manifest takes as they are, with the stores they are for."""

    def credentials_end_within(self, seconds: int) -> bool:
        """Whether the credentials in use end so soon; no, where they do not say.

        Raises :class:`provisioner.errors.CredentialsError` when they have ended or cannot be had.
        """

    def account(self) -> str | None:
        """The account that the credentials belong to; None where there is no such thing.

        Raises :class:`provisioner.errors.CredentialsError` when they are missing, wrong or expired.
        """

    def machine_variables(self) -> dict[str, Any]:
        """Terraform variables that differ from machine to machine, so that no rendering may hold them."""

    def identifiers(self, account: str | None) -> dict[str, str]:
        """The names in the cloud of the resources whose creation is not idempotent, by their address."""

    def repairs(self) -> list[str]:
        """Addresses that have to be replaced because the world no longer is as Terraform believes."""

    def deviations(self) -> list[str]:
        """In words, what of a store's settings is not as the manifest wants it."""

    def contents(self, bucket: str) -> Contents:
        """What a bucket holds."""

    def empty(self, bucket: str, prefix: str = "") -> None:
        """Delete all objects below ``prefix`` and all their versions. There is no way back."""

    def discard(self, bucket: str) -> None:
        """Remove an empty bucket whose module has left the root, if Terraform cannot do that then."""

    def orphans(self, intents: Sequence[Intent], since: datetime) -> Orphans:
        """Those of ``intents`` that exist and were made after ``since``: by the run that was cut off."""


def connect(manifest: Manifest, places: Places) -> Cloud:
    """The cloud of this manifest.

    Raises :class:`ProvisionError` naming the extra to install when its SDK is not there.
    """
    provider = PROVIDERS[manifest.provider]
    try:
        module = importlib.import_module(provider.verifier)
    except ModuleNotFoundError as error:
        raise ProvisionError(
            f"{provider.title} needs the package {error.name!r}, which is not installed",
            hint=f"pip install 'stack-provisioner[{provider.extra}]'",
        ) from error
    cloud: Cloud = module.connect(manifest, places)
    return cloud
