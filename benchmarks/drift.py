"""`provision drift --fast` against what finds the same with Terraform: `terraform plan -refresh-only`.

Real Terraform, the real AWS provider, moto's server; the same stack, state and credentials on both sides. The
peer's `init` is done beforehand and not counted.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.engine import Bench
from benchmarks.measure import HEADER, Comparison, interleaved
from examples.demo import emulator, provider_mirror


def compare(runs: int = 9) -> list[Comparison]:
    """The rows of the table."""
    work = Path(tempfile.mkdtemp(prefix="provision-bench-"))
    try:
        with emulator() as url:
            bench = Bench(work, url, provider_mirror())
            bench.from_nothing()
            bench.provision("apply", "-y", "--no-verify", str(bench.manifest))
            bench.terraform("init", "-input=false")
            shutil.copy(work.joinpath("ours", "workspaces", "bench", "root", "terraform.tfstate"), bench.root)
            return [
                interleaved(
                    "`drift --fast`, a store and its role",
                    lambda: bench.provision("drift", "bench", "--fast"),
                    lambda: bench.terraform("plan", "-refresh-only", "-input=false"),
                    peer_name="plan -refresh-only",
                    runs=runs,
                )
            ]
    finally:
        shutil.rmtree(work)


def main() -> None:
    """Print the table."""
    version = subprocess.run(["terraform", "version"], capture_output=True, text=True, check=True).stdout
    print(f"## Drift without Terraform ({version.splitlines()[0]})\n\n{HEADER}")
    for comparison in compare():
        print(comparison.row(), flush=True)


if __name__ == "__main__":
    main()
