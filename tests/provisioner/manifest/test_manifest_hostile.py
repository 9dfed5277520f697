"""Hostile files are refused in little time and memory, in a process that has no more of either."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc"
)
_MIB = 1 << 20
_CHILD = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))  # a bomb must end here, not on the machine
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from provisioner.errors import ManifestError
from provisioner.manifest import load_manifest
problems = []
try:
    load_manifest(sys.argv[1])
except ManifestError as error:
    problems = [str(problem) for problem in error.problems][:2_000]
# Not ru_maxrss: that begins with what the test process, our parent, had at its peak.
peak = next((int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")), 0)
print(json.dumps({"mib": peak / 1024, "problems": problems}))
"""


def _bomb() -> str:
    rows = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for above, name in zip("abcdefghijklmnopqrstuvwxy", "bcdefghijklmnopqrstuvwxyz", strict=True):
        rows.append(f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]")
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        pytest.param(_bomb(), "found an alias", id="billion laughs"),
        pytest.param("a: " + "[" * 5_000, "found more than 64 levels", id="5,000 lists"),
        pytest.param("{a: " * 5_000, "found more than 64 levels", id="5,000 mappings"),
        pytest.param("- " * 5_000 + "a", "found more than 64 levels", id="5,000 block lists"),
        pytest.param(
            "".join(" " * n + "a:\n" for n in range(1_000)), "found more than 64 levels", id="indented"
        ),
        pytest.param("? " * 5_000 + "a", "found a list or mapping as a key", id="5,000 keys"),
        pytest.param("a: [" + "b,\n" * 340_000, "lines; allowed: at most 50,000", id="many lines"),
        pytest.param("a: [" + ("b," * 1_000 + "\n") * 500, "keys and values", id="many values"),
        pytest.param("a: " + "x " * (_MIB // 2 - 2), "found a line of", id="one line"),
        pytest.param("!" + "a" * 60_000 + " x\n", "found a tag", id="a long tag"),
        pytest.param("x" * (_MIB + 1), "found more than 1,048,576 bytes", id="more than 1 MiB"),
        pytest.param("version: 1\n" * 9_000, "duplicate key", id="duplicate keys"),
        pytest.param("".join(f"provider{n}: 1\n" for n in range(9_000)), "unknown field", id="unknown keys"),
    ],
)
def test_refused_in_little_time_and_200_mib(text: str, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_text(text)
    run = subprocess.run(
        [sys.executable, "-c", _CHILD, str(file)], capture_output=True, check=True, timeout=60
    )
    told = json.loads(run.stdout)
    assert any(wrong in problem for problem in told["problems"]), told
    assert 0 < told["mib"] < 200, told
