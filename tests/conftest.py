"""What all tests share: the helpers in tests/support, importable by name, as the tests are no package."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))
