"""The locks beside remote states, asked without Terraform: who holds one, and does it keep others out?

One file a backend, named in ``provisioner.backends``; each imports its cloud's SDK when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Protocol

from provisioner.backends import StatePlace
from provisioner.errors import ProvisionError
from provisioner.terraform.holder import Holder


class Service(Protocol):
    """The service that keeps one stack's state."""

    def holder(self) -> Holder | None:
        """Who holds the lock; None when nobody does.

        Raises :class:`provisioner.errors.UpstreamError` when the service does not say.
        """

    def probe(self) -> str | None:
        """Try with objects of its own, beside the state, whether a second writer is kept out.

        None when it is, else in words what happened. Raises :class:`provisioner.errors.UpstreamError` when
        that cannot be tried.
        """


def connect(place: StatePlace) -> Service:
    """The service of ``place``.

    Raises :class:`ProvisionError` naming the extra to install when its SDK is not there.
    """
    try:
        service: Service = importlib.import_module(place.backend.live).connect(place)
    except ModuleNotFoundError as error:
        raise ProvisionError(
            f"{place.backend.title} needs the package {error.name!r}, which is not installed",
            hint=f"pip install 'stack-provisioner[{place.backend.extra}]'",
        ) from error
    return service
