"""Names and texts that are odd, and legal: what is stored can be read, and what could not be is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from sample_pipeline import load, ran, training_pipeline
from workshop import Workshop

from stacks import BaseMaterializer, pipeline, save_artifact, step
from stacks.artifacts import layout
from stacks.errors import ArtifactNotFoundError, DamagedArtifactError, InvalidNameError, MaterializerError

ESCAPED = "a\\x2db.mount"  # as systemd calls its files
LATIN = os.fsdecode(b"gr\xf6\xdfe.txt")  # as an old disk calls them
ODD = (ESCAPED, LATIN, "line\nbreak", "tab\t", f"deep/{ESCAPED}/x", f"deep/{LATIN}", "plain.txt")


def folder(top: Path, *names: str) -> Path:
    """A folder with these files, each with its name in it."""
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(os.fsencode(name))
    return top


def contents(top: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(one.relative_to(top)): one.read_bytes() for one in top.rglob("*") if one.is_file()}


# ---- names of files -------------------------------------------------------------------------------------


def test_files_with_odd_names_come_back(workshop: Workshop, tmp_path: Path) -> None:
    top = folder(tmp_path / "top", *ODD)
    (top / "empty\\" / LATIN).mkdir(parents=True)

    version = save_artifact(top, "odd")

    assert contents(version.load()) == contents(top)
    assert (version.load() / "empty\\" / LATIN).is_dir()
    # Not every store takes such names: there the files have numbers.
    assert all(name.isprintable() and "\\" not in name for name in version.record.files)
    assert workshop.client.get_artifact_version("odd").verify() is None


@pytest.mark.parametrize("name", [ESCAPED, LATIN])
def test_a_file_or_a_folder_that_is_itself_called_so(workshop: Workshop, tmp_path: Path, name: str) -> None:
    file = folder(tmp_path, name) / name
    top = folder(tmp_path / "in" / name, "a.txt")

    assert save_artifact(file, "file").load().name == name
    assert (save_artifact(top, "top").load().name, contents(save_artifact(top, "top").load())) == (
        name, {"a.txt": b"a.txt"},
    )  # fmt: skip


def test_what_was_stored_under_such_a_name_before_can_be_read(workshop: Workshop, tmp_path: Path) -> None:
    version = save_artifact(folder(tmp_path / "top", "a.mount"), "old")
    home = workshop.root / version.record.path
    (home / "content" / "a.mount").rename(home / "content" / ESCAPED)
    from dataclasses import replace

    from stacks.artifacts.records import artifact_json
    from stacks.materializers.files import ArtifactFiles

    (home / "path.json").write_text(
        (home / "path.json").read_text().replace('"a.mount"', json.dumps(ESCAPED))
    )
    files = ArtifactFiles(workshop.store, version.uri).account()
    (workshop.root / layout.record("old", 1)).write_bytes(artifact_json(replace(version.record, files=files)))

    assert contents(workshop.client.get_artifact_version("old").load()) == {ESCAPED: b"a.mount"}


class Escaping(BaseMaterializer):
    """Writes where nobody may read."""

    def save(self, data: Any) -> None:
        with self.artifact_store.open(f"{self.uri}/{data}", "w") as file:
            file.write("x")

    def load(self, data_type: type[Any]) -> Any:
        raise NotImplementedError


def test_a_file_that_could_not_be_read_is_not_stored(workshop: Workshop) -> None:
    with pytest.raises(MaterializerError, match="leads out of its folder"):
        save_artifact("a\\..\\..\\b", "value", materializer=Escaping)

    assert workshop.client.list_artifacts() == []
    assert workshop.files() == []


# ---- texts ----------------------------------------------------------------------------------------------


def test_an_error_with_half_a_character_is_the_one_that_is_heard(workshop: Workshop) -> None:
    @step
    def read() -> None:
        raise FileNotFoundError(f"cannot read {LATIN}")

    with pytest.raises(FileNotFoundError, match="cannot read"):
        pipeline(name="p")(read)()

    run = workshop.client.get_pipeline_run("p")
    assert (run.status, run.steps["read"].status) == ("failed", "failed")
    assert run.error is not None
    assert run.error.message == "cannot read gr\\udcf6\\udcdfe.txt"


def test_an_error_that_cannot_say_what_it_is(workshop: Workshop) -> None:
    class Mute(Exception):  # noqa: N818 - it is not ours
        def __str__(self) -> str:
            raise ValueError("no words")

    @step
    def fail() -> None:
        raise Mute

    with pytest.raises(Mute):
        pipeline(name="p")(fail)()

    run = workshop.client.get_pipeline_run("p")
    assert (run.status, run.error and "no words" in run.error.message) == ("failed", True)


def test_parameters_tags_and_outputs_may_be_names_of_files(workshop: Workshop) -> None:
    @step
    def name(path: str) -> Annotated[str, "name"]:
        return path

    made = pipeline(name="p", tags=[LATIN])(name)(LATIN)

    run = workshop.client.get_pipeline_run("p", made.name)
    assert (run.steps["name"].parameters, run.tags) == ({"path": LATIN}, (LATIN,))
    assert run.steps["name"].output.load() == LATIN
    assert pipeline(name="p")(name)(LATIN).steps["name"].status == "cached"


def test_records_can_be_read_by_people(workshop: Workshop) -> None:
    made = training_pipeline.with_options(tags=["größe"])()

    text = (workshop.root / layout.run("training_pipeline", made.name)).read_text()
    assert "größe" in text


# ---- names of artifacts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [110, 130])
def test_an_artifact_whose_name_would_be_too_long_is_refused_before_anything_runs(
    workshop: Workshop, length: int
) -> None:
    ran.clear()

    @pipeline(name="p" * length)
    def long() -> None:
        load()
        load(id="s" * length)

    with pytest.raises(InvalidNameError, match="200 is the most") as caught:
        long()

    assert "Annotated" in str(caught.value.hint)
    assert ran == []
    assert workshop.client.list_pipeline_runs().total == 0


def test_an_output_with_a_name_of_its_own_needs_no_short_step(workshop: Workshop) -> None:
    @step(name="s" * 110)
    def one() -> Annotated[int, "mine"]:
        return 1

    made = pipeline(name="p" * 110)(one)()

    assert workshop.client.get_artifact_version("mine").producer_step is not None
    assert made.steps["s" * 110].output.load() == 1


# ---- one that is damaged --------------------------------------------------------------------------------


def harm(workshop: Workshop, key: str) -> None:
    """Half of a file."""
    path = workshop.root / key
    path.write_text(path.read_text()[:40])


def test_one_damaged_artifact_does_not_stop_the_pruning_of_others(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    run = training_pipeline()
    workshop.client.delete_pipeline_run("training_pipeline", run.name)
    harm(workshop, layout.record("my_model", 1))
    save_artifact(1, "n")
    (workshop.root / layout.record("n", 1)).unlink()
    harm(workshop, layout.claim("n", 1))

    found = workshop.client.prune_artifacts()

    assert [one.name for one in found.unused] == ["training_pipeline::load::output"]
    assert layout.record("my_model", 1) in caplog.text
    assert layout.claim("n", 1) in caplog.text
    assert workshop.files("training_pipeline/load") == []
    assert workshop.files("training_pipeline/train") != []  # nobody knows who needs it


def test_a_damaged_artifact_can_be_deleted_by_force(workshop: Workshop) -> None:
    training_pipeline()
    harm(workshop, layout.record("my_model", 1))
    delete: Callable[..., None] = workshop.client.delete_artifact_version

    with pytest.raises(DamagedArtifactError):
        delete("my_model", 1)
    delete("my_model", 1, force=True)

    assert workshop.files("training_pipeline/train") == []
    with pytest.raises(ArtifactNotFoundError):
        workshop.client.get_artifact_version("my_model", 1)
