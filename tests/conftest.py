"""What all tests share: the helpers in tests/support, importable by name, as the tests are no package."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

# A shell makes what runs in its background deaf to Ctrl-C, and the commands under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files whose tests wait for Terraform and for providers most of their time: first, so that none is left over
# when all other files are through.
_LONGEST = ("test_seeds.py", "e2e", "modules")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of files; that of the tests within a file stays, for some of them build on each other."""

    def rank(item: pytest.Item) -> int:
        parts = item.path.relative_to(Path(__file__).parent).parts
        return next((number for number, name in enumerate(_LONGEST) if name in parts), len(_LONGEST))

    items.sort(key=rank)
