"""How a provider's settings are read without Terraform.

Each provider's module (``Provider.reader`` in the catalog) has ``connect(manifest) -> Reader`` and
``look(bucket, given) -> Seen``, for a bucket that is already there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from provisioner.catalog import PROVIDERS, Provider
from provisioner.errors import ProvisionError, UpstreamError
from provisioner.live.noted import Resource
from provisioner.manifest import Manifest

Found = Mapping[str, Any] | None
"""The attributes of a resource as they are now, in the shape in which Terraform notes them; None: missing.

A reader names only the attributes that can be set: those that a cloud thinks up itself are no drift.
"""


class UnreadableError(UpstreamError):
    """What whoever runs the command may not read, while the rest they may; the message says what it needs."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A bucket that is already there: manifest fields that follow from it, and its settings in words."""

    fields: Mapping[str, str]
    settings: tuple[str, ...]


class Reader(Protocol):
    """One cloud's settings, read with the credentials of whoever runs the command."""

    @property
    def readings(self) -> Mapping[str, Callable[[Mapping[str, Any]], Found]]:
        """By the type of a resource: how it is read, given the attributes that Terraform noted.

        A reading may raise :class:`UnreadableError`: then the resource is told as not looked at.
        """

    def account(self) -> str | None:
        """The account that the credentials belong to; None where there is no such thing."""

    def uninvited(self, resources: Sequence[Resource]) -> list[str]:
        """In words, what somebody added to these resources that widens access and no resource stands for."""


def connect(manifest: Manifest) -> Reader:
    """The reader for this manifest's cloud.

    Raises :class:`ProvisionError` naming the extra to install when its SDK is not there.
    """
    reader: Reader = _module(PROVIDERS[manifest.provider]).connect(manifest)
    return reader


def look(provider: Provider, bucket: str, given: Mapping[str, str]) -> Seen:
    """What there is to say of ``bucket``; ``given`` are fields of the manifest that are known already.

    Raises :class:`provisioner.errors.InputError` when there is none of that name, or it may not be read.
    """
    seen: Seen = _module(provider).look(bucket, given)
    return seen


def _module(provider: Provider) -> Any:
    try:
        return importlib.import_module(provider.reader)
    except ModuleNotFoundError as error:
        raise ProvisionError(
            f"{provider.title} needs the package {error.name!r}, which is not installed",
            hint=f"pip install 'stack-provisioner[{provider.extra}]'",
        ) from error
