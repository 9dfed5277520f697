"""Files that a user names for what we write, where they cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_modes import mode

from provisioner.errors import InputError
from provisioner.output_files import check_folder, check_output, write_output


def test_a_check_makes_the_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    check_output(tmp_path / "deep/er/r.json")

    assert list((tmp_path / "deep/er").iterdir()) == []


def test_a_check_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("before")

    check_output(tmp_path / "r.json")

    assert (tmp_path / "r.json").read_text() == "before"


def test_a_link_that_leads_to_nothing_yet_is_a_file_to_be(tmp_path: Path) -> None:
    (tmp_path / "r.json").symlink_to("other.json")

    check_output(tmp_path / "r.json")
    write_output(tmp_path / "r.json", "now")

    assert (tmp_path / "other.json").read_text() == "now"


@pytest.mark.parametrize(
    ("place", "said", "hint"),
    [
        ("file/r.json", "Not a directory", "what should be its folder is a file"),
        ("file/deep/r.json", "Not a directory", "what should be its folder is a file"),
        ("folder", "Is a directory", "name a file in it"),
        ("closed/r.json", "Permission denied", "check the owner and the mode"),
        ("closed/deep/r.json", "Permission denied", "check the owner and the mode"),
        ("mine.json", "Permission denied", "check the owner and the mode"),
        ("x" * 300, "File name too long", "name a shorter one"),
    ],
)
def test_what_cannot_be_written_is_found_before_and_is_an_error_of_the_line(
    tmp_path: Path, place: str, said: str, hint: str
) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("folder", "closed"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mine.json").write_text("before")

    for attempt in (check_output, lambda path: write_output(path, "after")):
        with (
            mode(tmp_path / "closed", 0o555),
            mode(tmp_path / "mine.json", 0o444),
            pytest.raises(InputError) as refused,
        ):
            attempt(tmp_path / place)
        assert refused.value.message.startswith(f"{tmp_path / place} cannot be written: {said}")
        assert hint in (refused.value.hint or "")


def test_a_full_disk_is_found_as_well_as_it_can_be(tmp_path: Path) -> None:
    """Linux has a device that is always full; a check does not touch a device."""
    (tmp_path / "r.json").symlink_to("/dev/full")

    check_output(tmp_path / "r.json")
    with pytest.raises(InputError, match="No space left on device") as refused:
        write_output(tmp_path / "r.json", "x")

    assert "make room" in (refused.value.hint or "")


def test_a_folder_that_is_none_takes_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for place, said in (("file", "Not a directory"), ("nowhere", "No such file or directory")):
        with pytest.raises(InputError, match=said):
            check_folder(tmp_path / place)
