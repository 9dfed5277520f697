"""How the YAML of a manifest is read: by YAML 1.2, with places, and without surprises for a reviewer."""

from __future__ import annotations

from pathlib import Path

import pytest
from manifest_samples import FIVE_LINES, ProblemsOf

from provisioner.errors import InputError, ManifestError
from provisioner.manifest import load_manifest, parse_manifest


def test_text_stays_as_it_was_written() -> None:
    tags = "tags: {country: no, version: 1.10, time: 22:30, octal: 0o17, answer: true, hex: 0x1F, exp: 1e3}\n"
    assert dict(parse_manifest(FIVE_LINES + tags).tags) == {
        "country": "no",
        "version": "1.10",
        "time": "22:30",
        "octal": "0o17",
        "answer": "true",
        "hex": "0x1F",
        "exp": "1e3",
    }


def test_an_account_with_leading_zeros_needs_no_quotes() -> None:
    assert parse_manifest(FIVE_LINES + "account: 012345678901\n").account == "012345678901"


@pytest.mark.parametrize("word", ["true", "True", "TRUE"])
def test_truth_values_are_those_of_yaml_1_2(word: str) -> None:
    assert (
        parse_manifest(FIVE_LINES + f"    existing: false\n    versioning: {word}\n")
        .artifact_stores[0]
        .versioning
    )


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("no", 'found "no"; allowed: true or false'),
        ("yes", 'found "yes"; allowed: true or false'),
        ("1", 'found "1"; allowed: true or false'),
        ('"true"', 'found the text "true"; allowed: true or false, without quotes'),
        ("null", "found null; allowed: true or false"),
        ("[true]", "found a list; allowed: true or false"),
        ("{a: b}", "found a mapping; allowed: true or false"),
    ],
)
def test_what_is_no_truth_value(written: str, wrong: str, problems_of: ProblemsOf) -> None:
    assert problems_of(FIVE_LINES + f"    protect: {written}\n") == [
        f"stack.yaml:7:14: artifact_stores[0].protect: {wrong}"
    ]


@pytest.mark.parametrize(
    ("written", "days"), [("30", 30), ("0x1E", 30), ("0o36", 30), ("+30", 30), ("~", None)]
)
def test_whole_numbers_and_null(written: str, days: int | None) -> None:
    manifest = parse_manifest(FIVE_LINES + f"    lifecycle: {{noncurrent_days: {written}}}\n")
    assert manifest.artifact_stores[0].lifecycle.noncurrent_days == days


@pytest.mark.parametrize("written", ["1_000", "1e1", "30.0", '"30"', "030d", "true", "9" * 400])
def test_what_is_no_whole_number(written: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(FIVE_LINES + f"    lifecycle: {{noncurrent_days: {written}}}\n")
    assert problem.startswith("stack.yaml:7:34: artifact_stores[0].lifecycle.noncurrent_days: found ")
    assert "allowed: a whole number" in problem


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (
            "region: &r eu-west-1",
            "stack.yaml:7:9: region: found an anchor (&r); allowed: values without anchors",
        ),
        ("region: *r", "stack.yaml:7:9: region: found an alias (*r); allowed: each value written out"),
        (
            "region: !!str eu-west-1",
            "stack.yaml:7:9: region: found a tag (tag:yaml.org,2002:str); allowed: ",
        ),
        (
            "region: !evil eu-west-1",
            "stack.yaml:7:9: region: found a tag (!evil); allowed: values without tags",
        ),
        (
            "<<: {region: eu-west-1}",
            "stack.yaml:7:1: found a merge key (<<); allowed: each value written out",
        ),
        ("[region]: eu-west-1", "stack.yaml:7:1: found a list or mapping as a key; allowed: text"),
        (
            "region: a\n---\nregion: b",
            "stack.yaml:8:1: found a second document; allowed: one document in a file",
        ),
        ("region: a: b", "stack.yaml:7:10: not valid YAML: mapping values are not allowed here"),
        ("region: [a", "stack.yaml:8:1: not valid YAML: while parsing a flow sequence expected ',' or ']'"),
        ("name: again", "stack.yaml:7:1: name: duplicate key, first in line 2; allowed: each key once"),
    ],
)
def test_what_yaml_has_and_a_manifest_has_not(line: str, wrong: str, problems_of: ProblemsOf) -> None:
    text = FIVE_LINES.replace("region: eu-west-1\n", "tags: {}\n") + line + "\n"
    assert any(problem.startswith(wrong) for problem in problems_of(text)), problems_of(text)


def test_a_directive_is_refused(problems_of: ProblemsOf) -> None:
    [problem] = problems_of("%YAML 1.1\n---\n" + FIVE_LINES)
    assert problem == "stack.yaml:2:1: found a % directive; allowed: YAML 1.2 without directives"


@pytest.mark.parametrize(
    ("text", "found"), [("", "empty"), ("# only words\n", "empty"), ("- a\n", "a list"), ("a", '"a"')]
)
def test_what_is_no_mapping(text: str, found: str, problems_of: ProblemsOf) -> None:
    [problem] = problems_of(text)
    assert problem.startswith("stack.yaml:1:1: ")
    assert found in problem


def test_a_byte_order_mark_at_the_start_is_taken_off(tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + FIVE_LINES.encode())
    assert load_manifest(file).manifest.name == "ml-prod"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_only_utf_8_is_read(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "stack.yaml"
    file.write_bytes((FIVE_LINES + "# für\n").encode(encoding))
    with pytest.raises(ManifestError, match="which is not UTF-8"):
        load_manifest(file)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("tags: {a: b\u202e}\n", "7:12: tags.a: found U+202E RIGHT-TO-LEFT OVERRIDE at character 2"),
        ('tags: {a: "b\\u202E"}\n', "7:11: tags.a: found U+202E RIGHT-TO-LEFT OVERRIDE at character 2"),
        ("tags: {a\u200b: b}\n", "7:9: tags: found U+200B ZERO WIDTH SPACE at character 2"),
        ("tags: {a: b} # \u2066 hidden\n", "7:16: found U+2066 LEFT-TO-RIGHT ISOLATE; allowed"),
        ("tags: {a: b\0}\n", "7:12: found U+0000 NULL; allowed: printable characters"),
        ("tags: {a: b\u0085}\n", "7:12: found U+0085"),
        ('tags: {a: "b\\0"}\n', "7:11: tags.a: found U+0000 NULL at character 2"),
        ('tags: {a: "b\\n"}\n', "7:11: tags.a: found U+000A LINE FEED at character 2"),
        ('tags: {a: "\\ud800"}\n', "7:11: tags.a: found U+D800"),
        ("tags: {a: b\u00a0c}\n", "7:12: tags.a: found U+00A0 NO-BREAK SPACE at character 2"),
        ("tags: {a: b\ufe0f}\n", "7:12: tags.a: found U+FE0F VARIATION SELECTOR-16 at character 2"),
    ],
)
def test_characters_that_hide_are_named_at_their_place(
    text: str, wrong: str, problems_of: ProblemsOf
) -> None:
    [problem] = problems_of(FIVE_LINES + text)
    assert problem.startswith(f"stack.yaml:{wrong}")


def test_other_scripts_are_welcome_where_a_cloud_takes_them() -> None:
    assert (
        parse_manifest(FIVE_LINES + "tags: {Gruppe: Übung, チーム: 機械学習}  # שלום\n").tags["チーム"]
        == "機械学習"
    )


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.yaml does not exist"):
        load_manifest(tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="is not a file"):
        load_manifest(tmp_path)
