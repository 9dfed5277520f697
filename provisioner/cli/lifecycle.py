"""`provision plan`, `apply`, `destroy`, `drift` and `recover`: what runs Terraform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from provisioner.cli.options import (
    ask,
    engine_options,
    existing_file,
    format_option,
    print_json,
    say,
    set_option,
    state_file,
    yes_option,
)
from provisioner.cli.show import ProgressLines, plan_text
from provisioner.engine import Confirm, Engine, agree
from provisioner.errors import InputError
from provisioner.manifest import LoadedManifest, load_manifest
from provisioner.summary import Summary
from provisioner.terraform.locate import locate

_CHANGES = 2


def make_engine(terraform: str | None, lock_timeout: int) -> Engine:
    """The engine, talking to this terminal."""
    return Engine(
        state_file=state_file(),
        executable=locate(terraform),
        on_event=ProgressLines(),
        say=say,
        lock_timeout=lock_timeout,
    )


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_file)
@click.option("--destroy", is_flag=True, help="Show what a destroy would do instead.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 2 when there are changes.")
@set_option
@format_option("text", "json")
@engine_options
def plan(
    files: tuple[str, ...],
    destroy: bool,
    detailed_exitcode: bool,
    overrides: tuple[str, ...],
    form: str,
    terraform: str | None,
    lock_timeout: int,
) -> int:
    """Show what an apply would change; nothing is changed."""
    engine = make_engine(terraform, lock_timeout)
    results = [engine.plan(loaded, destroy=destroy) for loaded in _load(files, overrides)]
    _print([result.summary for result in results], form)
    return _CHANGES if detailed_exitcode and any(result.changed for result in results) else 0


@click.command()
@click.argument("files", nargs=-1, required=True, callback=existing_file)
@click.option("--no-verify", is_flag=True, help="Do not try out the stores with the connector's credentials.")
@set_option
@yes_option
@engine_options
def apply(
    files: tuple[str, ...],
    no_verify: bool,
    overrides: tuple[str, ...],
    yes: bool,
    terraform: str | None,
    lock_timeout: int,
) -> int:
    """Plan, confirm, apply, register and verify."""
    engine = make_engine(terraform, lock_timeout)
    for loaded in _load(files, overrides):
        apply_one(engine, loaded, yes=yes, verify=not no_verify)
    return 0


def apply_one(engine: Engine, loaded: LoadedManifest, *, yes: bool, verify: bool) -> None:
    """Apply one manifest and say what came of it.

    Raises :class:`InputError` when the user does not agree.
    """
    result = engine.apply(loaded, confirm=_confirm("Apply this?", yes=yes), verify=verify)
    if not result.done:
        raise InputError("not applied: you said no")
    if not result.changed:
        click.echo(plan_text(result.summary))
        return
    for sentence in result.probes:
        say(f"verified {sentence}")
    state = engine.state_file.read()
    stores = ", ".join(
        f"{store.name} ({state.artifact_store(store.name).path})" for store in loaded.manifest.artifact_stores
    )
    active = " and made active" if state.active_stack == loaded.manifest.name else ""
    click.echo(f"Applied {loaded.manifest.name}: {stores}. The stack is registered{active}.")


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="FILE|NAME...")
@click.option("--force-nonempty", is_flag=True, help="Delete the objects and versions in the buckets, too.")
@set_option
@yes_option
@engine_options
def destroy(
    targets: tuple[str, ...],
    force_nonempty: bool,
    overrides: tuple[str, ...],
    yes: bool,
    terraform: str | None,
    lock_timeout: int,
) -> int:
    """Tear down what a manifest made, then deregister it."""
    engine = make_engine(terraform, lock_timeout)
    for target in targets:
        loaded = load_target(engine, target, overrides)
        destroy_one(engine, loaded, yes=yes, force_nonempty=force_nonempty)
    return 0


def destroy_one(engine: Engine, loaded: LoadedManifest, *, yes: bool, force_nonempty: bool) -> None:
    """Destroy one stack and say so.

    Raises :class:`InputError` when the user does not agree.
    """
    confirm = _confirm(f"Destroy {loaded.manifest.name}?", yes=yes)
    result = engine.destroy(loaded, confirm=confirm, force_nonempty=force_nonempty)
    if not result.done:
        raise InputError("not destroyed: you said no")
    click.echo(f"Destroyed and deregistered {loaded.manifest.name}.")


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


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="FILE|NAME...")
@set_option
@format_option("text", "json")
@engine_options
def drift(
    targets: tuple[str, ...], overrides: tuple[str, ...], form: str, terraform: str | None, lock_timeout: int
) -> int:
    """Does the cloud still match what was applied? Exit 2 when it does not."""
    engine = make_engine(terraform, lock_timeout)
    results = [engine.drift(load_target(engine, target, overrides)) for target in targets]
    _print([result.summary for result in results], form)
    return _CHANGES if any(result.changed for result in results) else 0


@click.command()
@click.argument("name")
@yes_option
@engine_options
def recover(name: str, yes: bool, terraform: str | None, lock_timeout: int) -> int:
    """After a crash: what is known, what is missing, and what will be done about it."""
    from provisioner.recover import examine

    engine = make_engine(terraform, lock_timeout)
    workspace = engine.workspace(name)
    if not workspace.path.is_dir():
        raise InputError(f"nothing is known of a stack named {name!r} here", hint="see: provision status")
    findings = examine(workspace)
    for sentence in findings.sentences(workspace):
        click.echo(sentence)
    if findings.nothing:
        return 0
    if not yes and not ask("Do this?"):
        raise InputError("not recovered: you said no")
    engine.recover(name)
    click.echo(f"Recovered {name}. Run `provision apply` or `provision destroy` to go on.")
    return 0


def _load(files: Sequence[str], overrides: Sequence[str]) -> list[LoadedManifest]:
    """All of them first: a mistake in the last file is told before the first one is touched."""
    return [load_manifest(Path(name), overrides) for name in files]


def _confirm(question: str, *, yes: bool) -> Confirm:
    if yes:
        return agree

    def confirm(summary: Summary) -> bool:
        click.echo(plan_text(summary), err=True)
        return ask(question)

    return confirm


def _print(summaries: Sequence[Summary], form: str) -> None:
    if form == "json":
        print_json([summary.to_json() for summary in summaries])
        return
    click.echo("\n\n".join(plan_text(summary) for summary in summaries))
