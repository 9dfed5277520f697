"""``extends`` and ``--set``: one manifest laid over another, and one field from the command line."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from manifest_samples import FIVE_LINES, ProblemsOf

from provisioner.errors import InputError, ManifestError
from provisioner.manifest import load_manifest, parse_manifest

BASE = """\
version: 1
name: base
provider: aws
region: eu-west-1
tags: {team: ml, env: none}
artifact_stores:
  - name: first
    lifecycle: {noncurrent_days: 30, abort_multipart_days: 3}
  - name: second
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(BASE)
    return path


def problems_of_file(path: Path) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    return [str(problem).replace(f"{path.parent}{os.sep}", "") for problem in caught.value.problems]


def test_a_manifest_is_laid_over_another(base: Path, tmp_path: Path) -> None:
    over = tmp_path / "prod.yaml"
    over.write_text(
        "extends: base.yaml\n"
        "name: prod\n"
        "tags: {env: prod}\n"
        "artifact_stores:\n"
        "  - name: third\n"
        "  - name: first\n"
        "    lifecycle: {noncurrent_days: 365}\n"
    )
    loaded = load_manifest(over)
    manifest = loaded.manifest
    assert (manifest.name, manifest.region, dict(manifest.tags)) == (
        "prod",
        "eu-west-1",
        {"team": "ml", "env": "prod"},
    )
    assert [store.name for store in manifest.artifact_stores] == ["first", "second", "third"]
    lifecycle = manifest.artifact_stores[0].lifecycle
    assert (lifecycle.noncurrent_days, lifecycle.abort_multipart_days) == (365, 3)


