"""Terraform's command lines, one function a verb.

python-terraform builds them; nothing else of it is used. Its constructor reads the state file and its
process handling uses pipes and the whole environment, so both are kept out of the way here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from python_terraform import IsFlagged, Terraform

from provisioner.terraform.locate import Executable


class _CommandLine(Terraform):  # type: ignore[misc]  # python-terraform has no types
    """python-terraform's argv builder, without its reading of the state file."""

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do not read the state: a damaged one is diagnosed elsewhere, and must not stop a command line."""


def _build(executable: Executable, verb: str, *args: str, **options: Any) -> list[str]:
    line: list[str] = _CommandLine().generate_cmd_string(verb, *args, **options)
    # The builder puts its one binary first; ours may be several words (python -m …).
    return [*executable.argv, *line[1:]]


def init(
    executable: Executable,
    *,
    lock_timeout: int = 0,
    keep_lock: bool = False,
    backend: Literal["reconfigure", "migrate"] | None = None,
) -> list[str]:
    """``terraform init``: install the providers the root asks for.

    ``keep_lock`` takes only what the provider lock file names, and does not change it. A root whose backend
    is another than before needs ``backend``: ``reconfigure`` leaves the state where it was, ``migrate``
    copies it over whatever is at the new place. Nothing else here touches the state.
    """
    return _build(
        executable,
        "init",
        input=False,
        no_color=IsFlagged,
        backend=True,
        lock_timeout=f"{lock_timeout}s",
        lockfile="readonly" if keep_lock else None,
        reconfigure=IsFlagged if backend == "reconfigure" else None,
        migrate_state=IsFlagged if backend == "migrate" else None,
        force_copy=IsFlagged if backend == "migrate" else None,
    )


def plan(
    executable: Executable,
    out: str,
    *,
    destroy: bool = False,
    replace: Sequence[str] = (),
    lock_timeout: int = 0,
) -> list[str]:
    """``terraform plan``: always saved, so that what is applied is what was shown. Exit code 2: changes."""
    return _build(
        executable,
        "plan",
        input=False,
        no_color=IsFlagged,
        json=IsFlagged,
        detailed_exitcode=IsFlagged,
        lock_timeout=f"{lock_timeout}s",
        destroy=IsFlagged if destroy else None,
        replace=list(replace),
        out=out,
    )


def apply(executable: Executable, plan_file: str, *, lock_timeout: int = 0) -> list[str]:
    """``terraform apply`` of a saved plan; there is no other kind of apply here."""
    return _build(
        executable,
        "apply",
        plan_file,
        input=False,
        no_color=IsFlagged,
        json=IsFlagged,
        lock_timeout=f"{lock_timeout}s",
    )


def show(executable: Executable, plan_file: str) -> list[str]:
    """``terraform show`` of a saved plan as JSON: sensitive values are in clear in it."""
    return _build(executable, "show", plan_file, no_color=IsFlagged, json=IsFlagged)


def output(executable: Executable) -> list[str]:
    """``terraform output`` as JSON, for a state whose apply nobody watched."""
    return _build(executable, "output", no_color=IsFlagged, json=IsFlagged)


def import_(executable: Executable, address: str, identifier: str, *, lock_timeout: int = 0) -> list[str]:
    """``terraform import``: take something that exists into the state."""
    return _build(
        executable,
        "import",
        address,
        identifier,
        input=False,
        no_color=IsFlagged,
        lock_timeout=f"{lock_timeout}s",
    )


def state_push(executable: Executable, state_file: str, *, force: bool = False) -> list[str]:
    """``terraform state push``: give back a state that an apply could not store.

    ``force`` puts it over one of another lineage, or of a later serial.
    """
    return _build(executable, "state push", state_file, force=IsFlagged if force else None)


def state_pull(executable: Executable) -> list[str]:
    """``terraform state pull``: the state, wherever it lies, on stdout; it takes no lock."""
    return _build(executable, "state pull")


def force_unlock(executable: Executable, lock: str) -> list[str]:
    """``terraform force-unlock``: end the lock of that id, whoever holds it."""
    return _build(executable, "force-unlock", lock, force=IsFlagged)


def version(executable: Executable) -> list[str]:
    """``terraform version`` as JSON."""
    return _build(executable, "version", json=IsFlagged)
