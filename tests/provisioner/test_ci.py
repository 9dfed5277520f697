"""What `provision init --ci` writes: valid for its system, careful with permissions, and sound as shell."""

from __future__ import annotations

import ast
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from provisioner import __version__
from provisioner.catalog import PROVIDERS
from provisioner.ci import SYSTEMS, ci_files, repository_of, write_ci
from provisioner.cli import cli
from provisioner.cli.run import run
from provisioner.errors import InputError

SCHEMAS = {
    ".github/workflows/stacks.yml": "vendor.github-workflows",
    ".github/workflows/stacks-drift.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}
CHOICES = [("local",), *((name,) for name in PROVIDERS if name != "local"), tuple(PROVIDERS)]


def files(system: str, providers: tuple[str, ...] = ("aws",), stacks: str = "stacks") -> dict[str, str]:
    """The files of a system."""
    return ci_files(system, stacks=stacks, providers=providers)


def workflows(providers: tuple[str, ...] = ("aws",)) -> dict[str, Any]:
    """GitHub's workflows, parsed; `on` is a word of YAML 1.1."""
    return {
        Path(name).stem: {
            ("on" if key is True else key): value for key, value in yaml.safe_load(text).items()
        }
        for name, text in files("github", providers).items()
    }


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of every job of every provider."""
    for providers in CHOICES:
        for workflow in workflows(providers).values():
            for name, job in workflow["jobs"].items():
                yield from ((name, step) for step in job["steps"])


@pytest.mark.parametrize("stacks", [".", "infra/stacks", "odd name: #'\"x"])
def test_each_file_is_what_its_system_takes(tmp_path: Path, stacks: str) -> None:
    by_schema: dict[str, list[str]] = {}
    for number, (system, providers) in enumerate(itertools.product(SYSTEMS, CHOICES)):
        for path, text in files(system, providers, stacks).items():
            assert "[[" not in text
            assert "[%" not in text
            if path.endswith(".py"):
                ast.parse(text)
                continue
            target = tmp_path / f"{number}-{Path(path).name}"
            target.write_text(text)
            by_schema.setdefault(SCHEMAS[path], []).append(str(target))
    for schema, targets in by_schema.items():
        check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *targets]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_permitted_that_is_not_needed() -> None:
    for workflow in workflows().values():
        assert workflow["permissions"] == {}
    jobs = workflows()["stacks"]["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "plan": {"contents": "read", "id-token": "write", "pull-requests": "write"},
        "reviewed": {"actions": "read", "contents": "read", "pull-requests": "read"},
        "apply": {"actions": "read", "contents": "read", "id-token": "write"},
    }
    (drift,) = workflows()["stacks-drift"]["jobs"].values()
    assert drift["permissions"] == {"contents": "read", "id-token": "write", "issues": "write"}


def test_only_the_apply_may_change_anything_and_only_on_merge() -> None:
    workflow = workflows()["stacks"]

    assert set(workflow["on"]) == {"pull_request", "push"}
    assert workflow["on"]["push"]["branches"] == ["main"]
    apply = workflow["jobs"]["apply"]
    assert apply["environment"] == "production"
    assert apply["needs"] == "reviewed"
    assert workflow["jobs"]["reviewed"]["if"] == "github.event_name == 'push'"
    assert apply["concurrency"] == {"group": "stack-${{ matrix.stack }}", "cancel-in-progress": False}
    assert "AWS_APPLY_ROLE" in json.dumps(apply)
    assert "AWS_APPLY_ROLE" not in json.dumps(workflow["jobs"]["plan"])


def test_actions_have_versions_and_checkouts_keep_no_token() -> None:
    used = [step for _, step in steps() if "uses" in step]

    assert used
    for step in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|[0-9a-f]{40})", step["uses"])
        if step["uses"].startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_expression_becomes_part_of_a_script() -> None:
    for _, step in steps():
        assert "${{" not in step.get("run", "")


def test_the_product_is_pinned_with_the_extras_of_the_providers() -> None:
    assert (
        f"pip install 'stack-provisioner=={__version__}'"
        in files("github", ("local",))[".github/workflows/stacks.yml"]
    )
    text = files("gitlab", ("aws", "local"))[".gitlab-ci.yml"]
    assert f"'stack-provisioner[engine,{PROVIDERS['aws'].extra}]=={__version__}'" in text


def test_scripts_are_sound(tmp_path: Path) -> None:
    """ShellCheck over each script once."""
    scripts = {step["run"] for _, step in steps() if "run" in step}
    gitlab = yaml.safe_load(files("gitlab", tuple(PROVIDERS))[".gitlab-ci.yml"])
    for job in (".provision", "plan", "apply", "drift"):
        scripts |= {*gitlab[job].get("script", ()), *gitlab[job].get("before_script", ())}
    names = []
    for number, script in enumerate(sorted(scripts)):
        target = tmp_path / f"{number}.sh"
        target.write_text(f"#!/usr/bin/env bash\n{script}\n")
        names.append(str(target))

    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        # SC2016: what looks like a variable in single quotes is jq's.
        [shellcheck, "--exclude=SC2016", *names],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_files_that_are_there_are_not_overwritten(tmp_path: Path) -> None:
    made = files("github")
    write_ci(made, tmp_path)
    assert len(write_ci(made, tmp_path)) == 2
    (tmp_path / ".github/workflows/stacks.yml").write_text("name: mine\n")

    with pytest.raises(InputError, match="already there"):
        write_ci(made, tmp_path)
    assert (tmp_path / ".github/workflows/stacks.yml").read_text() == "name: mine\n"


def test_the_repository_is_found_from_below(tmp_path: Path) -> None:
    (tmp_path / "repository/.git").mkdir(parents=True)
    (tmp_path / "repository/infra/deep").mkdir(parents=True)

    assert repository_of(tmp_path / "repository/infra/deep") == tmp_path / "repository"
    assert repository_of(tmp_path / "alone") == tmp_path / "alone"


def crosses(pattern: str) -> re.Pattern[str]:
    """What GitLab's pattern matches: Ruby's File.fnmatch? with FNM_PATHNAME, FNM_DOTMATCH and FNM_EXTGLOB.

    There only ``**/`` crosses folders, and none at all is enough.
    """
    parts = re.split(r"(\*\*/|\*+)", pattern)
    return re.compile(
        "".join(
            "(?:[^/]+/)*" if part == "**/" else "[^/]*" if part[:1] == "*" else re.escape(part)
            for part in parts
        )
    )


@pytest.mark.parametrize(
    ("stacks", "changed"),
    [
        (".", ["a.yaml", "team/a.yml", "team/deep/policy.yaml"]),
        (
            "infra/stacks",
            ["infra/stacks/a.yaml", "infra/stacks/team/deep/a.yaml", "policy.yaml", "infra/policy.yaml"],
        ),
        ("infra/stacks", ["shared/_base.yaml"]),
    ],
)
def test_whatever_changes_a_stack_starts_the_pipeline(stacks: str, changed: list[str]) -> None:
    made = ci_files("gitlab", stacks=stacks, providers=["aws"], outside=["shared/_base.yaml"])
    for job in ("plan", "apply"):
        for rule in yaml.safe_load(made[".gitlab-ci.yml"])[job]["rules"]:
            for path in changed:
                if "changes" in rule:
                    assert any(crosses(pattern).fullmatch(path) for pattern in rule["changes"]), (job, path)
    github = yaml.safe_load(
        ci_files("github", stacks=stacks, providers=["aws"], outside=["shared/_base.yaml"])[
            ".github/workflows/stacks.yml"
        ]
    )[True]
    for event in ("pull_request", "push"):
        for path in changed:
            # There a ** crosses folders wherever it stands.
            found = [
                pattern
                for pattern in github[event]["paths"]
                if re.fullmatch(re.escape(pattern).replace(r"\*\*", ".*"), path)
            ]
            assert found, (event, path)


def test_a_base_outside_the_folder_starts_the_pipeline_too(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "_base.yaml").write_text("version: 1\nprovider: local\nartifact_stores: [{name: main}]\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "one.yaml").write_text("extends: ../_base.yaml\nname: one\n")
    assert run(cli, ["init", str(tmp_path / "stacks"), "--ci", "gitlab"], "provision") == 0
    made = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())
    assert made["apply"]["rules"][0]["changes"] == ["stacks/**/*", "policy.yaml", "_base.yaml"]