def test_the_sources_are_the_file_and_what_it_extends(base: Path, tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    middle, over = tmp_path / "middle.yml", tmp_path / "envs" / "prod.yaml"
    middle.write_text("extends: base.yaml\nname: middle\n")
    over.write_text("extends: ../middle.yml\n")
    loaded = load_manifest(over)
    assert (loaded.manifest.name, loaded.path) == ("middle", over)
    assert [source.path.resolve() for source in loaded.sources] == [over, middle, base]
    assert loaded.sources[2].sha256 == hashlib.sha256(BASE.encode()).hexdigest()


def test_an_error_names_the_file_in_which_the_value_stands(base: Path, tmp_path: Path) -> None:
    base.write_text(BASE.replace("eu-west-1", "Ireland").replace("team: ml", "team: a&b"))
    over = tmp_path / "prod.yaml"
    over.write_text("extends: base.yaml\nname: P\n")
    problems = problems_of_file(over)
    assert [problem.split(": found")[0] for problem in problems] == [
        "prod.yaml:2:7: name",
        "base.yaml:4:9: region",
        "base.yaml:5:14: tags.team",
    ]


def test_files_that_go_round_in_a_circle_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("extends: other.yaml\n" + FIVE_LINES)
    other.write_text("extends: one.yaml\n")
    [problem] = problems_of_file(one)
    assert problem == "other.yaml:1:10: extends: one.yaml is extended already: the files go round in a circle"


def test_at_most_eight_files(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    (tmp_path / "8.yaml").write_text(FIVE_LINES)
    assert load_manifest(tmp_path / "1.yaml").manifest.name == "ml-prod"
    assert problems_of_file(tmp_path / "0.yaml") == [
        "7.yaml:1:10: extends: found more than 8 files; allowed: at most 8"
    ]


def test_a_missing_base_is_told_where_it_is_named_and_nothing_else_is_held_against_the_file(
    tmp_path: Path,
) -> None:
    over = tmp_path / "prod.yaml"
    over.write_text("extends: base.yaml\nname: PROD\n")
    problems = problems_of_file(over)
    assert [problem.split(":")[3] for problem in problems] == [" extends", " name"]
    assert problems[0].startswith("prod.yaml:1:10: extends: base.yaml does not exist")


def test_a_link_that_leads_to_itself_is_a_base_that_cannot_be_read(tmp_path: Path) -> None:
    over, base = tmp_path / "prod.yaml", tmp_path / "base.yaml"
    over.write_text("extends: base.yaml\n")
    base.symlink_to(base)
    [problem] = problems_of_file(over)
    assert problem.startswith("prod.yaml:1:10: extends: base.yaml cannot be read: ")


@pytest.mark.parametrize("value", ["/etc/base.yaml", "base.json", "[base.yaml]", "'a\\b.yaml'"])
def test_what_extends_refuses(value: str, tmp_path: Path) -> None:
    over = tmp_path / "prod.yaml"
    over.write_text(f"extends: {value}\n")
    [problem] = problems_of_file(over)
    assert problem.startswith("prod.yaml:1:10: extends: found ")


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stack.yaml")
    with pytest.raises(InputError, match="is not a file"):
        load_manifest(tmp_path / "stack.yaml")


def test_text_without_a_file_extends_nothing(problems_of: ProblemsOf) -> None:
    assert problems_of("extends: base.yaml\n") == [
        "stack.yaml:1:1: extends: only a file can extend another one"
    ]


# --- --set ----------------------------------------------------------------------------------------------


def test_one_field_by_place_by_name_and_by_key() -> None:
    manifest = parse_manifest(
        FIVE_LINES,
        overrides=[
            "artifact_stores[0].versioning=false",
            "artifact_stores.prod_store.lifecycle.noncurrent_days=30",
            "artifact_stores[prod_store].bucket=acme",
            "tags.team=1.10",
            "tags[cost center]=no",
            "stack={activate: false}",
        ],
    )
    [store] = manifest.artifact_stores
    assert (store.versioning, store.lifecycle.noncurrent_days, store.bucket) == (False, 30, "acme")
    assert dict(manifest.tags) == {"team": "1.10", "cost center": "no"}
    assert manifest.stack.activate is False


def test_the_later_option_wins() -> None:
    assert (
        parse_manifest(FIVE_LINES, overrides=["region=eu-west-2", "region=eu-west-3"]).region == "eu-west-3"
    )


def test_an_empty_value_is_null() -> None:
    assert parse_manifest(FIVE_LINES + "account: '123456789012'\n", overrides=["account="]).account is None


def test_a_whole_list_can_be_set() -> None:
    manifest = parse_manifest(FIVE_LINES, overrides=["artifact_stores=[{name: a}, {name: b}]"])
    assert [store.name for store in manifest.artifact_stores] == ["a", "b"]


def test_overrides_reach_what_was_extended(base: Path) -> None:
    assert (
        load_manifest(base, ["artifact_stores.second.protect=false"]).manifest.artifact_stores[1].protect
        is False
    )


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        (
            "artifact_stores[0].x=1",
            "--set artifact_stores[0].x=…: artifact_stores[0].x: unknown field; allowed: name",
        ),
        (
            "artifact_stores[0].versioning=no",
            "--set artifact_stores[0].versioning=…: artifact_stores[0].versioning: ",
        ),
        ("artifact_stores[1].versioning=true", "artifact_stores has 1 items; the first is [0]"),
        ("artifact_stores.lost.bucket=a", 'artifact_stores has nothing named "lost"; there is: prod_store'),
        ("name.x=1", ["name", "name is no mapping and no list"][1]),
        ("name[0]=1", "name is no mapping and no list"),
        ("tags[0]=1", "tags is no list; allowed: a field's name"),
        ("extends=base.yaml", "extends: cannot be set; allowed: extends in the file itself"),
        ("region", '--set: found "region"; allowed: path=value'),
        ("=x", "allowed: path=value"),
        (".name=x", "allowed: path=value"),
        ("name.=x", "allowed: path=value"),
        ("a" + ".a" * 64 + "=1", "allowed: path=value"),
        ("tags.a=&x b", "--set tags.a=…: tags.a: found an anchor"),
        ("tags.a=*x", "tags.a: found an alias"),
        ("tags.a=!!str b", "tags.a: found a tag"),
        ("tags.a=b\u202e", "tags.a: found U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("tags\u202e.a=b", "allowed: path=value"),
        ("tags={a: b, a: c}", "tags: duplicate key"),
        ("tags=a: b", "found a mapping in block style; allowed: one value, or [..] or {..}"),
        ("tags.a=# b", "found a comment; allowed: a value"),
        ("tags.a=[", "tags.a: not valid YAML"),
        ("name={{ x }}", "name: found a list or mapping as a key"),
    ],
)
def test_options_that_are_refused_name_themselves(option: str, wrong: str, problems_of: ProblemsOf) -> None:
    problems = problems_of(FIVE_LINES + "tags: {}\n", option)
    assert len(problems) == 1, problems
    assert problems[0].startswith("--set")
    assert wrong in problems[0]


def test_an_option_does_not_repeat_a_secret(problems_of: ProblemsOf) -> None:
    [problem] = problems_of(FIVE_LINES, "endpoint_url=http://me:hunter2@host")
    assert "hunter2" not in problem
