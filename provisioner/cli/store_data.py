"""`provision artifact-store verify` and `migrate`: the stores themselves at work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from provisioner.cli.components import answer, form_option, make_client
from provisioner.cli.options import ask, say, yes_option
from provisioner.errors import InputError, SafetyError
from stacks.errors import StacksError

if TYPE_CHECKING:
    from stacks.migration import Progress
    from stacks.stores.base import BaseArtifactStore

_REPORT_SECONDS = 1.0
_STEPS = ("write", "read", "list", "delete")


@click.command()
@click.argument("name")
@click.option("--read-only", is_flag=True, help="Only list; write nothing.")
@form_option
def verify(name: str, read_only: bool, form: str) -> int:
    """Try a store out with its own credentials: write, read, list and delete one object.

    Old versions of the probe are deleted where the credentials allow it; elsewhere the lifecycle does.
    """
    from provisioner.verify.probe import new_folder, try_out

    client = make_client(flavors=True)
    record = client.describe_artifact_store(name)
    if record.connector is not None:
        granted = client.describe_connector(record.connector).config.get("access")
        read_only = read_only or granted == "read-only"
    store = client.get_artifact_store(name)
    if read_only:
        store.listdir(store.path)
    else:
        folder = new_folder()
        try_out(store, folder)
        _forget(store, folder)
    steps = ["list"] if read_only else list(_STEPS)
    text = f"{name} works: {', '.join(steps)}."
    return answer(form, {"name": name, "path": store.path, "works": steps}, text)


def _forget(store: BaseArtifactStore, folder: str) -> None:
    try:
        store.forget_versions(f"{store.path.rstrip('/')}/{folder}")
    except StacksError as error:
        say(f"Old versions of the probe stay in {folder} until the bucket's lifecycle deletes them: {error}")


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option("--overwrite", is_flag=True, help="Replace files of the target that differ.")
@yes_option
@form_option
def migrate(source: str, target: str, overwrite: bool, yes: bool, form: str) -> int:
    """Copy all data of one store to another, each file verified by its digest; the source stays.

    Started again after it was cut off, it goes on: what is there already is compared, not copied.
    """
    from stacks.migration import migrate as copy_all

    client = make_client(flavors=True)
    stores = [client.get_artifact_store(name) for name in (source, target)]
    question = f"Copy everything in {stores[0].path} to {stores[1].path}?"
    if not yes and overwrite and not ask(f"{question} Files that differ are replaced."):
        raise InputError("not migrated: you said no")
    try:
        done = copy_all(*stores, overwrite=overwrite, on_progress=_Reporter())
    except FileExistsError as error:
        raise SafetyError(
            f"{target} has another file of that name already: {error.filename}",
            hint="nothing was replaced; look at it, then go on with --overwrite or with another store",
        ) from error
    except ValueError as error:
        raise InputError(str(error), hint="name a store at another place") from error
    data = {
        "source": source,
        "target": target,
        "copied": done.copied,
        "copied_bytes": done.copied_bytes,
        "present": done.present,
    }
    text = (
        f"Migrated {source} to {target}: {done.copied} files ({done.copied_bytes} bytes) copied and "
        f"verified, {done.present} there already."
    )
    return answer(form, data, text)


class _Reporter:
    """A line about every second, so that a log of it can be read too."""

    def __init__(self) -> None:
        self._begun = self._said = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._said >= _REPORT_SECONDS:
            self._said = now
            say(
                f"  {progress.files} files, {progress.copied_bytes / (1 << 20):.0f} MiB copied "
                f"({now - self._begun:.0f} s)"
            )
