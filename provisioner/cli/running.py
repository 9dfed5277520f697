"""What the commands that run Terraform share: the engine on this terminal, manifests, questions, results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from provisioner.cli.annotations import summary_annotations
from provisioner.cli.options import ask, print_json, say, state_file
from provisioner.cli.show import ProgressLines, plan_text
from provisioner.engine import Confirm, Engine, Result, agree
from provisioner.errors import InputError
from provisioner.manifest import LoadedManifest, load_manifest
from provisioner.summary import Summary
from provisioner.terraform.locate import locate

CHANGES = 2
"""The exit code of a command that found changes, where that was asked for."""


def make_engine(terraform: str | None, lock_timeout: int, *, bare: bool = False) -> Engine:
    """The engine, talking to this terminal; ``bare`` for what needs no Terraform."""
    return Engine(
        state_file=state_file(),
        executable=None if bare else locate(terraform),
        on_event=ProgressLines(),
        say=say,
        lock_timeout=lock_timeout,
    )


def load_all(files: Sequence[str], overrides: Sequence[str]) -> list[LoadedManifest]:
    """All of them first: a mistake in the last file is told before the first one is touched."""
    return [load_manifest(Path(name), overrides) for name in files]


def load_target(engine: Engine, target: str, overrides: Sequence[str] = ()) -> LoadedManifest:
    """The manifest in a file, or the one that was last applied under a name."""
    if Path(target).is_file():
        return load_manifest(Path(target), overrides)
    applied = engine.workspace(target).applied_manifest
    if "/" not in target and applied.is_file():
        return load_manifest(applied, overrides)
    known = ", ".join(sorted(engine.state_file.read().deployments)) or "nothing"
    raise InputError(
        f"{target!r} is neither a file nor a stack that was applied here",
        hint=f"applied are: {known} (state file {engine.state_file.location})",
    )


def confirm_on_terminal(question: str, *, yes: bool) -> Confirm:
    if yes:
        return agree

    def confirm(summary: Summary) -> bool:
        click.echo(plan_text(summary), err=True)
        return ask(question)

    return confirm


def print_results(stacks: Sequence[LoadedManifest], results: Sequence[Result], form: str) -> None:
    """The summaries of results in a form; a page also shows the stacks that they are about."""
    if form == "html":
        from provisioner.cli.html import plan_page  # brings jinja2

        told = [(loaded.manifest, result.summary) for loaded, result in zip(stacks, results, strict=True)]
        click.echo(plan_page(told), nl=False)
        return
    print_summaries([result.summary for result in results], form)


def print_summaries(summaries: Sequence[Summary], form: str) -> None:
    if form == "json":
        print_json([summary.to_json() for summary in summaries])
        return
    if form == "markdown":
        from provisioner.cli.plan_markdown import plan_markdown  # brings jinja2

        click.echo(plan_markdown(summaries), nl=False)
        return
    if form == "github":
        for line in summary_annotations(summaries):
            click.echo(line)
        return
    click.echo("\n\n".join(plan_text(summary) for summary in summaries))
