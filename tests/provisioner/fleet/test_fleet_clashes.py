"""What two stacks beside each other may not both claim."""

from __future__ import annotations

import pytest
from stacks_folder import Folder

from provisioner.fleet.clashes import clashes
from provisioner.manifest import generated_bucket

AWS = "version: 1\nname: {name}\nprovider: aws\nregion: eu-west-1\n"


def test_stacks_with_names_of_their_own_are_fine(folder: Folder) -> None:
    folder.stack("a.yaml")
    folder.stack("b.yaml")

    assert clashes(folder.load("a.yaml", "b.yaml")) == []


def test_the_same_stack_twice_is_told_at_its_place(folder: Folder) -> None:
    folder.stack("a.yaml", "ml", "one")
    folder.stack("b.yaml", "ml", "two")

    (problem,) = clashes(folder.load("a.yaml", "b.yaml"))

    assert (problem.file, problem.line, problem.path) == (str(folder.path / "b.yaml"), 2, "name")
    assert problem.message == (
        f"the stack 'ml' is also in {folder.path / 'a.yaml'}: a stack has one manifest"
    )


def test_the_same_store_twice_is_told(folder: Folder) -> None:
    folder.stack("a.yaml", store="main")
    folder.stack("b.yaml", store="main")

    (problem,) = clashes(folder.load("a.yaml", "b.yaml"))

    assert problem.path == "artifact_stores[0].name"
    assert problem.line == 5


def test_a_clash_of_names_tells_both_ways_out(folder: Folder) -> None:
    folder.stack("a.yaml", store="main")
    folder.stack("b.yaml", store="main")

    (problem,) = clashes(folder.load("a.yaml", "b.yaml"))

    assert problem.message == (
        f"the artifact store 'main' is also in {folder.path / 'a.yaml'}: a state file registers each name "
        "once: give this one another name, or each environment a folder and a state file of its own"
    )


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("all.yaml", "which this extends: let the name of that file begin with `_`"),
        ("zzz.yaml", "which extends this: let the name of this file begin with `_`"),
    ],
)
def test_a_base_that_is_complete_is_told_how_to_be_none(folder: Folder, base: str, said: str) -> None:
    folder.stack(base, "base", store="main")
    folder.write("prod.yaml", f"extends: {base}\nname: prod\n")

    (problem,) = clashes(folder.load(*sorted([base, "prod.yaml"])))

    assert said in problem.message


@pytest.mark.parametrize(
    ("first", "second", "claimed"),
    [
        ("bucket: acme", "bucket: acme", 1),
        ("bucket: acme", "bucket: acme, existing: true", 0),
        ("bucket: acme", "bucket: other", 0),
        ("prefix: a, bucket: acme", "prefix: b, bucket: acme", 1),
    ],
)
def test_a_bucket_is_made_by_one_stack(folder: Folder, first: str, second: str, claimed: int) -> None:
    for name, fields in (("a-one", first), ("b-two", second)):
        store = name.replace("-", "_")
        folder.write(
            f"{name}.yaml", AWS.format(name=name) + f"artifact_stores: [{{name: {store}, {fields}}}]\n"
        )

    problems = clashes(folder.load("a-one.yaml", "b-two.yaml"))

    assert [problem.path for problem in problems] == ["artifact_stores[0].bucket"] * claimed


def test_a_generated_bucket_counts_where_the_account_is_known(folder: Folder) -> None:
    account = "123456789012"
    bucket = generated_bucket("a-one", "main", account)
    folder.write(
        "a-one.yaml",
        AWS.format(name="a-one") + f"account: '{account}'\nartifact_stores: [{{name: main}}]\n",
    )
    folder.write(
        "b-two.yaml", AWS.format(name="b-two") + f"artifact_stores: [{{name: other, bucket: {bucket}}}]\n"
    )

    (problem,) = clashes(folder.load("a-one.yaml", "b-two.yaml"))

    assert bucket in problem.message


def test_one_directory_by_two_ways_is_one(folder: Folder) -> None:
    for file, path in (("a.yaml", "data"), ("deep/b.yaml", folder.path / "data")):
        name = file.removesuffix(".yaml")[-1] * 2
        folder.write(
            file,
            f"version: 1\nname: {name}\nprovider: local\n"
            f"artifact_stores: [{{name: {name}, bucket: {path}}}]\n",
        )

    (problem,) = clashes(folder.load("a.yaml", "deep/b.yaml"))

    assert "directory" in problem.message


def test_connectors_have_names_of_their_own(folder: Folder) -> None:
    for name in ("aa", "bb"):
        folder.write(
            f"{name}.yaml",
            AWS.format(name=name)
            + f"artifact_stores: [{{name: {name}, connector: shared}}]\nconnectors: [{{name: shared}}]\n",
        )

    (problem,) = clashes(folder.load("aa.yaml", "bb.yaml"))

    assert problem.path == "connectors[0].name"
