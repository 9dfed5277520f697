"""Help and mistakes are instant: no command's own imports are paid for before it runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("pydantic", "jinja2", "boto3", "botocore", "obstore", "cryptography", "ruamel", "stacks.client")


def loaded(*argv: str) -> set[str]:
    """Which of the heavy packages a command has loaded at its end."""
    script = (
        "import sys, json\n"
        "from provisioner.cli import cli\n"
        "from provisioner.cli.run import run\n"
        "run(cli, sys.argv[1:], 'provision')\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *argv], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    return {name for name in HEAVY if name in modules}


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("artifact-store", "--help"),
        ("artifact-store", "register", "--help"),
        ("service-connector", "--help"),
        ("stack", "register", "--help"),
        ("secret", "create", "--help"),
        ("secrets-manager", "register", "x"),
        ("nonsense",),
    ],
)
def test_nothing_heavy_is_loaded(argv: tuple[str, ...]) -> None:
    assert loaded(*argv) == set()


def test_commands_on_records_load_no_cloud_sdk(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert loaded("stack", "list") & {"boto3", "botocore", "obstore", "pydantic", "jinja2"} == set()
