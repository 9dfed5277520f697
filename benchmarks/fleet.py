"""Twenty stacks: `provision plan FOLDER` against bare Terraform, as many at a time as there are cores.

The peer is a shell's loop: `xargs -P` over the same twenty roots, real Terraform, the same providers. On the
local disk, where Terraform has next to nothing to do and our own work weighs most; and on AWS, with the real
provider and moto's server.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import HEADER, Comparison, interleaved
from examples.demo import emulator, provider_mirror, tool

STACKS = 20
CORES = os.cpu_count() or 1
_LOCAL = """\
version: 1
name: {name}
provider: local
artifact_stores: [{{name: {store}, bucket: {folder}/{store}}}]
"""
_AWS = """\
version: 1
name: {name}
provider: aws
region: eu-west-1
endpoint_url: {url}
artifact_stores:
  - name: {store}
    protect: false
    lifecycle: {{noncurrent_days: null, abort_multipart_days: null}}
"""


@dataclass
class Bench:
    """Twenty manifests, their renderings for the bare side, and both environments."""

    work: Path
    manifest: str
    mirror: str | None
    url: str = ""

    def __post_init__(self) -> None:
        self.folder = self.work / "stacks"
        self.roots = self.work / "bare"
        self.folder.mkdir()
        configuration = self.work / "bare.tfrc"
        (self.work / "bare-cache").mkdir()
        lines = ["disable_checkpoint = true", f'plugin_cache_dir = "{self.work / "bare-cache"}"']
        if self.mirror:
            lines.append(
                f'provider_installation {{\n  filesystem_mirror {{\n    path = "{self.mirror}"\n  }}\n}}'
            )
        configuration.write_text("\n".join(lines) + "\n")
        own = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "TF_"))}
        self.environment = {
            **own,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench-secret",
            "STACKS_STATE": str(self.work / "ours" / "state.json"),
            "XDG_CACHE_HOME": str(self.work / "cache"),
            **({"PROVISION_PLUGIN_MIRROR": self.mirror} if self.mirror else {}),
        }
        self.bare_environment = {**self.environment, "TF_CLI_CONFIG_FILE": str(configuration)}
        for number in range(STACKS):
            name = f"bench-{number:02}"
            path = self.folder / f"{name}.yaml"
            path.write_text(
                self.manifest.format(
                    name=name, store=name.replace("-", "_"), url=self.url, folder=self.work / "stores"
                )
            )
            self._run(
                [tool("provision"), "render", str(path), "-o", str(self.roots / name)], self.environment
            )

    def from_nothing(self) -> None:
        """No workspace, nothing initialised on either side; plugin caches and lock files stay."""
        shutil.rmtree(self.work / "ours", ignore_errors=True)
        for root in self.roots.iterdir():
            shutil.rmtree(root / ".terraform", ignore_errors=True)

    def ours(self) -> None:
        """`provision plan` of the folder."""
        self._run([tool("provision"), "plan", str(self.folder), "--jobs", str(CORES)], self.environment)

    def bare(self, script: str) -> None:
        """A shell's words in each root, as many at a time as there are cores."""
        roots = "\n".join(str(root) for root in sorted(self.roots.iterdir()))
        line = ["xargs", "-P", str(CORES), "-I", "{}", "sh", "-c", f"cd {{}} && {script}"]
        self._run(line, self.bare_environment, roots)

    def bare_plan(self) -> None:
        """Initialised already: plans alone."""
        self.bare("terraform plan -input=false -out=plan.tfplan")

    def bare_init_and_plan(self) -> None:
        """From nothing. One init at a time, as Terraform asks of those who share a plugin cache."""
        self.bare(
            "flock ../../lock terraform init -input=false && terraform plan -input=false -out=plan.tfplan"
        )

    def _run(self, argv: list[str], environment: dict[str, str], stdin: str = "") -> None:
        done = subprocess.run(
            argv, env=environment, cwd=self.work, input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"{' '.join(argv)} failed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")


def compare(bench: Bench, where: str, runs: int, *, warm_up: bool = True) -> list[Comparison]:
    """Both rows: from nothing, and when all is initialised."""
    # Without lock files, an init rewrites the cache under the plans beside it, and bare Terraform fails.
    bench.bare("flock ../../lock terraform init -input=false")
    bench.ours()
    cold = interleaved(
        f"{where}: plan of {STACKS} stacks, from nothing",
        bench.ours,
        bench.bare_init_and_plan,
        peer_name=f"xargs -P {CORES}: init && plan -out",
        runs=runs,
        before_each=bench.from_nothing,
        warm_up=warm_up,
    )
    bench.ours()
    bench.bare_init_and_plan()
    warm = interleaved(
        f"{where}: plan of {STACKS} stacks, again",
        bench.ours,
        bench.bare_plan,
        peer_name=f"xargs -P {CORES}: plan -out",
        runs=runs,
        warm_up=warm_up,
    )
    return [cold, warm]


def main() -> None:
    """Print the table."""
    print(f"## Twenty stacks on {CORES} cores\n\n{HEADER}")
    work = Path(tempfile.mkdtemp(prefix="provision-fleet-"))
    try:
        (work / "local").mkdir()
        for row in compare(Bench(work / "local", _LOCAL, None), "local disk", runs=5):
            print(row.row(), flush=True)
        with emulator() as url:
            urllib.request.urlopen(url).close()
            (work / "aws").mkdir()
            for row in compare(
                Bench(work / "aws", _AWS, provider_mirror(), url), "AWS on moto", runs=3, warm_up=False
            ):
                print(row.row(), flush=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
