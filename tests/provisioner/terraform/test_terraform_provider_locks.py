"""The lock file that one stack got is given to the next one with the same requirements."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.terraform.provider_locks import NAME, ProviderLocks

LOCK = 'provider "registry.example/acme/cloud" {\n  version = "1.2.3"\n  hashes = []\n}\n'


@pytest.fixture
def locks(tmp_path: Path) -> ProviderLocks:
    """Those of a cache that has one provider."""
    (tmp_path / "cache/registry.example/acme/cloud/1.2.3/linux_amd64").mkdir(parents=True)
    return ProviderLocks(tmp_path / "locks", tmp_path / "cache", ("engine",))


def root(folder: Path, name: str, constraint: str = "~> 1.0", lock: str | None = None) -> Path:
    """A rendered root that asks for the provider in a module."""
    module = folder / name / "modules" / "store"
    module.mkdir(parents=True)
    (folder / name / "main.tf").write_text(f'module "{name}" {{ source = "./modules/store" }}\n')
    (module / "terraform.tf").write_text(
        "terraform {\n  required_providers {\n    cloud = {\n"
        f'      source = "acme/cloud"\n      version = "{constraint}"\n    }}\n  }}\n}}\n'
    )
    if lock is not None:
        (folder / name / NAME).write_text(lock)
    return folder / name


def test_a_second_stack_gets_the_first_ones_versions(locks: ProviderLocks, tmp_path: Path) -> None:
    locks.keep(root(tmp_path, "first", lock=LOCK))
    second = root(tmp_path, "second")

    locks.seed(second)

    assert (second / NAME).read_text() == LOCK


@pytest.mark.parametrize("other", ["constraint", "engine", "cache", "own"])
def test_what_does_not_fit_is_not_given(locks: ProviderLocks, tmp_path: Path, other: str) -> None:
    locks.keep(root(tmp_path, "first", lock=LOCK))
    second = root(
        tmp_path,
        "second",
        "~> 2.0" if other == "constraint" else "~> 1.0",
        "own\n" if other == "own" else None,
    )
    if other == "cache":
        (tmp_path / "cache/registry.example/acme/cloud/1.2.3/linux_amd64").rmdir()
    if other == "engine":
        locks = ProviderLocks(locks.folder, locks.cache, ("another engine",))

    locks.seed(second)

    found = (second / NAME).read_text() if (second / NAME).exists() else None
    assert found == ("own\n" if other == "own" else None)


def test_a_root_without_providers_leaves_nothing(locks: ProviderLocks, tmp_path: Path) -> None:
    locks.keep(root(tmp_path, "first"))

    assert not locks.folder.exists()
