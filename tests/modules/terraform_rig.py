"""Real Terraform for tests: finding the binary and a provider mirror, and running it in a folder."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

MODULES = Path(__file__).resolve().parents[2] / "modules"

# Where each binary looks for hashicorp/aws, and so what a mirror for it has at its top.
_REGISTRIES = {"terraform": "registry.terraform.io", "tofu": "registry.opentofu.org"}

# Nothing worth finding is in these, and some of them never end.
_NOT_SEARCHED = frozenset(
    {"proc", "sys", "dev", "run", "lost+found", "node_modules", "site-packages", ".git"}
)
_DEEPEST = 5


@cache
def terraform_binary() -> Path | None:
    """Terraform, else OpenTofu, on PATH."""
    found = shutil.which("terraform") or shutil.which("tofu")
    return Path(found) if found else None


def provider_platform() -> str:
    """This machine as a provider mirror names it, such as ``linux_amd64``."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine().lower())
    return f"{platform.system().lower()}_{machine}"


def holds_aws_provider(mirror: Path) -> bool:
    """Whether ``mirror`` has the AWS provider for this machine and binary, in a mirror's unpacked layout."""
    binary = terraform_binary()
    versions = mirror / _REGISTRIES[binary.stem if binary else "terraform"] / "hashicorp" / "aws"
    return any(versions.glob(f"*/{provider_platform()}/terraform-provider-aws*"))


@cache
def provider_mirror() -> Path | None:
    """The mirror that PROVISION_PLUGIN_MIRROR names, else the first found by its layout near the top."""
    named = os.environ.get("PROVISION_PLUGIN_MIRROR")
    if named:
        return Path(named) if holds_aws_provider(Path(named)) else None
    level = [Path("/"), Path.home()]
    for _ in range(_DEEPEST):
        below: list[Path] = []
        for folder in level:
            if holds_aws_provider(folder):
                return folder
            below.extend(_folders(folder))
        level = below
    return None


def _folders(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # not ours to read: then not ours to use either
        return
    yield from (folder / name for name in sorted(names) if name not in _NOT_SEARCHED)


class TerraformError(AssertionError):
    """Terraform ended otherwise than the test expected; the message holds all it said."""


@dataclass(frozen=True)
class Terraform:
    """One working folder and the environment that its Terraform runs in."""

    binary: Path
    folder: Path
    environment: Mapping[str, str]

    def run(self, *argv: str, expect: tuple[int, ...] = (0,)) -> CompletedProcess[str]:
        """Run one verb; raises TerraformError unless it exits with one of ``expect``."""
        done = subprocess.run(
            [str(self.binary), *argv],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in expect:
            raise TerraformError(f"{' '.join(argv)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def init(self) -> None:
        """Make the folder ready."""
        self.run("init", "-input=false", "-no-color")

    def variables(self, values: Mapping[str, Any]) -> None:
        """What the root is told, as data."""
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(values))

    def plan(self, *argv: str) -> bool:
        """Plan into ``tfplan``; whether there is anything to change."""
        done = self.run(
            "plan", "-input=false", "-no-color", "-detailed-exitcode", "-out=tfplan", *argv, expect=(0, 2)
        )
        return done.returncode == 2

    def shown_plan(self) -> dict[str, Any]:
        """The JSON of ``tfplan``."""
        shown: dict[str, Any] = json.loads(self.run("show", "-json", "-no-color", "tfplan").stdout)
        return shown

    def apply(self) -> None:
        """Apply ``tfplan``."""
        self.run("apply", "-input=false", "-no-color", "tfplan")

    def destroy(self, target: str | None = None, *, expect: tuple[int, ...] = (0,)) -> CompletedProcess[str]:
        """Tear everything down, or ``target`` and what depends on it."""
        only = [f"-target={target}"] if target else []
        return self.run(
            "destroy", "-input=false", "-no-color", "-auto-approve", "-refresh=false", *only, expect=expect
        )

    def output(self, name: str) -> Any:
        """The value of one output."""
        return json.loads(self.run("output", "-json", "-no-color", name).stdout)


def terraform_in(folder: Path, binary: Path, mirror: Path | None = None) -> Terraform:
    """Terraform in ``folder``, knowing only dummy credentials and the providers of ``mirror``."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    config = home / "terraform.rc"
    path = f"filesystem_mirror {{ path = {json.dumps(str(mirror))} }}" if mirror else ""
    config.write_text(f"provider_installation {{\n  {path}\n}}\n")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "TF_CLI_CONFIG_FILE": str(config),
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",  # a provider's start is mostly garbage collection: a quarter of a plan's time
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Terraform(binary, folder, environment)
