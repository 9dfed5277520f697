"""Since when a stack is known to have drifted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioner import since
from provisioner.since import dated
from provisioner.summary import Summary
from provisioner.workspace import Workspace

CLEAN = Summary("demo", "AWS", None, None, None, "drift", (), (), (), (), (), (), outputs_change=False)
DRIFTED = replace(CLEAN, deviations=("something",))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock(datetime):
    """A clock that stands where a test puts it."""

    at = NOON

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override] # the tests' own clock
        return cls.at


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(since, "datetime", Clock)
    made = Workspace(tmp_path / "demo")
    made.create()
    return made


def look(
    workspace: Workspace, summary: Summary, hour: int, applied: int | None = None
) -> tuple[str | None, ...]:
    Clock.at = NOON + timedelta(hours=hour)
    at = NOON + timedelta(hours=applied) if applied is not None else None
    found = dated(workspace, at, summary)
    return found.drift_first_seen, found.drift_last_clean


def test_the_first_look_that_finds_drift_is_kept(workspace: Workspace) -> None:
    assert look(workspace, CLEAN, 0) == (None, None)
    first = ("2026-11-21T13:00:00+00:00", "2026-11-21T12:00:00+00:00")
    assert look(workspace, DRIFTED, 1) == first
    assert look(workspace, DRIFTED, 5) == first


def test_an_apply_ends_it(workspace: Workspace) -> None:
    look(workspace, DRIFTED, 1, applied=0)
    assert look(workspace, DRIFTED, 5, applied=3) == (
        "2026-11-21T17:00:00+00:00",
        "2026-11-21T15:00:00+00:00",
    )


def test_a_clean_look_ends_it(workspace: Workspace) -> None:
    look(workspace, DRIFTED, 1)
    look(workspace, CLEAN, 2)
    assert look(workspace, DRIFTED, 3) == ("2026-11-21T15:00:00+00:00", "2026-11-21T14:00:00+00:00")


def test_a_first_look_knows_no_more_than_the_apply(workspace: Workspace) -> None:
    assert look(workspace, DRIFTED, 1, applied=0) == (
        "2026-11-21T13:00:00+00:00",
        "2026-11-21T12:00:00+00:00",
    )
