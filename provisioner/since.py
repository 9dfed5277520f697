"""Since when a stack is known to have drifted, noted in its workspace from look to look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from provisioner.summary import Summary
from provisioner.workspace import Workspace


def dated(workspace: Workspace, applied_at: datetime | None, summary: Summary) -> Summary:
    """``summary`` of a look, with the times of the first look that found some, and of the last clean one.

    An apply, which puts everything back, counts as a clean look.
    """
    now = _text(datetime.now(UTC))
    known = workspace.read_json(workspace.drift_seen) or {}
    times = (known.get("last_clean"), _text(applied_at) if applied_at else None)
    clean = max(filter(None, times), default=None)
    if not summary.drifted:
        workspace.write_json(workspace.drift_seen, {"first_seen": None, "last_clean": now})
        return summary
    first = known.get("first_seen")
    if first is None or (clean is not None and first < clean):
        first = now
    workspace.write_json(workspace.drift_seen, {"first_seen": first, "last_clean": clean})
    return replace(summary, drift_first_seen=first, drift_last_clean=clean)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
