"""Saved plans bound to what was reviewed: made by ``plan --out``, checked and applied by ``apply --plan``."""

from provisioner.bundle.binding import bound_to_planner, refuse_unavailable, seal, take_over
from provisioner.bundle.contents import Bundle, parse_bundle, read_bundle
from provisioner.bundle.record import Record

__all__ = [
    "Bundle",
    "Record",
    "bound_to_planner",
    "parse_bundle",
    "read_bundle",
    "refuse_unavailable",
    "seal",
    "take_over",
]
