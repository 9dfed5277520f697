"""Which files of a folder are stacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_modes import mode
from stacks_folder import Folder

from provisioner.errors import InputError
from provisioner.fleet.discover import discover


def names(folder: Folder, *places: str) -> list[str]:
    """What is found, relative to the folder."""
    found = discover([folder.path / place for place in places or (".",)])
    return [path.relative_to(folder.path).as_posix() for path in found.stacks]


def test_every_manifest_at_any_depth_is_a_stack(folder: Folder) -> None:
    for file in ("b.yaml", "team/a.yml", "team/deep/c.yaml"):
        folder.stack(file)

    assert names(folder) == ["b.yaml", "team/a.yml", "team/deep/c.yaml"]


@pytest.mark.parametrize(
    "place", [".hidden", "_shared", "node_modules", "__pycache__", ".terraform", "rendered", "env"]
)
def test_some_folders_are_passed_over(folder: Folder, place: str) -> None:
    folder.stack("a.yaml")
    folder.stack(f"{place}/b.yaml")
    folder.write("rendered/main.tf", "")
    folder.write("rendered/terraform.tfvars.json", "{}")
    folder.write("env/pyvenv.cfg", "")

    assert names(folder) == ["a.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {image: x}}\nversion: '3'\nname: app\n",
        "services:\n  web:\n    extends: other\n",
        "rules:\n  regions: [eu-west-1]\n",
        "# provider: is told in a comment\njobs: {}\n",
        "- provider: x\n",
        "",
    ],
)
def test_other_yaml_is_not_a_stack(folder: Folder, text: str) -> None:
    folder.stack("a.yaml")
    folder.write("other.yaml", text)

    assert names(folder) == ["a.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "provider: local\nname: x\n<<<<<<< ours\n",
        "version: 1\nartifact_stores:\n\t- name: x\n",
        '{"version": 1, "artifact_stores": [',
        '"provider": aws\n',
    ],
)
def test_a_manifest_with_a_mistake_is_not_passed_over(folder: Folder, text: str) -> None:
    """It is refused where it is read: a stack that nobody checks any more would be worse than an error."""
    folder.write("broken.yaml", text)

    assert names(folder) == ["broken.yaml"]


def test_what_others_extend_and_is_not_complete_is_no_stack(folder: Folder) -> None:
    folder.write("base.yaml", "version: 1\nprovider: local\n")
    folder.write("prod.yaml", "extends: base.yaml\nname: prod\nartifact_stores: [{name: main}]\n")

    found = discover([folder.path])

    assert [path.name for path in found.stacks] == ["prod.yaml"]
    ((path, why),) = found.bases
    assert path.name == "base.yaml"
    assert why.startswith("no stack of its own: it has no `name`, `artifact_stores`")


def test_a_chain_of_bases_is_no_stack_either(folder: Folder) -> None:
    folder.write("all.yaml", "version: 1\n")
    folder.write("local.yaml", "extends: all.yaml\nprovider: local\n")
    folder.write("prod.yaml", "extends: local.yaml\nname: prod\nartifact_stores: [{name: main}]\n")

    assert names(folder) == ["prod.yaml"]


def test_a_complete_stack_stays_one_when_others_extend_it(folder: Folder) -> None:
    folder.stack("prod.yaml")
    folder.write("copy.yaml", "extends: prod.yaml\nname: copy\nartifact_stores: [{name: other}]\n")

    assert names(folder) == ["copy.yaml", "prod.yaml"]


def test_an_incomplete_file_that_nobody_extends_is_taken_for_a_stack(folder: Folder) -> None:
    folder.write("forgotten.yaml", "version: 1\nprovider: local\n")

    assert names(folder) == ["forgotten.yaml"]


def test_an_underscore_marks_a_base_that_is_complete(folder: Folder) -> None:
    folder.stack("_defaults.yaml", "some-name")
    folder.write("prod.yaml", "extends: _defaults.yaml\nname: prod\n")

    assert names(folder) == ["prod.yaml"]


def test_a_file_that_is_named_is_a_stack_and_each_is_taken_once(folder: Folder) -> None:
    folder.stack("_marked.yaml")
    folder.stack("a.yaml")

    assert names(folder, "a.yaml", "_marked.yaml", ".", "./a.yaml") == ["_marked.yaml", "a.yaml"]


def test_a_folder_without_a_stack_is_refused(folder: Folder) -> None:
    with pytest.raises(InputError, match="no stack manifest lies in"):
        discover([folder.path])
    with pytest.raises(InputError, match="neither a file nor a folder"):
        discover([Path(folder.path / "nowhere")])


def test_a_link_that_leads_to_itself_does_no_harm(folder: Folder) -> None:
    folder.stack("a.yaml")
    (folder.path / "loop").symlink_to(folder.path)
    (folder.path / "broken.yaml").symlink_to("nowhere")

    with pytest.raises(InputError, match=r"broken\.yaml does not exist"):
        names(folder)
    (folder.path / "broken.yaml").unlink()

    assert names(folder) == ["a.yaml"]


@pytest.mark.parametrize(
    "bits", [0o000, 0o111, 0o444], ids=["closed", "not to be listed", "not to be entered"]
)
def test_a_folder_that_may_not_be_read_is_passed_over_and_named(folder: Folder, bits: int) -> None:
    """A file system's lost+found, say, or the volume of a container: not ours to say what lies in it."""
    folder.stack("a.yaml")
    folder.stack("z.yaml")
    folder.stack("deep/lost+found/b.yaml")
    folder.write("deep/lost+found/more/c.txt", "")

    with mode(folder.path / "deep/lost+found", bits):
        found = discover([folder.path])

    assert [path.name for path in found.stacks] == ["a.yaml", "z.yaml"]
    assert found.unread == ((folder.path / "deep/lost+found", "Permission denied"),)


def test_a_folder_that_may_not_be_read_is_refused_where_it_is_named(folder: Folder) -> None:
    folder.stack("mine/a.yaml")

    with mode(folder.path / "mine", 0), pytest.raises(InputError) as refused:
        discover([folder.path / "mine"])

    assert refused.value.message == f"{folder.path / 'mine'} cannot be read: Permission denied"


def test_where_no_stack_is_found_the_folders_that_were_not_read_are_named(folder: Folder) -> None:
    folder.stack("mine/a.yaml")

    with mode(folder.path / "mine", 0), pytest.raises(InputError) as refused:
        discover([folder.path])

    assert "no stack manifest lies in" in refused.value.message
    assert f"{folder.path / 'mine'} (Permission denied)" in (refused.value.hint or "")
