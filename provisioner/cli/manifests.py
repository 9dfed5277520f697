"""`provision validate`, `schema` and `render`: what needs neither cloud nor Terraform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioner.cli.annotations import annotation, finding_annotation
from provisioner.cli.options import (
    existing_place,
    format_option,
    policy_option,
    print_json,
    say,
    set_option,
    tell_unread,
)
from provisioner.errors import ManifestError, Problem, SafetyError

if TYPE_CHECKING:
    from provisioner.manifest import LoadedManifest
    from provisioner.summary import Finding

_CHANGED = 2
_INVALID = 3


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_place, metavar="FILE|FOLDER...")
@set_option
@policy_option
@format_option("text", "json", "github")
def validate(files: tuple[str, ...], overrides: tuple[str, ...], form: str) -> int:
    """Check manifests without cloud access: each alone, all beside each other, and against the policy."""
    from provisioner.fleet.clashes import clashes
    from provisioner.fleet.discover import discover
    from provisioner.manifest import load_manifest

    found = tell_unread(discover([Path(name) for name in files]))
    problems: list[Problem] = []
    loaded = []
    for path, why in found.bases:
        say(f"{path}: {why}")
    for path in found.stacks:
        try:
            loaded.append(load_manifest(path, overrides))
        except ManifestError as error:
            problems += error.problems
    clashing = clashes(loaded)
    for item in loaded if form == "text" else ():
        if not any(problem.file == str(item.path) for problem in clashing):
            click.echo(f"{item.path}: valid")
    problems += clashing
    findings, wrong = _judged(loaded)
    problems += wrong
    _print_verdict(problems, findings, form)
    if problems:
        return _INVALID
    return SafetyError.exit_code if any(finding.level == "deny" for finding in findings) else 0


def _print_verdict(problems: Sequence[Problem], findings: Sequence[Finding], form: str) -> None:
    if form == "json":
        valid = not problems and not any(finding.level == "deny" for finding in findings)
        print_json(
            {
                "valid": valid,
                "problems": [_as_json(problem) for problem in problems],
                "findings": [asdict(finding) for finding in findings],
            }
        )
    elif form == "github":
        for line in (*map(_as_annotation, problems), *map(finding_annotation, findings)):
            click.echo(line)
    else:
        for problem in problems:
            click.echo(f"error: {problem}", err=True)
        for finding in findings:
            click.echo(f"{'error' if finding.level == 'deny' else 'warning'}: {finding}", err=True)


def _judged(loaded: Sequence[LoadedManifest]) -> tuple[list[Finding], list[Problem]]:
    """What the policy of each has to say, and what is wrong with a policy itself, once."""
    from provisioner.policy import judge_manifest, policy_for

    findings: list[Finding] = []
    problems: list[Problem] = []
    for item in loaded:
        try:
            policy = policy_for(item.path.parent)
        except ManifestError as error:
            problems += [problem for problem in error.problems if problem not in problems]
        else:
            findings += judge_manifest(policy, item) if policy is not None else ()
    return findings, problems


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
    }


def _as_annotation(problem: Problem) -> str:
    """A workflow command of GitHub Actions, with its own escapes."""
    text = f"{problem.path}: {problem.message}" if problem.path else problem.message
    return annotation("error", text, problem.file, problem.line, problem.column)


@click.command()
@click.option(
    "--of",
    "document",
    type=click.Choice(("manifest", "policy", "plan")),
    default="manifest",
    help="Of the manifest (the default), of policy.yaml, or of what plan --format json prints.",
)
def schema(document: str) -> None:
    """Print the JSON Schema of the manifest, of the policy file or of a plan."""
    if document == "plan":
        from provisioner.assets import templates_root

        text = (templates_root() / "plan.schema.json").read_text(encoding="utf-8")
        print_json(json.loads(text))
        return
    if document == "policy":
        from provisioner.policy import json_schema
    else:
        from provisioner.manifest import json_schema
    print_json(json_schema())


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_place, metavar="FILE|FOLDER...")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    help="Where to write; default: DIR named after the stack. Many stacks have a folder each in it.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 2 when what lies there is out of date.")
@set_option
def render(files: tuple[str, ...], output: str | None, check: bool, overrides: tuple[str, ...]) -> int:
    """Write the Terraform root of a manifest: the same bytes on every machine.

    Of many stacks, those in a folder say, each is written beside its manifest, into a folder named after the
    stack; --check then looks at those that lie there.
    """
    from provisioner.fleet.discover import discover
    from provisioner.manifest import load_manifest
    from provisioner.output_files import reading, writing
    from provisioner.render import differing, write_rendering
    from provisioner.render import render as render_files

    many = len(files) > 1 or Path(files[0]).is_dir()
    outdated = 0
    for path in tell_unread(discover([Path(name) for name in files])).stacks:
        manifest = load_manifest(path, overrides).manifest
        target = Path(output or path.parent) / manifest.name if many else Path(output or manifest.name)
        rendered = render_files(manifest)
        if not check:
            with writing(target):
                names = write_rendering(rendered, target, private=False)
            say(f"{target}: {len(names)} of {len(rendered)} files written")
        elif not many or (target / "main.tf").is_file():
            with reading(target):
                names = differing(rendered, target)
            outdated += len(names)
            for name in names:
                click.echo(f"out of date: {target / name}")
    return _CHANGED if outdated else 0
