"""What in a plan deserves a second look, by the types of a provider's resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NONE: Mapping[str, Any] = MappingProxyType({})

Safe = tuple[str, frozenset[Any], str, str]
"""An attribute by its dotted path, the values that are safe, the kind of danger, and the words for it."""


@dataclass(frozen=True, slots=True)
class Dangers:
    """The kinds are those of :class:`provisioner.summary.Danger`."""

    buckets: frozenset[str] = frozenset()
    """Types whose loss is the loss of what is in them."""
    protecting: Mapping[str, tuple[str, str]] = field(default_factory=lambda: _NONE)
    """Types that do nothing but protect: the kind of danger when one goes, and the words for it."""
    safe: Mapping[str, tuple[Safe, ...]] = field(default_factory=lambda: _NONE)
    """By type, the attributes that must keep to safe values."""
    policies: Mapping[str, tuple[str, str, tuple[str, ...], str]] = field(default_factory=lambda: _NONE)
    """By type: the attribute with a JSON policy, the kind, the keys of a statement to look at, the words."""
    trusting: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """By type: the attribute with a JSON policy that says who may act as it."""
    giving: Mapping[str, tuple[str, str, str]] = field(default_factory=lambda: _NONE)
    """Types that each give one thing to an identity: the attribute that says what, the kind, the words."""
    identities: frozenset[str] = frozenset()
    """Types of what can be given something."""
    narrow: frozenset[str] = frozenset()
    """What may take the place of something else without giving more."""
