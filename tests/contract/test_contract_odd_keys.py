"""Keys that other programs write into a bucket: one that no path can name must not spoil the rest."""

from __future__ import annotations

import pytest
from contract_rigs import Scene

ODD = ["a//b", "/lead", "x/../y", "./dot", "tab\there", "end/", "a//"]


@pytest.fixture
def odd(s3: Scene) -> Scene:
    s3.rig.needs("odd keys")
    for key in (*ODD, "plain", "folder/plain"):
        s3.put(key)
    return s3


def test_odd_keys_do_not_break_a_listing(odd: Scene, caplog: pytest.LogCaptureFixture) -> None:
    assert odd.store.listdir(odd.store.path) == ["a", "end", "folder", "plain", "tab\there", "x"]
    walked = {directory: files for directory, _, files in odd.store.walk(odd.store.path)}
    assert walked[odd.store.path] == ["plain", "tab\there"]
    assert odd.store.glob(odd.at("**/plain")) == [odd.at("folder/plain"), odd.at("plain")]
    assert "not shown" in caplog.text


@pytest.mark.parametrize("name", ["tab\there", "line\nbreak", "\x7f"])
def test_keys_with_control_letters_are_files_like_others(s3: Scene, name: str) -> None:
    if name != "tab\there":
        s3.rig.needs("keys with line breaks")
    path = s3.put(name)
    assert s3.store.exists(path)
    assert s3.store.listdir(s3.store.path) == [name]
    assert s3.store.read_many([path]) == [b"content"]
    with s3.store.open(path, "a") as file:
        file.write("!")
    s3.store.copyfile(path, s3.at(f"new{name}"))
    s3.store.rename(s3.at(f"new{name}"), s3.at("line"))
    assert s3.get("line") == b"content!"
    s3.store.rmtree(s3.store.path)
    assert s3.files() == []


def test_rmtree_leaves_no_odd_key_behind(odd: Scene) -> None:
    odd.store.rmtree(odd.store.path)
    assert [key for key in odd.rig.outside.files() if key.startswith(odd.prefix)] == []


def test_an_empty_file_in_a_listing_is_no_directory(s3: Scene) -> None:
    s3.rig.needs("directory markers")
    s3.put("empty", b"")
    s3.put("marked/", b"")
    entries = list(s3.store.walk(s3.store.path))
    assert entries == [(s3.store.path, ["marked"], ["empty"]), (s3.at("marked"), [], [])]
    assert s3.store.isdir(s3.at("marked"))
    assert s3.store.listdir(s3.at("marked")) == []
