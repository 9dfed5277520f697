"""A bucket or container, or the part of it below a prefix, as connectors grant it."""

from __future__ import annotations

from dataclasses import dataclass

from stacks.errors import ConnectorScopeError, InvalidValueError


@dataclass(frozen=True, slots=True)
class Resource:
    """What is named by ``scheme`` (with ``://``), ``name`` and ``prefix``.

    The prefix has no slash at either end, and is empty for all of it.
    """

    scheme: str
    name: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}{self.name}/{self.prefix}" if self.prefix else f"{self.scheme}{self.name}"

    def contains(self, other: Resource) -> bool:
        """Whether ``other`` is this one or lies within it; ``data`` does not contain ``database``."""
        within = not self.prefix or f"{other.prefix}/".startswith(f"{self.prefix}/")
        return self.scheme == other.scheme and self.name == other.name and within


def narrowest(granted: Resource | None, asked: Resource | None, connector: str) -> Resource | None:
    """What to ask credentials for; None is all that the connector reaches.

    Raises ConnectorScopeError when ``asked`` is not within ``granted``.
    """
    if asked is None or granted is None:
        return asked or granted
    if not granted.contains(asked):
        raise ConnectorScopeError(
            f"service connector {connector!r} is for {granted}, which does not contain {asked}",
            hint=f"connect a connector for {asked}, or give this one another resource id",
        )
    return asked


def clean_prefix(prefix: str, resource_id: str) -> str:
    """``prefix`` without slashes at its ends; raises InvalidValueError for one that climbs."""
    prefix = prefix.removesuffix("/*").strip("/")
    if ".." in prefix.split("/") or not prefix.isprintable():
        raise InvalidValueError(
            f"{resource_id!r} names no place in a bucket", hint="leave out '..' and control characters"
        )
    return prefix
