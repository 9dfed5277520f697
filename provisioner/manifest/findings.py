"""What the rules between fields say, and the questions that all of them ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from provisioner.catalog import NameRule, Provider
from provisioner.manifest.models import Manifest
from provisioner.manifest.text import look_alike, shown
from provisioner.manifest.tree import Loc


class Finding(NamedTuple):
    """One problem and its place; ``because`` are other places that it leans on."""

    loc: Loc
    message: str
    at_key: bool = False
    because: tuple[Loc, ...] = ()


def said(part: BaseModel, name: str) -> bool:
    """Whether the manifest says something in this field."""
    return name in part.model_fields_set and getattr(part, name) is not None


def by_rule(
    manifest: Manifest, provider: Provider, loc: Loc, field_name: str, value: str
) -> Iterator[Finding]:
    """What this cloud, or the service at endpoint_url, allows as the text of a field."""
    rule = provider.rule_for(field_name, service=manifest.endpoint_url is not None)
    why = refused_by(rule, value) if rule is not None else None
    if why is not None:
        leaning: tuple[Loc, ...] = (("provider",), ("endpoint_url",))
        yield Finding(loc, why, because=leaning)


def refused_by(rule: NameRule, value: str) -> str | None:
    """Why a cloud's rule does not take ``value``; a look-alike of an allowed character is called by name."""
    why = rule.problem(value)
    if why is None:
        return None
    alike = look_alike(value) if not rule.pattern.fullmatch(value) else None
    return f"found {shown(value)}: {alike}" if alike is not None else f"found {shown(value)}; allowed: {why}"
