"""A stack on an empty store for every test; see tests/support/workshop.py."""

from __future__ import annotations

import pytest
from sample_pipeline import ran
from workshop import workshop

__all__ = ["workshop"]


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()
