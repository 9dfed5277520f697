"""What the wrapper costs: `provision` against bare Terraform, on the same configuration, in the same run.

Real Terraform, the real AWS provider, moto's server. The lifecycle rules are left out: the provider waits
about 55 seconds for them, on both sides, which would make any wrapper look cheap.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from benchmarks.measure import HEADER, Comparison, interleaved
from examples.demo import emulator, provider_mirror, tool

_MANIFEST = """\
version: 1
name: bench
provider: aws
region: eu-west-1
endpoint_url: {url}
artifact_stores:
  - name: bench_store
    protect: false
    lifecycle: {{noncurrent_days: null, abort_multipart_days: null}}
"""


class Bench:
    """One emulator, one manifest, and the two ways to apply it."""

    def __init__(self, work: Path, url: str, mirror: str | None) -> None:
        self.work, self.url = work, url
        self.manifest = work / "stack.yaml"
        self.manifest.write_text(_MANIFEST.format(url=url))
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "TF_"))},
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench-secret",
            "STACKS_STATE": str(work / "ours" / "state.json"),
            "XDG_CACHE_HOME": str(work / "cache"),
        }
        configuration = work / "bare.tfrc"
        configuration.write_text(
            "disable_checkpoint = true\n"
            + (f'provider_installation {{ filesystem_mirror {{ path = "{mirror}" }} }}\n' if mirror else "")
        )
        if mirror:
            self.environment["PROVISION_PLUGIN_MIRROR"] = mirror
        self.bare_environment = {**self.environment, "TF_CLI_CONFIG_FILE": str(configuration)}
        self.root = work / "bare"

    def provision(self, *words: str) -> None:
        """Run our command."""
        self._run([tool("provision"), *words], self.environment, self.work)

    def terraform(self, *words: str) -> None:
        """Run theirs."""
        self._run(["terraform", *words], self.bare_environment, self.root)

    def _run(self, argv: list[str], environment: dict[str, str], cwd: Path) -> None:
        answer = subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            sys.exit(f"{' '.join(argv)} failed:\n{answer.stdout}{answer.stderr}")

    def from_nothing(self) -> None:
        """Empty the emulator and both working folders."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")).close()
        shutil.rmtree(self.work / "ours", ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)
        self.provision("render", str(self.manifest), "-o", str(self.root))

    def bare_plan(self) -> None:
        """Bare Terraform, up to a saved plan."""
        self.terraform("init", "-input=false")
        self.terraform("plan", "-input=false", "-out=plan.tfplan")

    def bare_apply(self) -> None:
        """Bare Terraform, all of it."""
        self.bare_plan()
        self.terraform("apply", "-input=false", "plan.tfplan")


def compare(runs: int = 5) -> list[Comparison]:
    """The rows of the table."""
    work = Path(tempfile.mkdtemp(prefix="provision-bench-"))
    try:
        with emulator() as url:
            bench = Bench(work, url, provider_mirror())
            manifest = str(bench.manifest)
            rows = [
                interleaved(
                    "`plan` from nothing",
                    lambda: bench.provision("plan", manifest),
                    bench.bare_plan,
                    peer_name="init && plan -out",
                    runs=runs,
                    before_each=bench.from_nothing,
                ),
                interleaved(
                    "`apply -y --no-verify` from nothing",
                    lambda: bench.provision("apply", "-y", "--no-verify", manifest),
                    bench.bare_apply,
                    peer_name="init && plan -out && apply",
                    runs=runs,
                    before_each=bench.from_nothing,
                ),
                interleaved(
                    "`apply -y` from nothing, with the live check",
                    lambda: bench.provision("apply", "-y", manifest),
                    bench.bare_apply,
                    peer_name="init && plan -out && apply",
                    runs=runs,
                    before_each=bench.from_nothing,
                ),
            ]
            bench.from_nothing()
            bench.provision("apply", "-y", "--no-verify", manifest)
            # The bare side plans the same world: it adopts the state that our apply has left.
            bench.terraform("init", "-input=false")
            shutil.copy(work.joinpath("ours", "workspaces", "bench", "root", "terraform.tfstate"), bench.root)
            rows.append(
                interleaved(
                    "`apply -y`, nothing to change",
                    lambda: bench.provision("apply", "-y", manifest),
                    lambda: bench.terraform("plan", "-input=false", "-out=plan.tfplan"),
                    peer_name="plan -out",
                    runs=runs * 2,
                )
            )
            return rows
    finally:
        shutil.rmtree(work)


def main() -> None:
    """Print the table."""
    version = subprocess.run(["terraform", "version"], capture_output=True, text=True, check=True).stdout
    print(f"## What the wrapper costs ({version.splitlines()[0]})\n\n{HEADER}")
    for comparison in compare():
        print(comparison.row(), flush=True)


if __name__ == "__main__":
    main()
