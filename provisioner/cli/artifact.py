"""`provision artifact`: what steps have made, in the store of the active stack."""

from __future__ import annotations

from typing import Any

import click

from provisioner.cli.components import answer, details, form_option, table
from provisioner.cli.history import (
    filter_options,
    given,
    history_of,
    human_size,
    local_time,
    page_options,
    store_option,
    tell_of_more,
    version_json,
)
from provisioner.cli.lazy import LazyGroup
from provisioner.cli.options import ask, say, yes_option
from provisioner.errors import InputError

_HERE = "provisioner.cli.artifact"


@click.group(
    cls=LazyGroup,
    commands_by_path={
        "list": (f"{_HERE}:list_artifacts", "All artifacts by name."),
        "version": (f"{_HERE}:version", "The versions of artifacts."),
        "prune": (f"{_HERE}:prune", "Remove what no run needs, and what died runs left."),
    },
)
def artifact() -> None:
    """What steps have made: artifacts, their versions, and where they come from."""


@click.group(
    cls=LazyGroup,
    commands_by_path={
        "list": (f"{_HERE}:list_versions", "Artifact versions, the newest first."),
        "describe": (f"{_HERE}:describe", "One version, by default the latest."),
        "delete": (f"{_HERE}:delete", "Delete a version with its files."),
    },
)
def version() -> None:
    """The versions of artifacts."""


@click.command("list")
@filter_options("name")
@store_option
@form_option
def list_artifacts(store: str | None, form: str, **filters: tuple[str, ...]) -> int:
    """All artifacts by name, each with its latest version."""
    found = history_of(store).artifacts(**given(filters))
    data = [{"name": one.name, "latest": one.latest, "versions": one.versions} for one in found]
    rows = [(one.name, one.latest, str(one.versions)) for one in found]
    return answer(form, data, table(("name", "latest", "versions"), rows, "No artifact is there."))


@click.command("list")
@filter_options("created", "name", "version", "tag", "pipeline", "step", "run", "type", "materializer")
@page_options
@store_option
@form_option
def list_versions(page: int, size: int, store: str | None, form: str, **filters: tuple[str, ...]) -> int:
    """Artifact versions, the newest first.

    A filter is a value or OPERATOR:VALUE; operators are equals, notequals, gt, gte, lt, lte, in, contains,
    notcontains, startswith, endswith, oneof and notoneof. Times without a zone are this machine's local time.
    """
    found = history_of(store).versions(page=page, size=size, **given(filters))
    rows = [
        (
            one.name,
            one.version,
            local_time(one.created),
            one.type,
            human_size(one.size),
            one.record.producer.run if one.record.producer else "",
        )
        for one in found
    ]
    tell_of_more(found)
    header = ("name", "version", "created", "type", "size", "run")
    text = table(header, rows, "No artifact version is there that fits.")
    return answer(form, [version_json(one) for one in found], text)


@click.command()
@click.argument("name")
@click.option("--version", metavar="VERSION", help="Which one; by default the latest.")
@store_option
@form_option
def describe(name: str, version: str | None, store: str | None, form: str) -> int:
    """One version of an artifact: its type, its files, where it comes from."""
    found = history_of(store).version(name, version)
    data = version_json(found)
    data["files"] = [
        {"path": path, "size": file.size, "sha256": file.sha256}
        for path, file in sorted(found.record.files.items())
    ]
    files = ", ".join(f"{one['path']} ({human_size(one['size'])})" for one in data["files"])
    shown = {**data, "created": local_time(found.created), "size": human_size(found.size), "files": files}
    return answer(form, data, details(shown))


@click.command()
@click.argument("name")
@click.option("--version", required=True, metavar="VERSION", help="Which one.")
@click.option("--force", is_flag=True, help="Also when a run refers to it, or its record is damaged.")
@yes_option
@store_option
@form_option
def delete(name: str, version: str, force: bool, yes: bool, store: str | None, form: str) -> int:
    """Delete a version with its files, for good; refused while a run refers to it.

    Its number is not given to another one.
    """
    from stacks.errors import DamagedArtifactError

    history = history_of(store)
    try:
        found = history.version(name, version)
        version, what = found.version, f"version {found.version} of {name} in {found.uri}"
    except DamagedArtifactError:
        if not force:
            raise
        what = f"version {version} of {name}, whose record is damaged"
    if not yes and not ask(f"Delete {what}? There is no way back."):
        raise InputError("not deleted: you said no")
    history.delete_version(name, version, force=force)
    return answer(form, {"deleted": name, "version": version}, f"Deleted version {version} of {name}.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@yes_option
@store_option
@form_option
def prune(dry_run: bool, yes: bool, store: str | None, form: str) -> int:
    """Remove artifacts whose run was deleted and that no other run uses, and what died runs left.

    Artifacts that were saved by hand stay. A run that died is marked as failed.
    """
    from stacks.artifacts import pruning

    history = history_of(store)
    found = pruning.prunable(history)
    data: dict[str, Any] = {
        "unused": [{"name": one.name, "version": str(one.version), "size": one.size} for one in found.unused],
        "leftovers": [{"name": one.name, "version": str(one.version)} for one in found.leftovers],
        "died": [{"pipeline": one.pipeline, "run": one.name} for one in found.died],
        "removed": bool(found) and not dry_run,
    }
    lines = [
        f"artifact {one.name} version {one.version} ({human_size(one.size)}): no run needs it"
        for one in found.unused
    ]
    lines += [f"artifact {one.name} version {one.version}: never finished" for one in found.leftovers]
    lines += [
        f"run {one.name} of {one.pipeline}: its process died; it is marked as failed" for one in found.died
    ]
    if not found:
        return answer(form, data, "There is nothing to prune.")
    unused = f"{len(found.unused)} unused ({human_size(found.size)})"
    summary = f"{unused} and {len(found.leftovers)} unfinished artifact versions"
    if found.died:
        summary += f", {len(found.died)} died runs marked as failed"
    if dry_run:
        return answer(form, data, "\n".join([*lines, f"Would remove {summary}."]))
    if not yes:
        for line in lines:
            say(f"  {line}")
        if not ask(f"Remove {summary} from {history.store.path}? There is no way back."):
            raise InputError("nothing was removed: you said no")
    went = pruning.prune(history, found)
    kept = {(one.name, str(one.version)) for one in found.unused} - {
        (one.name, str(one.version)) for one in went.unused
    }
    data["unused"] = [one for one in data["unused"] if (one["name"], one["version"]) not in kept]
    taken = f" But {len(kept)} of them stay: a run has taken them up meanwhile." if kept else ""
    return answer(form, data, f"Removed {summary}.{taken}")
