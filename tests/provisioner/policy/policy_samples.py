"""A manifest, policies and plans for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provisioner.manifest import LoadedManifest, load_manifest
from provisioner.policy import Policy, judge_manifest, judge_plan, load_policy
from provisioner.summary import Danger, ResourceChange, Summary

MANIFEST = """\
version: 1
name: demo
provider: aws
region: eu-west-1
account: "123456789012"
tags: {team: ml, env: prod}
artifact_stores:
  - name: main
    bucket: acme-main
    connector: access
  - name: theirs
    bucket: theirs
    existing: true
    protect: false
    connector: access
connectors:
  - name: access
    trusted_principals:
      - arn:aws:iam::123456789012:role/ci
      - arn:aws:iam::999999999999:root
"""


def stack(folder: Path, text: str = MANIFEST, *overrides: str) -> LoadedManifest:
    """The manifest, in a file."""
    (folder / "stack.yaml").write_text(text)
    return load_manifest(folder / "stack.yaml", overrides)


def policy(folder: Path, rules: str, **fields: Any) -> Policy:
    """A policy with these rules, in YAML's flow style."""
    extra = "".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items())
    (folder / "policy.yaml").write_text(f"version: 1\nrules: {{{rules}}}\n{extra}")
    return load_policy(folder / "policy.yaml")


def said(folder: Path, rules: str, *overrides: str, text: str = MANIFEST) -> list[str]:
    """What the policy says of the manifest, without the folder."""
    found = judge_manifest(policy(folder, rules), stack(folder, text, *overrides))
    return [str(finding).removeprefix(f"{folder}/") for finding in found]


def summary(*dangers: Danger, operation: str = "apply") -> Summary:
    """A summary with something in it."""
    change = ResourceChange("module.store_main.x.y", "artifact store", "main", "x.y", "create")
    return Summary(
        "demo", "AWS", None, None, None, operation, (change,), (), (), (), (), (), False, dangers=dangers
    )


def planned(folder: Path, rules: str, details: dict[str, Any] | None, *dangers: Danger) -> list[str]:
    """What the policy says of a plan."""
    found = judge_plan(policy(folder, rules), stack(folder), summary(*dangers), details, folder)
    return [str(finding).removeprefix(f"{folder}/") for finding in found]
