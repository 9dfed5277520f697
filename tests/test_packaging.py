"""The wheel is the product: built, installed into an empty environment, it does the main job from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
_PROGRAM = ROOT / "examples" / "use_store.py"
_MANIFEST = ROOT / "examples" / "local" / "stack.yaml"


def _run(*argv: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command far away from the checkout, so that nothing of it is found by chance."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TF_", "AWS_"))
    }
    answer = subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, f"{argv}: {answer.stdout}{answer.stderr}"
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what git tracks alone."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "provisioner", "stacks", "modules", "templates"):
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    target = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", target, source, cwd=target)
    return next(target.glob("*.whl"))


def test_the_wheel_carries_modules_templates_and_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {"provisioner/py.typed", "stacks/py.typed"} <= names
    for folder in ("modules", "templates"):
        shipped = {path for path in names if path.startswith(f"provisioner/_assets/{folder}/")}
        tracked = {
            f"provisioner/_assets/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and ".terraform" not in path.as_posix()
        }
        assert tracked <= shipped
    assert not any(name.startswith(("tests/", "benchmarks/", "examples/")) for name in names)


def test_the_installed_wheel_provisions_uses_and_destroys_a_local_stack(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    venv.create(tmp_path / "env", with_pip=True)
    bin_ = tmp_path / "env" / "bin"
    extra = "" if shutil.which("terraform") or shutil.which("tofu") else "[engine]"
    constraints = ROOT / "constraints.txt"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", constraints)
    _run(bin_ / "python", *pip, f"{wheel}{extra}", cwd=tmp_path)
    shutil.copy(_MANIFEST, home / "stack.yaml")
    places = {"HOME": str(home), "STACKS_STATE": str(home / ".stacks" / "state.json")}

    _run(bin_ / "provision", "apply", "stack.yaml", "-y", cwd=home, **places)
    said = _run(bin_ / "python", _PROGRAM, cwd=home, **places)
    status = _run(bin_ / "provision", "status", cwd=home, **places)
    _run(bin_ / "provision", "destroy", "local-demo", "-y", cwd=home, **places)

    assert "stored and loaded ['model.json']" in said
    assert "local-demo  (active)" in status
    assert "Nothing is applied" in _run(bin_ / "provision", "status", cwd=home, **places)


def test_the_runtime_works_without_any_tool_of_the_provisioner(wheel: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(library, [name for name in archive.namelist() if name.startswith("stacks/")])
    program = (
        "import sys\n"
        "for name in ('provisioner', 'jinja2', 'python_terraform', 'pydantic', 'click', 'psutil'):\n"
        "    sys.modules[name] = None\n"
        f"sys.path.insert(0, {str(library)!r})\n"
        "from stacks import fileio\n"
        "fileio.makedirs('here'); print(fileio.listdir('.'))\n"
    )

    said = _run(sys.executable, "-I", "-c", program, cwd=tmp_path, HOME=str(tmp_path))

    assert "here" in said


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by that name alone: with two, the second cannot be collected."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
