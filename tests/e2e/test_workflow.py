"""The workflow of `init --ci github`, run for real: git, Terraform, every shell step; only `gh` is a stub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow import Job, StepError
from world import World

STUB = Path(__file__).parents[1] / "support" / "stub-gh"
SETUP = ("actions/checkout@", "actions/setup-python@", "hashicorp/setup-terraform@")


@dataclass
class Repository:
    """A repository at GitHub, as far as the workflow sees it."""

    world: World
    folder: Path
    tools: Path
    number: int = 0

    # --- git ------------------------------------------------------------------------------------------

    def git(self, *words: str) -> str:
        """Run git in the work tree."""
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *who, *words], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def stack(self, name: str, *, activate: bool = True, **store: Any) -> None:
        """Write a stack."""
        document = {
            "version": 1,
            "name": name,
            "provider": "local",
            "artifact_stores": [{"name": f"{name}_store", "protect": False, **store}],
            "stack": {"activate": activate},
        }
        path = self.folder / "stacks" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")

    def commit(self) -> str:
        """Commit everything; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "something")
        return self.git("rev-parse", "HEAD")

    # --- GitHub ---------------------------------------------------------------------------------------

    @property
    def _state(self) -> Path:
        return self.folder.parent / "github.json"

    def github(self) -> dict[str, list[dict[str, Any]]]:
        """What lies at GitHub."""
        found: dict[str, list[dict[str, Any]]] = json.loads(self._state.read_text())
        return found

    def change(self, kind: str, value: dict[str, Any]) -> None:
        """Add something at GitHub."""
        state = self.github()
        state[kind].append(value)
        self._state.write_text(json.dumps(state))

    def plan(self) -> str:
        """A pull request of what is committed here is planned; its head."""
        self.number += 1
        head = self.git("rev-parse", "HEAD")
        self.job(
            "stacks",
            "plan",
            {
                "github.event.pull_request.number": str(self.number),
                "github.event.pull_request.head.sha": head,
                "github.event.pull_request.base.sha": self.git("rev-parse", "main"),
            },
        )
        return head

    def merge(self, head: str) -> str:
        """The pull request becomes one commit on main; that commit."""
        self.git("switch", "--quiet", "main")
        self.git("merge", "--quiet", "--squash", head)
        merged = self.commit()
        self.change("pulls", {"merge_commit_sha": merged, "head": {"sha": head}})
        return merged

    def apply(self, commit: str) -> list[str]:
        """What happens on main after a push of ``commit``; the stacks that were applied."""
        found = self.job("stacks", "reviewed", {"github.sha": commit}, GITHUB_SHA=commit)
        stacks: list[str] = json.loads(found["stacks"])
        for stack in stacks:
            self.job(
                "stacks",
                "apply",
                {
                    "github.sha": commit,
                    "matrix.stack": stack,
                    "needs.reviewed.outputs.artifact": found["artifact"],
                },
                GITHUB_SHA=commit,
            )
        return stacks

    def job(self, workflow: str, name: str, context: Mapping[str, str], **environment: str) -> dict[str, str]:
        """Run one job as GitHub would."""
        shutil.rmtree(self.folder / "plans", ignore_errors=True)
        runner = self.folder.parent / "runner"
        shutil.rmtree(runner, ignore_errors=True)
        runner.mkdir()
        text = (self.folder / f".github/workflows/{workflow}.yml").read_text()
        job = Job(
            yaml.safe_load(text),
            name,
            self.folder,
            {
                **self.world.environment,
                "PATH": f"{self.tools}:{self.world.environment['PATH']}:{os.environ['PATH']}",
                "GITHUB_REPOSITORY": "acme/infra",
                "RUNNER_TEMP": str(runner),
                "STUB_GH_STATE": str(self._state),
                **environment,
            },
            {
                "vars.STACKS_STATE": self.world.environment["STACKS_STATE"],
                "vars.PLAN_PUBLIC_KEY": "",
                "secrets.PLAN_SIGNING_KEY": "",
                "github.token": "dummy",
                "github.sha": "",
                **context,
            },
            self.uses,
        )
        return job.run()

    def uses(self, action: str, inputs: Mapping[str, Any]) -> None:
        """What the actions do: the tools are there already; an upload is kept."""
        if action.startswith("actions/upload-artifact@"):
            number = len(self.github()["artifacts"]) + 1
            file = self.folder.parent / f"{number}.zip"
            with zipfile.ZipFile(file, "w") as archive:
                for path in sorted((self.folder / inputs["path"]).rglob("*")):
                    archive.write(path, path.relative_to(self.folder / inputs["path"]))
            run = {"head_sha": self.git("rev-parse", "HEAD"), "repository_id": 1, "head_repository_id": 1}
            self.change(
                "artifacts",
                {
                    "id": number,
                    "name": inputs["name"],
                    "file": str(file),
                    "expired": False,
                    "created_at": f"2026-01-01T00:00:{number:02}Z",
                    "workflow_run": run,
                },
            )
        else:
            assert action.startswith(SETUP), action


