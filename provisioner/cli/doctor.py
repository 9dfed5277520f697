"""`provision doctor`: what is needed here, whether it is there, and how to mend it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import click

from provisioner.catalog import PROVIDERS
from provisioner.cli.options import existing_file, format_option, print_json, state_file
from provisioner.errors import ProvisionError

_FREE_BYTES = 1 << 30
_PROBLEMS = 1


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``fix`` is empty when it is in order."""

    name: str
    found: str
    fix: str = ""


@click.command()
@click.argument("files", nargs=-1, callback=existing_file, metavar="[FILE...]")
@click.option("--terraform", metavar="PATH", help="The Terraform or OpenTofu to look at.")
@format_option("text", "json")
def doctor(files: tuple[str, ...], terraform: str | None, form: str) -> int:
    """Check this machine: engine, provider mirror, state file, disk, cloud SDKs, locks of remote states.

    The locks are those of the stacks that are known here and of the manifests FILE…. A lock is tried with an
    object of its own beside the state. Exit 1 when something is wrong.
    """
    checks = [*_engine(terraform), *_mirror(), *_state(), *_disk(), *_sdks(), *_locks(files, terraform)]
    if form == "json":
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            click.echo(f"{'ok ' if not check.fix else 'FIX'}  {check.name}: {check.found}")
            if check.fix:
                click.echo(f"     {check.fix}")
    return _PROBLEMS if any(check.fix for check in checks) else 0


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except ProvisionError as error:
        return Check(name, error.message, error.hint or "see the documentation")


def _engine(terraform: str | None) -> Iterator[Check]:
    from provisioner.terraform.locate import locate
    from provisioner.terraform.version import OLDEST, engine_version, version_numbers

    def look() -> Check:
        executable = locate(terraform)
        version = engine_version(executable)
        least = version_numbers(version) >= OLDEST
        fix = "" if least else "version 1.6 or newer is needed: install it, or the engine extra"
        return Check("terraform", f"{version} ({executable.origin}: {executable.argv[0]})", fix)

    yield _guarded("terraform", look)


def _mirror() -> Iterator[Check]:
    from provisioner.terraform.environment import cli_configuration

    def look() -> Check:
        configuration = cli_configuration(os.environ)
        mirror = os.environ.get("PROVISION_PLUGIN_MIRROR")
        return Check(
            "providers", f"mirror {mirror}" if mirror else f"registry, cached in {configuration.cache}"
        )

    yield _guarded("providers", look)


def _state() -> Iterator[Check]:
    file = state_file()
    state = file.read()
    yield Check("state file", f"{file.location} ({len(state.deployments)} stacks, serial {state.serial})")
    for name in sorted(state.deployments):
        workspace = file.home / "workspaces" / name
        if (workspace / "journal.json").exists():
            yield Check(f"stack {name}", "a run was cut off", f"run: provision recover {name}")


def _disk() -> Iterator[Check]:
    home = state_file().home
    while not home.exists():
        home = home.parent
    free = shutil.disk_usage(home).free
    fix = "" if free >= _FREE_BYTES else "make room: a full disk in the middle of an apply costs the state"
    yield Check("disk", f"{free / (1 << 30):.1f} GiB free at {home}", fix)


def _sdks() -> Iterator[Check]:
    for provider in PROVIDERS.values():
        missing = [package for package in provider.packages if not _is_there(package)]
        found = f"{', '.join(missing)} not installed" if missing else "installed"
        fix = (
            f"if you use {provider.title}: pip install 'stack-provisioner[{provider.extra}]'"
            if missing
            else ""
        )
        yield Check(f"{provider.title} packages", found, fix)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _locks(files: tuple[str, ...], terraform: str | None) -> Iterator[Check]:
    """Whether the lock of each remote state keeps a second writer out: tried, for some services ignore it."""
    from provisioner.cli.doctor_locks import lock_checks, places

    for name, place in places(files, state_file()).items():
        for what, look in lock_checks(place, terraform):
            title = f"{what} of {name}"

            def checked(title: str = title, look: Callable[[], tuple[str, str]] = look) -> Check:
                return Check(title, *look())

            yield _guarded(title, checked)
