"""`.gitlab/stacks.py`, which `init --ci gitlab` writes, against a small stand-in for GitLab's API."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from provisioner.ci import ci_files

ME, OTHER = 7, 8


@dataclass
class GitLab:
    """What lies at GitLab; and the script, run as the pipeline runs it."""

    folder: Path
    notes: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    merged: list[dict[str, Any]] = field(default_factory=list)
    pipelines: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    archives: dict[int, bytes] = field(default_factory=dict)
    address: str = ""

    def answer(self, method: str, path: str, sent: dict[str, Any]) -> Any:
        """What GitLab would answer."""
        if path == "/user":
            return {"id": ME}
        route = path.removeprefix("/projects/1/")
        if route == "merge_requests/3/notes" and method == "POST":
            self.notes.append({"id": len(self.notes) + 1, "author": {"id": ME}, **sent})
        if match := re.fullmatch(r"merge_requests/3/notes/(\d+)", route):
            self.notes[int(match[1]) - 1].update(sent)
        if match := re.fullmatch(r"issues/(\d+)", route):
            self.issues[int(match[1]) - 1].update(sent)
        if route == "issues" and method == "POST":
            self.issues.append({"iid": len(self.issues) + 1, **sent})
        if match := re.fullmatch(r"pipelines/(\d+)/jobs", route):
            return self.jobs[int(match[1])]
        if match := re.fullmatch(r"jobs/(\d+)/artifacts", route):
            return self.archives[int(match[1])]
        opened = [one for one in self.issues if one.get("state_event") != "close"]
        return {
            "merge_requests/3/notes": self.notes,
            "issues": opened,
            "repository/commits/merged/merge_requests": self.merged,
            "repository/commits/alone/merge_requests": [],
            "merge_requests/3/pipelines": self.pipelines,
        }.get(route, {})

    def planned(self, head: str, *stacks: str, status: str = "success") -> None:
        """A pipeline of the merge request, whose plan has these bundles in its artifacts."""
        number = len(self.pipelines) + 1
        self.pipelines.append({"id": number, "sha": head})
        self.jobs[number] = [{"id": number, "name": "plan", "status": status}]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for stack in stacks:
                archive.writestr(f"plans/{stack}.bundle", f"{stack} of {number}")
            archive.writestr("plans/../../escaped.bundle", "x")
            archive.writestr("plans/report.json", "{}")
        self.archives[number] = buffer.getvalue()

    def script(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            [sys.executable, "-W", "error", ".gitlab/stacks.py", *words],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "CI_API_V4_URL": self.address,
                "CI_PROJECT_ID": "1",
                "CI_MERGE_REQUEST_IID": "3",
                "PROVISION_API_TOKEN": "dummy",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, gitlab: GitLab, *arguments: Any) -> None:
        self._gitlab = gitlab
        super().__init__(*arguments)

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = self.headers["PRIVATE-TOKEN"] == "dummy"
        path = urlsplit(self.path).path
        found = self._gitlab.answer(self.command, path, json.loads(sent or b"{}")) if known else {}
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815  # http.server's own names

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gitlab(tmp_path: Path) -> Iterator[GitLab]:
    """An empty one."""
    made = GitLab(tmp_path)
    for name, text in ci_files("gitlab", stacks=".", providers=["local"]).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, made))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    server.server_close()


def test_one_note_is_written_and_then_written_anew(gitlab: GitLab) -> None:
    gitlab.notes.append(
        {"id": 1, "author": {"id": OTHER}, "body": "<!-- provision plan --> of somebody else"}
    )
    for text in ("first", "second"):
        (gitlab.folder / "comment.md").write_text(f"<!-- provision plan -->\n{text}")
        done = gitlab.script("note", "comment.md")
        assert done.returncode == 0, done.stderr

    assert [note["body"].split()[-1] for note in gitlab.notes] == ["else", "second"]


def test_the_bundles_of_the_last_good_plan_of_what_was_merged_are_fetched(gitlab: GitLab) -> None:
    gitlab.merged.append(
        {"iid": 3, "sha": "head", "merge_commit_sha": "merged", "state": "merged",
         "source_project_id": 1, "target_project_id": 1}
    )  # fmt: skip
    gitlab.planned("older", "other")
    gitlab.planned("head", "one")
    gitlab.planned("head", "one", "two")
    gitlab.planned("head", "three", status="failed")

    done = gitlab.script("fetch", "plans", CI_COMMIT_SHA="merged")

    assert done.returncode == 0, done.stderr
    found = {path.name: path.read_text() for path in (gitlab.folder / "plans").iterdir()}
    assert found == {"one.bundle": "one of 3", "two.bundle": "two of 3", "escaped.bundle": "x"}
    assert not (gitlab.folder.parent / "escaped.bundle").exists()


@pytest.mark.parametrize(
    ("commit", "change", "says"),
    [
        ("alone", {}, "nothing was reviewed, nothing is applied"),
        ("merged", {"source_project_id": 666}, "nothing was reviewed, nothing is applied"),
        ("merged", {"state": "opened"}, "nothing was reviewed, nothing is applied"),
        ("merged", {"sha": "unplanned"}, "there is no plan of unplanned"),
    ],
)
def test_what_was_not_reviewed_is_refused(
    gitlab: GitLab, commit: str, change: dict[str, Any], says: str
) -> None:
    gitlab.merged.append(
        {"iid": 3, "sha": "head", "merge_commit_sha": "merged", "state": "merged",
         "source_project_id": 1, "target_project_id": 1, **change}
    )  # fmt: skip
    gitlab.planned("head", "one")

    done = gitlab.script("fetch", "plans", CI_COMMIT_SHA=commit)

    assert done.returncode == 1
    assert says in done.stderr


def test_one_issue_is_opened_updated_and_closed(gitlab: GitLab) -> None:
    for number, code in enumerate(("0", "2", "2", "0", "0")):
        (gitlab.folder / "issue.md").write_text(f"look {number}")
        assert gitlab.script("issue", "issue.md", code).returncode == 0

    (issue,) = gitlab.issues
    assert (issue["description"], issue["state_event"]) == ("look 3", "close")