@pytest.fixture
def repository(world: World) -> Repository:
    """A repository with the workflow, whose main has one stack that is applied."""
    missing = [name for name in ("bash", "git", "jq", "unzip") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    tools = world.folder / "tools"
    tools.mkdir()
    (tools / "gh").symlink_to(STUB)
    for name, text in (
        ("provision", f'#!/bin/sh\nexec "{sys.executable}" -m provisioner "$@"\n'),
        ("pip", "#!/bin/sh\n# The product is installed already.\nexit 0\n"),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    folder = world.folder / "checkout"
    folder.mkdir()
    made = Repository(world, folder, tools)
    made._state.write_text(json.dumps({"comments": [], "issues": [], "pulls": [], "artifacts": []}))
    made.git("init", "--quiet", "--initial-branch=main")
    made.stack("one")
    world.provision("init", folder / "stacks", "--ci", "github")
    (folder / ".gitignore").write_text("plans*\ndrift.md\ndifferences.md\nissue.md\n")
    made.commit()
    world.provision("apply", folder / "stacks" / "one.yaml", "-y")
    made.git("switch", "--quiet", "--create", "work")
    return made


def test_what_was_planned_in_the_pull_request_is_applied_on_merge(repository: Repository) -> None:
    repository.stack("two")
    repository.commit()
    repository.plan()
    repository.stack("two", activate=False)
    repository.commit()
    repository.number -= 1  # the same pull request, with another commit
    head = repository.plan()

    (comment,) = repository.github()["comments"]
    assert comment["body"].startswith("<!-- provision plan -->")
    assert "two" in comment["body"]
    assert "2 to add" in comment["body"]
    assert repository.world.registered() == ["one_store"]

    assert repository.apply(repository.merge(head)) == ["two"]
    assert repository.world.registered() == ["one_store", "two_store"]


def test_a_plan_that_fails_is_told_and_blocks(repository: Repository) -> None:
    repository.stack("two")
    head = repository.commit()
    store = repository.world.home / "local_stores" / "one" / "one_store"
    repository.stack("one", bucket=str(store / "elsewhere"))
    repository.world.terraform_state("one").write_text("")  # damaged: planning this stack is refused
    head = repository.commit()

    with pytest.raises(StepError) as failed:
        repository.plan()

    assert failed.value.name == "Say whether all could be planned"
    (comment,) = repository.github()["comments"]
    assert "| `one` | failed |" in comment["body"]
    with pytest.raises(StepError, match="could not be planned"):
        repository.apply(repository.merge(head))
    assert repository.world.registered() == ["one_store"]


def test_a_change_of_no_stack_is_told_as_that_and_its_merge_applies_nothing(repository: Repository) -> None:
    (repository.folder / "README.md").write_text("read me")
    repository.commit()
    head = repository.plan()

    (comment,) = repository.github()["comments"]
    assert "No stack is changed by this." in comment["body"]
    assert repository.apply(repository.merge(head)) == []


def test_a_deleted_stack_is_told_in_the_comment(repository: Repository) -> None:
    (repository.folder / "stacks" / "one.yaml").rename(repository.folder / "stacks" / "_one.yaml")
    repository.stack("two")
    repository.commit()
    repository.plan()

    (comment,) = repository.github()["comments"]
    assert "provision destroy one" in comment["body"]


def test_a_push_that_nobody_reviewed_is_refused(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    repository.stack("two")

    with pytest.raises(StepError, match="nothing was reviewed, nothing is applied"):
        repository.apply(repository.commit())


def test_a_merge_without_a_plan_of_its_head_is_refused(repository: Repository) -> None:
    repository.stack("two")
    repository.commit()
    repository.plan()
    repository.stack("three")
    later = repository.commit()

    with pytest.raises(StepError, match="there is no plan of"):
        repository.apply(repository.merge(later))


def test_an_artifact_of_a_fork_is_not_taken(repository: Repository) -> None:
    repository.stack("two")
    repository.commit()
    head = repository.plan()
    state = repository.github()
    state["artifacts"][0]["workflow_run"]["head_repository_id"] = 666
    repository._state.write_text(json.dumps(state))

    with pytest.raises(StepError, match="there is no plan of"):
        repository.apply(repository.merge(head))


def test_what_changed_on_main_in_the_meantime_makes_the_plan_stale(repository: Repository) -> None:
    repository.stack("one", activate=False)
    repository.commit()
    head = repository.plan()
    merged = repository.merge(head)
    repository.stack("one", protect=True)
    repository.commit()

    with pytest.raises(StepError) as refused:
        repository.apply(merged)
    assert refused.value.code == 6


def test_an_invalid_manifest_is_annotated_and_nothing_is_planned(repository: Repository) -> None:
    (repository.folder / "stacks" / "two.yaml").write_text("version: 1\nname: two\nprovider: locl\n")
    repository.commit()

    with pytest.raises(StepError, match=r"::error file=stacks/two\.yaml,line=3") as refused:
        repository.plan()
    assert refused.value.name == "Validate"


def test_drift_opens_one_issue_updates_it_and_closes_it(repository: Repository) -> None:
    store = repository.world.home / "local_stores" / "one" / "one_store"
    repository.job("stacks-drift", "drift", {})
    assert repository.github()["issues"] == []

    store.chmod(0o755)
    repository.job("stacks-drift", "drift", {})
    repository.job("stacks-drift", "drift", {})

    (issue,) = repository.github()["issues"]
    assert (issue["state"], issue["labels[]"]) == ("open", ["stack-drift"])
    assert "| `one` | drifted |" in issue["body"]

    store.chmod(0o700)
    repository.job("stacks-drift", "drift", {})
    (issue,) = repository.github()["issues"]
    assert issue["state"] == "closed"
