"""A stack on an empty store for every test; see tests/support/workshop.py."""

from __future__ import annotations

from workshop import workshop

__all__ = ["workshop"]
