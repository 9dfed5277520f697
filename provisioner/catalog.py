"""The extension seam: which providers there are.

A provider is one folder under ``modules/``, one template of its Terraform root and one of its scaffold, one
file in ``provisioner/providers`` and one in ``provisioner/verify``, and one entry here; the runtime adds one
store and one connector. Nothing else in the code asks «which provider is this?».
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
