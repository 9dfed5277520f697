"""``import stacks`` costs next to nothing, and every exported name is there."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

import stacks

HEAVY = ("boto3", "botocore", "obstore", "google", "azure", "cryptography", "pydantic", "jinja2", "click")


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after ``statement``."""
    program = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


def test_the_package_itself_loads_nothing_of_its_own() -> None:
    assert {name for name in loaded_by("import stacks") if name.startswith("stacks")} == {"stacks"}


@pytest.mark.parametrize("name", stacks.__all__)
def test_no_exported_name_loads_an_sdk_or_the_provisioner(name: str) -> None:
    loaded = loaded_by(f"from stacks import {name}")
    assert not {module for module in loaded if module.split(".")[0] in {*HEAVY, "provisioner"}}


def test_what_is_exported_is_there_and_what_is_not_is_an_attribute_error() -> None:
    for name in stacks.__all__:
        assert getattr(stacks, name) is not None
    assert set(stacks.__all__) <= set(dir(stacks))
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = stacks.nope


def test_importing_takes_little_longer_than_python_itself() -> None:
    """Held against an empty Python in the same run: 60 ms above it is what the contract allows."""

    def best(statement: str) -> float:
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-I", "-c", statement], check=True)
            times.append(time.perf_counter() - begun)
        return min(times)

    # click is the yardstick that cli.md's start-up rule uses; ours is far below it.
    assert best("import stacks") < best("import click")
