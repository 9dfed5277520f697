"""`--changed-since`: the stacks whose inputs git knows to be other than before."""

from __future__ import annotations

from pathlib import Path

import pytest
from stacks_folder import Folder

from provisioner.errors import InputError
from provisioner.fleet import changed
from provisioner.fleet.changed import changed_since, manifest_at
from provisioner.fleet.discover import discover
from provisioner.manifest import load_manifest


def since(repository: Folder, revision: str = "main") -> changed.Chosen:
    """The stacks of the repository that have changed."""
    places = [repository.path / "stacks"]
    stacks = [load_manifest(path) for path in discover(places).stacks]
    return changed_since(revision, stacks, places)


def names(chosen: changed.Chosen) -> list[str]:
    """Which they are."""
    return [loaded.manifest.name for loaded in chosen.stacks]


def test_nothing_changed_is_nothing_chosen(repository: Folder) -> None:
    chosen = since(repository)

    assert (names(chosen), chosen.unchanged, chosen.gone) == ([], 3, ())


def test_a_changed_manifest_is_chosen_committed_or_not(repository: Folder) -> None:
    repository.git("switch", "--quiet", "--create", "work")
    repository.stack("stacks/alone.yaml", "alone", "another")
    assert names(since(repository)) == ["alone"]

    repository.commit()

    assert names(since(repository)) == ["alone"]


def test_a_new_manifest_is_chosen_before_git_knows_it(repository: Folder) -> None:
    repository.stack("stacks/fresh.yaml")

    assert names(since(repository)) == ["fresh"]


def test_a_changed_base_chooses_all_that_extend_it(repository: Folder) -> None:
    repository.write("stacks/base.yaml", "version: 1\nprovider: local\nstack: {activate: false}\n")

    assert names(since(repository)) == ["one", "two"]


def test_what_happened_on_the_other_branch_alone_is_no_change_of_ours(repository: Folder) -> None:
    repository.git("switch", "--quiet", "--create", "work")
    repository.stack("stacks/alone.yaml", "alone", "another")
    repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.stack("stacks/theirs.yaml")
    repository.commit()
    repository.git("switch", "--quiet", "work")

    assert names(since(repository)) == ["alone"]


def test_a_deleted_stack_is_told_with_how_to_end_it(repository: Folder) -> None:
    (repository.path / "stacks/alone.yaml").unlink()

    (sentence,) = since(repository).gone

    assert sentence.startswith("stacks/alone.yaml is deleted, and no manifest names the stack 'alone'")
    assert sentence.endswith("provision destroy alone")


def test_a_moved_manifest_is_changed_and_nothing_has_gone(repository: Folder) -> None:
    repository.git("mv", "stacks/alone.yaml", "stacks/elsewhere.yaml")

    chosen = since(repository)

    assert (names(chosen), chosen.gone) == (["alone"], ())


def test_a_stack_that_got_another_name_is_told(repository: Folder) -> None:
    repository.stack("stacks/alone.yaml", "renamed")

    chosen = since(repository)

    assert names(chosen) == ["renamed"]
    assert "stacks/alone.yaml has another name now" in chosen.gone[0]


def test_the_products_own_modules_count_where_they_lie_in_the_repository(
    repository: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("product/modules/local/artifact-store/main.tf", "")
    repository.write("product/modules/aws/artifact-store/main.tf", "")
    repository.commit()
    monkeypatch.setattr(changed, "assets_root", lambda: repository.path / "product")

    repository.write("product/modules/aws/artifact-store/main.tf", "# other")
    assert names(since(repository)) == []
    repository.write("product/modules/local/artifact-store/main.tf", "# other")
    assert names(since(repository)) == ["alone", "one", "two"]


def test_a_policy_chooses_all_that_it_judges(repository: Folder) -> None:
    repository.write("stacks/policy.yaml", "version: 1\nrules: {protected: warn}\n")

    assert names(since(repository)) == ["alone", "one", "two"]


def test_names_with_odd_characters_are_found(repository: Folder) -> None:
    repository.stack("stacks/sté äx\n.yaml", "odd")

    assert names(since(repository)) == ["odd"]


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "HEAD~9"])
def test_a_revision_that_is_not_there_is_refused(repository: Folder, revision: str) -> None:
    with pytest.raises(InputError) as refused:
        since(repository, revision)
    assert refused.value.hint is not None


def test_outside_a_repository_it_is_refused(folder: Folder, tmp_path: Path) -> None:
    folder.stack("stacks/a.yaml")

    with pytest.raises(InputError, match="not a git repository"):
        since(folder, "HEAD")


# --- the manifest as it was ---------------------------------------------------------------------------


def was(repository: Folder, file: str) -> tuple[str, bool] | None:
    """The name and the protection of a stack's first store, where the work began."""
    former = manifest_at("main", load_manifest(repository.path / file))
    return None if former is None else (former.artifact_stores[0].name, former.artifact_stores[0].protect)


def test_the_former_manifest_is_found_where_it_lay(repository: Folder) -> None:
    repository.stack("stacks/alone.yaml", "alone", "another")

    assert was(repository, "stacks/alone.yaml") == ("alone_store", False)


@pytest.mark.parametrize("target", ["stacks/elsewhere.yaml", "others/deep/alone.yml"])
def test_a_moved_manifest_is_compared_with_what_it_was(repository: Folder, target: str) -> None:
    repository.git("switch", "--quiet", "--create", "work")
    (repository.path / target).parent.mkdir(parents=True, exist_ok=True)
    repository.git("mv", "stacks/alone.yaml", target)
    repository.stack(target, "alone", "another")
    repository.commit()

    assert was(repository, target) == ("alone_store", False)


def test_a_manifest_that_took_the_place_of_another_is_compared_with_its_own(repository: Folder) -> None:
    repository.git("mv", "stacks/one.yaml", "stacks/kept.yaml")
    repository.git("mv", "stacks/two.yaml", "stacks/one.yaml")

    assert was(repository, "stacks/one.yaml") == ("two", True)


def test_of_two_with_one_name_the_one_that_is_gone_went_on(repository: Folder) -> None:
    repository.stack("stacks/a-copy.yaml", "alone", "copied")
    repository.commit()
    repository.git("mv", "stacks/alone.yaml", "stacks/moved.yaml")

    assert was(repository, "stacks/moved.yaml") == ("alone_store", False)


def test_a_name_from_an_extended_file_is_found_there(repository: Folder) -> None:
    repository.write("parts/_base.yaml", "version: 1\nname: far\nprovider: local\n")
    repository.write("stacks/far.yaml", "extends: ../parts/_base.yaml\nartifact_stores: [{name: far}]\n")
    repository.commit()
    repository.git("mv", "stacks/far.yaml", "stacks/away.yaml")

    assert was(repository, "stacks/away.yaml") == ("far", True)


def test_a_new_stack_was_not_there(repository: Folder) -> None:
    repository.stack("stacks/fresh.yaml")
    repository.stack("stacks/alone.yaml", "renamed")

    assert was(repository, "stacks/fresh.yaml") is None
    assert was(repository, "stacks/alone.yaml") is None
