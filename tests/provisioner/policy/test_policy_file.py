"""The policy file: where it is found, its mistakes, its schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from provisioner.errors import InputError, ManifestError
from provisioner.policy import find_policy, json_schema, load_policy, policy_for


def test_it_is_found_beside_the_manifest_or_above_up_to_the_repository(tmp_path: Path) -> None:
    deep = tmp_path / "repository" / "stacks" / "prod"
    deep.mkdir(parents=True)
    (tmp_path / "policy.yaml").write_text("version: 1\n")
    assert find_policy(deep) is None
    (tmp_path / "repository" / ".git").mkdir()
    assert find_policy(deep) is None  # that of a folder above the repository is somebody else's
    (tmp_path / "repository" / "policy.yaml").write_text("version: 1\n")
    assert find_policy(deep) == tmp_path / "repository" / "policy.yaml"
    (deep / "policy.yaml").write_text("version: 1\n")
    assert find_policy(deep) == deep / "policy.yaml"


def test_a_named_policy_comes_before_one_that_is_found(tmp_path: Path) -> None:
    named = tmp_path / "named.yaml"
    named.write_text("version: 1\n")
    (tmp_path / "policy.yaml").write_text("version: 1\n")

    assert policy_for(tmp_path, environ={"PROVISION_POLICY": str(named)}) == load_policy(named)
    with pytest.raises(InputError, match="does not exist"):
        policy_for(tmp_path, environ={"PROVISION_POLICY": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules: {}", "1:1: version: required field is missing"),
        ("version: 2", '1:10: version: found "2"; allowed: 1'),
        ("version: 1\nruels: {}", '2:1: ruels: unknown field (did you mean "rules"?)'),
        ("version: 1\nrules: {region: deny}", '2:9: rules.region: unknown field (did you mean "regions"?)'),
        (
            "version: 1\nrules: {protected: {lvl: deny}}",
            '2:21: rules.protected.lvl: unknown field (did you mean "level"?)',
        ),
        ("version: 1\nrules: {regions: deny}", "2:18: rules.regions.allowed: required field is missing"),
        (
            "version: 1\nrules: {protected: never}",
            '2:20: rules.protected.level: found "never"; allowed: deny, warn, off',
        ),
        (
            "version: 1\nrules: {profile: {minimum: stric}}",
            '2:28: rules.profile.minimum: found "stric"; allowed: baseline, strict (did you mean "strict"?)',
        ),
        (
            "version: 1\nrules: {regions: {allowed: eu}}",
            '2:28: rules.regions.allowed: found "eu"; allowed: a list',
        ),
        ("version: 1\nrules: {regions: {allowed: []}}", "2:28: rules.regions.allowed: found a list"),
        (
            "version: 1\nrequire_signature: [x]",
            "2:21: require_signature[0]: that is not a public Ed25519 key",
        ),
        ("- x", "1:1: found a list; allowed: a mapping with version and rules"),
        ("version: 1\nversion: 1", "2:1: version: duplicate key, first in line 1; allowed: each key once"),
        ("version: &a 1", "1:10: version: found an anchor (&a); allowed: values without anchors"),
        ("", "the file is empty"),
    ],
)
def test_a_mistake_in_it_is_told_at_its_place(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "policy.yaml").write_text(text)

    with pytest.raises(ManifestError) as refused:
        load_policy(tmp_path / "policy.yaml")

    assert expected in str(refused.value).replace(f"{tmp_path}/policy.yaml:", "")


def test_the_schema_takes_what_the_program_takes(tmp_path: Path) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    good = {
        "version": 1,
        "rules": {
            "protected": "deny",
            "regions": {"allowed": ["eu-*"], "exempt": ["x"]},
            "checkov": {"level": "off"},
        },
    }
    assert list(validator.iter_errors(good)) == []
    assert list(validator.iter_errors({"version": 1, "rules": {"protected": "never"}}))
    assert list(validator.iter_errors({"version": 1, "rules": {"unknown": "deny"}}))
    for name, rule in schema["$defs"]["Rules"]["properties"].items():
        assert rule["description"], name
        example = rule["examples"][0]
        assert list(validator.iter_errors({"version": 1, "rules": {name: example}})) == []
        (tmp_path / "policy.yaml").write_text(json.dumps({"version": 1, "rules": {name: example}}))
        load_policy(tmp_path / "policy.yaml")


def test_the_page_shows_a_policy_that_holds_and_tells_every_rule(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "gitops.md").read_text()
    told = page.split("## Policy")[1]
    (tmp_path / "policy.yaml").write_text(told.split("```yaml\n")[1].split("```")[0])

    load_policy(tmp_path / "policy.yaml")

    rules = set(json_schema()["$defs"]["Rules"]["properties"])
    rows = re.findall(r"^\| (`.*?`) \|", told.split("\n## ")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == rules
