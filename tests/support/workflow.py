"""Runs the shell steps of a GitHub workflow for real, as its runner does: bash, files for outputs, contexts.

What a step `uses` is done by the test: it is told which, and fails on one that it was not told.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Uses = Callable[[str, Mapping[str, Any]], None]

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


class StepError(AssertionError):
    """A step failed; the message has all it said."""

    def __init__(self, name: str, code: int, said: str) -> None:
        super().__init__(f"the step {name!r} exited {code}:\n{said}")
        self.name, self.code, self.said = name, code, said


@dataclass
class Job:
    """One job, to be run in ``folder``. ``context`` has what expressions name, such as ``github.sha``."""

    workflow: Mapping[str, Any]
    name: str
    folder: Path
    environment: Mapping[str, str]
    context: dict[str, str]
    uses: Uses
    said: list[str] = field(default_factory=list)

    def run(self) -> dict[str, str]:
        """Run its steps in order; the job's outputs. Raises StepError for one that fails."""
        job = self.workflow["jobs"][self.name]
        for number, step in enumerate(job["steps"]):
            if "uses" in step:
                self.uses(
                    step["uses"],
                    {key: self.filled(value) for key, value in step.get("with", {}).items()},
                )
            else:
                self._shell(step.get("name", str(number)), step)
        return {key: self.filled(value) for key, value in job.get("outputs", {}).items()}

    def filled(self, value: Any) -> str:
        """A value with its expressions replaced; raises KeyError for one that nobody set."""
        return _EXPRESSION.sub(lambda match: self.context[match[1]], str(value))

    def _shell(self, name: str, step: Mapping[str, Any]) -> None:
        assert "${{" not in step["run"], "text of others would become part of the script"
        output = self.folder.parent / "github-output"
        output.write_text("")
        variables = {**self.workflow.get("env", {}), **step.get("env", {})}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={
                **self.environment,
                **{key: self.filled(value) for key, value in variables.items()},
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(self.folder.parent / "step-summary"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said.append(f"{done.stdout}{done.stderr}")
        if done.returncode != 0:
            raise StepError(name, done.returncode, self.said[-1])
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.context[f"steps.{step['id']}.outputs.{key}"] = value
