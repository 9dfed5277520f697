"""Files and directories as artifacts, and materializers of the user's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workshop import Workshop, environment

from stacks import BaseMaterializer, save_artifact
from stacks.errors import DamagedArtifactError, MaterializerError


def test_a_file_comes_back_as_a_copy_of_its_name(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "model v1.bin").write_bytes(b"\x00" * 5)

    back = save_artifact(tmp_path / "model v1.bin", "model").load()

    assert (back.name, back.read_bytes()) == ("model v1.bin", b"\x00" * 5)
    back.write_bytes(b"changed")  # a copy: the artifact stays as it is
    assert workshop.client.get_artifact_version("model").load().read_bytes() == b"\x00" * 5


def test_a_directory_comes_back_whole(workshop: Workshop, tmp_path: Path) -> None:
    top = tmp_path / "data"
    for name in ("a.txt", "ü/b.txt", "ü/deep/c.txt", ".hidden"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    (top / "empty").mkdir()
    (top / "link.txt").symlink_to(top / "a.txt")

    back = save_artifact(top, "data").load()

    found = sorted(str(path.relative_to(back)) for path in back.rglob("*"))
    assert found == sorted(str(path.relative_to(top)) for path in top.rglob("*"))
    assert (back / "ü" / "deep" / "c.txt").read_text() == "ü/deep/c.txt"
    assert (back / "link.txt").read_text() == "a.txt"


def test_paths_that_cannot_be_stored_are_named(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(MaterializerError, match="nothing is there"):
        save_artifact(tmp_path / "missing", "value")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "up").symlink_to(tmp_path)
    with pytest.raises(MaterializerError, match="link to a directory"):
        save_artifact(tmp_path / "d", "value")
    assert workshop.client.list_artifacts() == []


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..", "", "a\\..\\b", "a\x00b"])
def test_names_that_lead_out_of_the_copy_are_refused(workshop: Workshop, tmp_path: Path, name: str) -> None:
    """The list of files is data: who can write to the store must not choose where files go."""
    from stacks.materializers.paths import _inside

    with pytest.raises(DamagedArtifactError, match="outside of its folder"):
        _inside(name)


def test_copies_are_gone_when_the_process_ends(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    save_artifact(tmp_path / "a.txt", "file")

    program = "from stacks import load_artifact\npath = load_artifact('file')\nprint(path, path.read_text())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment()
    )

    path, text = done.stdout.split()
    assert text == "hello"
    assert not Path(path).parent.exists()


# ---- materializers of one's own -------------------------------------------------------------------------


class Shape:
    """Something with a format of its own."""

    def __init__(self, sides: int) -> None:
        self.sides = sides


class Square(Shape):
    """One of them."""


class ShapeMaterializer(BaseMaterializer):
    """As it is written for the seeds' tool: text, joined paths, the store's own calls."""

    ASSOCIATED_TYPES = (Shape,)

    def save(self, data: Shape) -> None:
        with self.artifact_store.open(os.path.join(self.uri, "sides.txt"), "w") as file:  # noqa: PTH118 - as theirs are written
            file.write(f"{data.sides}\nSeiten: äöü")
        self.artifact_store.copyfile(f"{self.uri}/sides.txt", f"{self.uri}/backup.txt")

    def load(self, data_type: type[Any]) -> Any:
        with self.artifact_store.open(os.path.join(self.uri, "sides.txt"), "r") as file:  # noqa: PTH118
            return data_type(int(file.readline()))

    def extract_metadata(self, data: Shape) -> dict[str, Any]:
        return {"sides": data.sides}


def test_a_custom_materializer_is_found_by_type_and_by_the_types_above(workshop: Workshop) -> None:
    version = save_artifact(Square(4), "shape")

    assert version.materializer == f"{__name__}:ShapeMaterializer"
    assert version.metadata == {"sides": 4}
    assert set(version.record.files) == {"sides.txt", "backup.txt"}  # what went another way counts, too
    back = version.load()
    assert (type(back), back.sides) == (Square, 4)
    assert save_artifact([Shape(3)], "shapes").load()[0].sides == 3


def test_files_of_a_custom_materializer_are_compared_before_they_are_read(workshop: Workshop) -> None:
    version = save_artifact(Square(4), "shape")
    (workshop.root / version.record.path / "sides.txt").write_text("5\n")

    with pytest.raises(DamagedArtifactError, match=r"sides\.txt is not what was stored"):
        version.load()


def test_a_materializer_that_is_not_imported_is_named(workshop: Workshop, tmp_path: Path) -> None:
    version = save_artifact(Square(4), "shape")
    path = workshop.root / f".records/artifacts/shape/{version.version}.json"
    record = json.loads(
        path.read_text().replace(f"{__name__}:ShapeMaterializer", "elsewhere:ShapeMaterializer")
    )
    from stacks.artifacts.records import parse_artifact

    with pytest.raises(DamagedArtifactError, match="digest"):  # the materializer is part of the content
        parse_artifact(json.dumps(record).encode(), str(path))
    from stacks.materializers.registry import materializer_named

    with pytest.raises(MaterializerError, match="not imported here") as caught:
        materializer_named("elsewhere:ShapeMaterializer")
    assert "from elsewhere import ShapeMaterializer" in str(caught.value.hint)


def test_a_write_that_fails_leaves_no_file(workshop: Workshop) -> None:
    class Failing(BaseMaterializer):
        def save(self, data: Any) -> None:
            with self.artifact_store.open(f"{self.uri}/half.txt", "w") as file:
                file.write("half")
                raise ZeroDivisionError

        def load(self, data_type: type[Any]) -> Any:
            raise NotImplementedError

    with pytest.raises(ZeroDivisionError):
        save_artifact(1, "value", materializer=Failing)

    assert workshop.files() == []
    assert workshop.client.list_artifacts() == []


class Silent(BaseMaterializer):
    """Writes elsewhere, or nothing."""

    def save(self, data: Any) -> None:
        self.nothing = data

    def load(self, data_type: type[Any]) -> Any:
        raise NotImplementedError


def test_a_materializer_that_writes_nothing_is_refused(workshop: Workshop) -> None:
    with pytest.raises(MaterializerError, match="wrote nothing below"):
        save_artifact(1, "value", materializer=Silent)


def test_what_is_no_type_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(MaterializerError, match="no type"):
        type("Wrong", (BaseMaterializer,), {"ASSOCIATED_TYPES": ("Shape",)})
