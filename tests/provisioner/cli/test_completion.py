"""Shell completion, as a real bash asks for it with the script of `provision completion bash`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import CommandLine

from provisioner.cli.completing import SHELLS


@pytest.fixture
def bash(provision: CommandLine, tmp_path: Path) -> Bash:
    """A bash that knows both programs, a folder with two manifests, and a registered store and stack."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash on PATH")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, function in (("provision", "main"), ("artifact-store", "artifact_store_main")):
        program = programs / name
        program.write_text(f"#!{sys.executable}\nfrom provisioner.cli import {function}\n{function}()\n")
        program.chmod(0o755)
    provision("artifact-store register prod_store -f local --path=/tmp/somewhere")
    provision("artifact-store register test_store -f local --path=/tmp/elsewhere")
    provision("stack register prod_stack -a prod_store")
    (provision.folder / "stack.yaml").write_text("")
    return Bash(provision.folder, programs)


class Bash:
    """A bash to press the tabulator in."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}

    def offers(self, line: str) -> list[str]:
        """What is offered at the end of ``line``, as the completion function leaves it in COMPREPLY."""
        script = f"""
            set -u
            source <(provision completion bash)
            words=({line}{" ''" if line.endswith(" ") else ""})
            COMP_WORDS=("${{words[@]}}")
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            wanted=$(complete -p "${{words[0]}}" | grep -o ' -F [^ ]*' | cut -d' ' -f3)
            compopt() {{ echo "compopt $*" >&2; }}
            "$wanted" "${{words[0]}}" "${{COMP_WORDS[COMP_CWORD]}}" ""
            printf '%s\\n' "${{COMPREPLY[@]-}}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", script],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
            timeout=60,
            check=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return sorted(filter(None, done.stdout.split("\n")))


OFFERED = {
    "provision val": ["validate"],
    "provision artifact-store describe ": ["prod_store", "test_store"],
    "provision artifact-store describe pro": ["prod_store"],
    "artifact-store delete t": ["test_store"],
    "artifact-store migr": ["migrate"],
    "provision stack set ": ["prod_stack"],
    "provision stack update prod_stack -a ": ["prod_store", "test_store"],
    "provision stack register prod": [],
    "provision artifact-store register x --flavor loc": ["local"],
    "provision validate --format ": ["github", "json", "text"],
    "provision completion ": ["bash", "fish", "zsh"],
}


def test_bash_is_offered_what_can_stand_there(bash: Bash) -> None:
    assert {line: bash.offers(line) for line in OFFERED} == OFFERED


HEAVY = ("pydantic", "jinja2", "boto3", "python_terraform", "provisioner.engine", "provisioner.manifest")


@pytest.mark.parametrize("line", ["provision ", "provision artifact-store describe ", "provision status "])
def test_what_is_offered_between_two_keystrokes_loads_next_to_nothing(
    provision: CommandLine, line: str
) -> None:
    code = (
        "import sys; from provisioner.cli import cli; from provisioner.cli.run import run; "
        "run(cli, [], 'provision'); "
        f"print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    asked = {"_PROVISION_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=provision.folder,
        env={**os.environ, **asked},
        check=True,
    )

    assert done.stderr.strip() == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script_for_both_programs(provision: CommandLine, shell: str) -> None:
    script = provision(f"completion {shell}").out

    assert "_PROVISION_COMPLETE" in script
    assert "_ARTIFACT_STORE_COMPLETE" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=30)
