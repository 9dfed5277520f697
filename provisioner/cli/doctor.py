"""`provision doctor`: what is needed here, whether it is there, and how to mend it."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

from provisioner.catalog import PROVIDERS, Provider, by_flavor
from provisioner.cli.options import existing_file, format_option, print_json, state_file
from provisioner.errors import ProvisionError
from provisioner.workspace import Workspace
from stacks.errors import StacksError
from stacks.secrets import VARIABLE as SECRET_STORE
from stacks.state import State

if TYPE_CHECKING:
    from provisioner.backends import StatePlace
    from provisioner.manifest import Manifest

_FREE_BYTES = 1 << 30
_PROBLEMS = 1
_EXTRAS_OF_SECRETS = MappingProxyType(
    {"aws-secrets-manager": "s3", "azure-key-vault": "azure", "google-secret-manager": "gcp"}
)


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

    The packages of a cloud are missing where something that is registered here or a manifest FILE… uses it.
    The locks are those of the stacks that are known here and of the manifests FILE…. A lock is tried with an
    object of its own beside the state. Exit 1 when something is wrong.
    """
    known = Known()
    checks = [
        *_engine(terraform),
        *_mirror(),
        *_state(known),
        *_workspaces(known),
        *_manifests(known, files),
        *_disk(known.home),
        *_sdks(known),
        *_locks(known, terraform),
    ]
    if form == "json":
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            click.echo(f"{'ok ' if not check.fix else 'FIX'}  {check.name}: {check.found}")
            if check.fix:
                click.echo(f"     {check.fix}")
    return _PROBLEMS if any(check.fix for check in checks) else 0


@dataclass
class Known:
    """What is known of the stacks here, as far as it can be read; filled by the checks that read it."""

    home: Path = field(default_factory=Path.cwd)
    state: State = field(default_factory=State)
    manifests: list[Manifest] = field(default_factory=list)
    places: dict[str, StatePlace] = field(default_factory=dict)
    """Remote states of Terraform, by the stack's name."""


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """What ``look`` finds; where it fails, that is what was found."""
    try:
        return look()
    except (ProvisionError, StacksError) as error:
        return Check(name, str(error), error.hint or "see the documentation")
    except OSError as error:
        return Check(name, str(error), "check the owner and the mode of that file and of its folder")


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


def _state(known: Known) -> Iterator[Check]:
    def look() -> Check:
        file = state_file()
        known.home = file.home
        known.state = file.read()
        stacks, serial = len(known.state.deployments), known.state.serial
        return Check("state file", f"{file.location} ({stacks} stacks, serial {serial})")

    yield _guarded("state file", look)


def _workspaces(known: Known) -> Iterator[Check]:
    """What is wrong with the workspaces: not only those that a state file names, which may be damaged."""
    folders: list[Path] = []

    def look() -> Check:
        above = known.home / "workspaces"
        if above.exists():
            folders.extend(sorted(path for path in above.iterdir() if path.is_dir()))
        return Check("workspaces", str(len(folders)))

    def look_into(folder: Path) -> Check:
        place = Workspace(folder).state_place()
        if place is not None:
            known.places[folder.name] = place
        cut_off = (folder / "journal.json").exists()
        fix = f"run: provision recover {folder.name}" if cut_off else ""
        return Check(f"stack {folder.name}", "a run was cut off", fix)

    found = [_guarded("workspaces", look)]
    found += [_guarded(f"stack {folder.name}", functools.partial(look_into, folder)) for folder in folders]
    yield from (check for check in found if check.fix)


def _manifests(known: Known, files: tuple[str, ...]) -> Iterator[Check]:
    """What is wrong with the manifests that were named; what they say is known then."""
    from provisioner.backends import place_of
    from provisioner.manifest import load_manifest

    for file in files:
        title = f"manifest {file}"

        def look(file: str = file, title: str = title) -> Check:
            manifest = load_manifest(Path(file)).manifest
            known.manifests.append(manifest)
            place = place_of(manifest)
            if place is not None:
                known.places[manifest.name] = place
            return Check(title, "valid")

        yield _guarded(title, look)


def _disk(home: Path) -> Iterator[Check]:
    def look() -> Check:
        folder = home
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        fix = (
            "" if free >= _FREE_BYTES else "make room: a full disk in the middle of an apply costs the state"
        )
        return Check("disk", f"{free / (1 << 30):.1f} GiB free at {folder}", fix)

    yield _guarded("disk", look)


def _sdks(known: Known) -> Iterator[Check]:
    used = _used_extras(known)
    for provider in PROVIDERS.values():
        missing = [package for package in provider.packages if not _is_there(package)]
        title = f"{provider.title} packages"
        if not missing:
            yield Check(title, "installed")
        elif provider.extra in used:
            install = f"pip install 'stack-provisioner[{provider.extra}]'"
            yield Check(
                title, f"{', '.join(missing)} not installed, and {used[provider.extra]} needs them", install
            )
        else:
            yield Check(title, f"{', '.join(missing)} not installed; nothing that is known here needs them")


def _used_extras(known: Known) -> dict[str | None, str]:
    """The extras whose packages something here needs, each with one thing that does."""
    state = known.state
    needs = [
        *((PROVIDERS.get(item.provider), f"the stack {item.name}") for item in state.deployments.values()),
        *((PROVIDERS.get(item.provider), f"the stack {item.name}") for item in known.manifests),
        *((by_flavor(item.flavor), f"the store {item.name}") for item in state.artifact_stores.values()),
        *((_of_type(item.type), f"the connector {item.name}") for item in state.connectors.values()),
    ]
    secrets = _EXTRAS_OF_SECRETS.get(os.environ.get(SECRET_STORE, "").strip().partition("://")[0])
    used: dict[str | None, str] = {} if secrets is None else {secrets: SECRET_STORE}
    used |= {place.backend.extra: f"the state of {name}" for name, place in known.places.items()}
    used |= {provider.extra: what for provider, what in reversed(needs) if provider is not None}
    return used


def _of_type(connector_type: str) -> Provider | None:
    return next((item for item in PROVIDERS.values() if item.connector_type == connector_type), None)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _locks(known: Known, terraform: str | None) -> Iterator[Check]:
    """Whether the lock of each remote state keeps a second writer out: tried, for some services ignore it."""
    from provisioner.cli.doctor_locks import lock_checks

    for name, place in known.places.items():
        for what, look in lock_checks(place, terraform):
            title = f"{what} of {name}"

            def checked(title: str = title, look: Callable[[], tuple[str, str]] = look) -> Check:
                return Check(title, *look())

            yield _guarded(title, checked)
