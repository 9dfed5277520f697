"""Start-up: how long a command line or an import takes before it does anything."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import HEADER, interleaved
from examples.demo import tool


def _quietly(*argv: str) -> None:
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def main() -> None:
    """Print the table."""
    print(f"## Start-up (Python {sys.version.split()[0]})\n\n{HEADER}")
    cases = [
        ("`provision --help`", (tool("provision"), "--help"), "import click"),
        ("`import stacks`", (sys.executable, "-c", "import stacks"), "pass"),
    ]
    for workload, argv, statement in cases:
        comparison = interleaved(
            workload,
            lambda argv=argv: _quietly(*argv),
            lambda statement=statement: _quietly(sys.executable, "-c", statement),
            peer_name=f'python -c "{statement}"',
            runs=20,
        )
        print(comparison.row(), flush=True)
    peer = Path(__file__).parent.parent / ".venv-peers" / "bin" / "zenml"
    zenml = str(peer) if peer.exists() else shutil.which("zenml")
    if zenml is None:
        print(
            "| `provision --help` against `zenml --help` | | zenml is not installed: `make bench` does | | |"
        )
        return
    print(
        interleaved(
            "`provision --help`",
            lambda: _quietly(tool("provision"), "--help"),
            lambda: _quietly(zenml, "--help"),
            peer_name="zenml --help",
            runs=5,
        ).row()
    )


if __name__ == "__main__":
    main()
