"""Who plans and who applies, where a connector is for whoever applies."""

from __future__ import annotations

import dataclasses
from typing import Any

import manifests
import pytest

from provisioner.bundle.applier import other_applier, tell_planner
from provisioner.manifest import Manifest
from provisioner.summary import Danger, ResourceChange, Summary

ROLE = "arn:aws:iam::123456789012:role/{}"
PLANNER, APPLIER = ({"stack": "demo", "applying_principal": ROLE.format(name)} for name in ("plan", "apply"))
CHANGE = ResourceChange("module.connector_main_connector.x.y", "connector", "main_connector", "x.y", "create")
PLAN = Summary("demo", "AWS", None, None, None, "apply", (CHANGE,), (), (), (), (), (), outputs_change=False)


def named(**fields: Any) -> Manifest:
    """A manifest whose connector is for somebody in particular."""
    return manifests.aws(connectors=[{"name": "main_connector", **fields}])


def test_the_plan_says_that_nobody_else_can_apply_it() -> None:
    lost, less = Danger("data", "main", "lost"), Danger("protection", "main", "less")
    told = tell_planner(manifests.aws(), dataclasses.replace(PLAN, dangers=(lost, less)), PLANNER)

    assert told.dangers == (
        lost,
        Danger(
            "trust",
            "main_connector",
            f"names no trusted_principals: it would be trusted to {ROLE.format('plan')}, who made this plan, "
            "and nobody else can apply it",
        ),
        less,
    )


@pytest.mark.parametrize(
    ("plan", "variables"),
    [
        (PLAN, {"stack": "demo"}),
        (PLAN, {"applying_principal": None}),
        (dataclasses.replace(PLAN, operation="destroy"), PLANNER),
        (dataclasses.replace(PLAN, changes=()), PLANNER),
    ],
)
def test_nothing_is_said_where_nobody_is_trusted_anew(plan: Summary, variables: dict[str, Any]) -> None:
    assert tell_planner(manifests.aws(), plan, variables) == plan


@pytest.mark.parametrize(
    "connector", [{"trusted_principals": [ROLE.format("ml")]}, {"auth_method": "implicit"}]
)
def test_nor_of_connectors_that_are_for_somebody_else(connector: dict[str, Any]) -> None:
    assert tell_planner(named(**connector), PLAN, PLANNER) == PLAN


def test_another_applier_is_named_with_what_to_do() -> None:
    assert other_applier(manifests.aws(), PLANNER, PLANNER) == []
    assert other_applier(named(trusted_principals=[ROLE.format("ml")]), {}, {}) == []
    assert other_applier(manifests.aws(), PLANNER, APPLIER) == [
        (
            f"who applies: main_connector would be trusted to {ROLE.format('plan')}, who made the plan, and "
            f"{ROLE.format('apply')} applies it; name its trusted_principals in the manifest"
        )
    ]
