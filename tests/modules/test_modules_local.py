"""The local module on real directories: what it creates, what it refuses, what it never removes."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from terraform_rig import MODULES, Terraform, TerraformError, terraform_in

ROOT = Path(__file__).parent / "roots" / "local"
PERMISSIONS = "module.store.terraform_data.permissions[0]"

NAMES = (
    "plain",
    "with space",
    'it\'s "quoted"',
    "$HOME $(touch escaped) `touch escaped` ${HOME}",
    "; touch escaped; #",
    "${path.module} %{ if true } {{ x }}",
    "-rf",
    "*",
    "back\\slash\\n",
    "größe-日本",
)


@pytest.fixture
def root(tmp_path: Path, terraform: Path) -> Terraform:
    """An initialised root; stores go under ``tmp_path / "stores"``."""
    shutil.copytree(MODULES, tmp_path / "modules")
    shutil.copytree(ROOT, tmp_path / "root")
    rig = terraform_in(tmp_path / "root", terraform)
    rig.init()
    return rig


@pytest.fixture
def apply(root: Terraform) -> Callable[..., bool]:
    """Plan and apply for a directory; whether there was anything to do."""

    def run(path: Path, *argv: str, existing: bool = False) -> bool:
        root.variables({"path": str(path), "existing": existing})
        if not root.plan(*argv):
            return False
        root.apply()
        return True

    return run


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", NAMES)
def test_any_path_is_just_a_path(
    name: str, tmp_path: Path, root: Terraform, apply: Callable[..., bool]
) -> None:
    store = tmp_path / "stores" / name
    assert apply(store)
    assert store.is_dir()
    assert mode(store) == 0o700
    assert root.output("path") == str(store)
    assert not apply(store)
    root.destroy()
    assert list((tmp_path / "stores").iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))


def test_a_directory_with_something_in_it_is_refused(tmp_path: Path, apply: Callable[..., bool]) -> None:
    store = tmp_path / "stores"
    store.mkdir()
    (store / "mine").write_text("precious")
    with pytest.raises(TerraformError, match="is not empty; adopt it with existing = true"):
        apply(store)
    assert (store / "mine").read_text() == "precious"


def test_a_refused_directory_survives_a_destroy(
    tmp_path: Path, root: Terraform, apply: Callable[..., bool]
) -> None:
    store = tmp_path / "stores"
    store.mkdir()
    (store / "mine").touch()
    with pytest.raises(TerraformError):
        apply(store)
    (store / "mine").unlink()
    root.destroy()
    assert store.is_dir()


def test_a_file_and_a_symbolic_link_are_refused(tmp_path: Path, apply: Callable[..., bool]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TerraformError, match="is no directory"):
        apply(tmp_path / "file")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(TerraformError, match="is a symbolic link"):
        apply(tmp_path / "link")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TerraformError, match="is a symbolic link"):
        apply(tmp_path / "dangling")


def test_an_empty_directory_left_by_a_run_cut_short_is_taken_over(
    tmp_path: Path, apply: Callable[..., bool]
) -> None:
    store = tmp_path / "stores"
    store.mkdir(mode=0o755)
    assert apply(store)
    assert mode(store) == 0o700
    assert not apply(store)


def test_an_apply_that_died_half_way_converges(
    tmp_path: Path, root: Terraform, apply: Callable[..., bool]
) -> None:
    """The directory is made and used, its mode is not yet set: the rerun does only what is missing."""
    store = tmp_path / "stores"
    root.variables({"path": str(store), "existing": False})
    assert root.plan("-target=module.store.terraform_data.directory")
    root.apply()
    (store / "artifact").touch()
    assert apply(store)
    assert mode(store) == 0o700
    assert (store / "artifact").exists()


def test_drift_is_repaired_by_replacing_the_permissions(tmp_path: Path, apply: Callable[..., bool]) -> None:
    store = tmp_path / "stores"
    assert apply(store)
    store.chmod(0o755)
    assert apply(store, f"-replace={PERMISSIONS}")
    assert mode(store) == 0o700
    store.rmdir()
    assert apply(store, f"-replace={PERMISSIONS}")
    assert mode(store) == 0o700


def test_destroy_removes_nothing_that_is_stored(
    tmp_path: Path, root: Terraform, apply: Callable[..., bool]
) -> None:
    store = tmp_path / "stores"
    assert apply(store)
    (store / "artifact").write_text("precious")
    root.destroy(expect=(1,))
    assert (store / "artifact").read_text() == "precious"
    (store / "artifact").unlink()
    root.destroy()
    assert not store.exists()


def test_destroy_of_a_directory_that_is_gone_succeeds(
    tmp_path: Path, root: Terraform, apply: Callable[..., bool]
) -> None:
    store = tmp_path / "stores"
    assert apply(store)
    store.rmdir()
    root.destroy()
    assert not store.exists()


def test_another_path_leaves_the_old_directory_where_it_is(
    tmp_path: Path, apply: Callable[..., bool]
) -> None:
    assert apply(tmp_path / "old")
    (tmp_path / "old" / "artifact").touch()
    with pytest.raises(TerraformError, match="not empty"):
        apply(tmp_path / "new")
    assert (tmp_path / "old" / "artifact").exists()


def test_an_existing_directory_is_left_alone(
    tmp_path: Path, root: Terraform, apply: Callable[..., bool]
) -> None:
    store = tmp_path / "stores"
    store.mkdir(mode=0o750)
    (store / "artifact").touch()
    assert apply(store, existing=True)  # the output alone is new
    assert mode(store) == 0o750
    root.destroy()
    assert (store / "artifact").exists()
