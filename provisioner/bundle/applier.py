"""Who plans and who applies: not always one and the same, and a connector may be for whoever applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from provisioner.catalog import PROVIDERS
from provisioner.manifest import Manifest
from provisioner.summary import Danger, Summary

VARIABLE = "applying_principal"
"""The variable of a root with who applies: of a plan that is kept, who planned."""


def tell_planner(manifest: Manifest, summary: Summary, variables: Mapping[str, Any]) -> Summary:
    """The summary of a plan that is kept, which says that nobody else can apply it, where that is so.

    ``variables`` are those of its root.
    """
    if variables.get(VARIABLE) is None or summary.operation != "apply":
        return summary
    touched = {change.component for change in summary.changes if change.kind == "connector"}
    told = [
        Danger(
            "trust",
            name,
            f"names no trusted_principals: it would be trusted to {variables[VARIABLE]}, who made this plan, "
            "and nobody else can apply it",
        )
        for name in _trusting(manifest)
        if name in touched
    ]
    order = {kind: index for index, kind in enumerate(Danger.KINDS)}
    dangers = sorted((*summary.dangers, *told), key=lambda danger: order[danger.kind])
    return replace(summary, dangers=tuple(dangers))


def other_applier(manifest: Manifest, planned: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Why a plan is not for whoever is about to apply it, by the values of the variables; empty if it is."""
    planner, applier = planned.get(VARIABLE), here.get(VARIABLE)
    if planner == applier:
        return []
    names = ", ".join(_trusting(manifest))
    return [
        (
            f"who applies: {names} would be trusted to {planner or 'nobody'}, who made the plan, and "
            f"{applier or 'nobody known'} applies it; name its trusted_principals in the manifest"
        )
    ]


def _trusting(manifest: Manifest) -> list[str]:
    provider = PROVIDERS[manifest.provider]
    return [item.name for item in provider.identities(manifest) if provider.trusts_applier(item)]
