"""Quoting text for HCL."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from provisioner.hcl import quote

WILD = [
    "plain",
    'q"uote',
    "${path.root}",
    "%{ if true }",
    "$${x}",
    "back\\slash",
    "new\nline",
    "\t",
    "é→",
    "$",
    "%",
]


@pytest.mark.parametrize("text", WILD)
def test_quoted_text_is_itself(text: str, tmp_path: Path) -> None:
    """Asked of the real parser."""
    binary = shutil.which("terraform") or shutil.which("tofu")
    if binary is None:
        pytest.skip("neither terraform nor tofu is on PATH")

    question = f"jsonencode({quote(text)})\n"
    done = subprocess.run(
        [binary, "console"], cwd=tmp_path, input=question, capture_output=True, text=True, check=True
    )

    answered = json.loads(json.loads(done.stdout))
    assert answered == text
