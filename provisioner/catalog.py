"""The extension seam: which providers there are.

A provider is a folder under ``modules/`` and one under ``examples/``, a template of its Terraform root and
one of its scaffold, a file each in ``provisioner/providers`` (what it says of itself), ``provisioner/verify``
(what is asked of the cloud around an apply) and ``provisioner/live`` (its settings without Terraform), and
one entry here; the runtime adds one store and one connector, the policy's second look one list of what its
modules grant. Nothing else in the code asks «which provider is this?»: tests/provisioner/test_providers.py
holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from provisioner.providers.aws import AWS
from provisioner.providers.azure import AZURE
from provisioner.providers.base import NameRule, Provider
from provisioner.providers.gcp import GCP
from provisioner.providers.local import LOCAL

__all__ = ["PROVIDERS", "NameRule", "Provider", "by_flavor"]

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (LOCAL, AWS, GCP, AZURE)}
)


def by_flavor(flavor: str) -> Provider | None:
    """The provider whose stores are of a flavor, or that is called so itself."""
    return next((item for item in PROVIDERS.values() if flavor in (item.flavor, item.name)), None)
