"""Checkov over the JSON of a plan: a program of its own, in whatever environment it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from provisioner.assets import assets_root
from provisioner.manifest import Manifest
from provisioner.policy.models import CheckovRule
from provisioner.policy.planned import place_of
from provisioner.policy.verdict import Verdict, matches
from provisioner.summary import split_address
from stacks.state.files import write_private

VARIABLE = "PROVISION_CHECKOV"
_SECONDS = 600
_INSTALL = "install it into an environment of its own (pipx install checkov), or name it in PROVISION_CHECKOV"


def checked(
    manifest: Manifest,
    rule: CheckovRule,
    details: Mapping[str, Any],
    folder: Path,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Verdict]:
    """The checks that fail. ``folder`` is a private one: the plan lies in it while it is looked at."""
    environ = os.environ if environ is None else environ
    program = find(environ)
    if program is None:
        level = "deny" if rule.required else "warn"
        message = f"Checkov is not installed, so its checks did not run; {_INSTALL}"
        yield Verdict("checkov", rule, (), message, level=level)
        return
    report, problem = _run(program, details, folder, environ)
    if report is None:
        level = "deny" if rule.required else "warn"
        yield Verdict("checkov", rule, (), f"Checkov failed: {problem}", level=level)
        return
    skipped = _baseline()
    for check in report:
        name = str(check["check_id"])
        if name in skipped or matches(name, rule.skip):
            continue
        address = str(check.get("resource") or "")
        _, component, _ = split_address(address)
        message = f"{address}: {name}: {check.get('check_name') or 'failed'}"
        yield Verdict("checkov", rule, place_of(manifest, component), message, component, address)


def find(environ: Mapping[str, str]) -> str | None:
    """The program: what the variable names, else ``checkov`` on PATH."""
    return shutil.which(environ.get(VARIABLE) or "checkov", path=environ.get("PATH"))


def _run(
    program: str, details: Mapping[str, Any], folder: Path, environ: Mapping[str, str]
) -> tuple[list[dict[str, Any]] | None, str]:
    # It needs no credentials, and its own settings would change what the policy says.
    own = {name: environ[name] for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT") if name in environ}
    with tempfile.TemporaryDirectory(dir=folder, prefix="checkov-") as place:
        plan = Path(place, "plan.json")
        write_private(plan, json.dumps(details).encode())
        argv = [program, "--file", str(plan), "--framework", "terraform_plan", "--output", "json"]
        try:
            done = subprocess.run(
                [*argv, "--skip-download", "--quiet"],
                env=own | {"HOME": place, "TMPDIR": place},
                cwd=place,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return None, str(error)
    try:
        report = json.loads(done.stdout)
        if not isinstance(report, dict):
            raise TypeError
        if "results" not in report:
            return [], ""  # nothing in the plan that any check is about
        return list(report["results"]["failed_checks"]), ""
    except (ValueError, KeyError, TypeError):
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        return None, f"exit code {done.returncode}: {last[0][:300]}"


@cache
def _baseline() -> frozenset[str]:
    """The checks that the profile baseline does without; each has its reason in that file."""
    reasons = YAML(typ="safe", pure=True).load(assets_root() / "modules" / "checkov-baseline.yaml")
    return frozenset(reasons)
