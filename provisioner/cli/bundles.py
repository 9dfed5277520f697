"""What `plan --out` and `apply --plan` do with bundles: their places, and the keys that sign them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from provisioner.cli.options import say, state_file
from provisioner.engine import Confirm, Engine, Result
from provisioner.errors import InputError, StalePlanError
from provisioner.fleet.changed import manifest_at
from provisioner.manifest import LoadedManifest, load_manifest
from provisioner.output_files import check_folder, make_folder, writing
from stacks.errors import StateError

if TYPE_CHECKING:
    from provisioner.bundle import Bundle

_F = TypeVar("_F", bound=Callable[..., Any])

SUFFIX = ".bundle"
REQUIRED = "PROVISION_REQUIRE_SIGNATURE"
"""The variable with public keys, separated by commas: then nothing is applied but bundles signed with one."""


def keeping_options(command: _F) -> _F:
    """``--out`` and ``--sign-with``."""
    for option in (
        click.option("--sign-with", metavar="KEY", help="Sign the bundle: a key file or {{secret.key}}."),
        click.option(
            "--out",
            metavar="BUNDLE",
            help="Save the plan, bound to what it was made from; a folder holds one bundle for each stack.",
        ),
    ):
        command = option(command)
    return command


def applying_options(command: _F) -> _F:
    """``--plan`` and what is asked of it."""
    for option in (
        click.option(
            "--any-commit", is_flag=True, help="Another git commit will do: all else is compared by content."
        ),
        click.option(
            "--require-signature",
            multiple=True,
            metavar="PUBKEY",
            help="Apply only what is signed with this key: a file, or ed25519:…. May be repeated.",
        ),
        click.option("--destroy", is_flag=True, help="With --plan: the bundle of a destroy is meant."),
        click.option(
            "--plan",
            "plan_path",
            metavar="BUNDLE",
            help="Apply this very plan, if nothing has changed since; or a folder of bundles.",
        ),
    ):
        command = option(command)
    return command


# --- plan --out ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps plans as bundles. ``out`` is a file, or with ``folder`` the folder of all of them."""

    out: Path | None
    folder: bool
    key: bytes | None
    revision: str | None = None
    """Where there is no other manifest to compare with, the one of this revision."""

    @classmethod
    def create(
        cls, out: str | None, sign_with: str | None, *, many: bool, revision: str | None = None
    ) -> Keeper:
        """From the options.

        Raises :class:`InputError` for a key without a bundle, or that is none, and for a place that no bundle
        can be written to.
        """
        if out is None:
            if sign_with is not None:
                raise InputError("--sign-with signs a bundle, and none is made", hint="add --out BUNDLE")
            return cls(None, folder=False, key=None, revision=revision)
        with writing(Path(out)):
            folder = many or out.endswith("/") or Path(out).is_dir()
            if folder:
                make_folder(Path(out))
        check_folder(Path(out) if folder else Path(out).parent)
        key = read_signing_key(sign_with) if sign_with is not None else None
        return cls(Path(out), folder, key, revision)

    def plan(self, engine: Engine, loaded: LoadedManifest, *, destroy: bool) -> Result:
        """Plan one stack, and keep the plan if that was asked for."""
        before = manifest_at(self.revision, loaded) if self.revision is not None else None
        result = engine.plan(loaded, destroy=destroy, keep=self.out is not None, before=before)
        if self.out is not None and result.summary.denied:
            engine.say("no bundle is made: the policy does not allow it")
        if self.out is not None and result.bundle is not None:
            bundle = result.bundle.signed(self.key) if self.key is not None else result.bundle
            path = self.out / f"{loaded.manifest.name}{SUFFIX}" if self.folder else self.out
            try:
                bundle.write(path)
            except StateError as error:  # which speaks of state files
                raise InputError(error.message, hint="name another place with --out") from error
            engine.say(f"{path}: the plan, bound to {_bound_to(bundle)}")
        return result


def _bound_to(bundle: Bundle) -> str:
    revision = bundle.record.revision
    parts = ["the manifest, the modules and the state"]
    if revision is not None:
        parts.append(f"commit {revision.commit[:12]}")
        if revision.dirty:
            parts.append(f"with changes that are not committed: {', '.join(revision.dirty)}")
    if bundle.signature is not None:
        parts.append(f"signed with {bundle.signature.public_key}")
    return ", ".join(parts)


# --- apply --plan -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies plans: those of bundles, by stack, or new ones where there are no bundles."""

    bundles: Mapping[str, Bundle] | None
    destroy: bool = False
    any_commit: bool = False

    @classmethod
    def create(
        cls, plan_path: str | None, require_signature: Sequence[str], *, destroy: bool, any_commit: bool
    ) -> Applier:
        """From the options and the environment.

        Raises :class:`StalePlanError` for a bundle that is not as it was written or not signed as required,
        and :class:`InputError` for options that need a bundle.
        """
        trusted = [*map(read_public_key_option, require_signature), *_required_by_environment()]
        if plan_path is None:
            if require_signature or destroy or any_commit:
                raise InputError(
                    "--require-signature, --destroy and --any-commit are about a bundle",
                    hint="add --plan BUNDLE; to destroy without one: provision destroy",
                )
            if trusted:
                raise StalePlanError(
                    f"{REQUIRED} is set: only signed bundles are applied here",
                    hint="provision plan --out BUNDLE --sign-with KEY, then: provision apply --plan BUNDLE",
                )
            return cls(None)
        from provisioner.bundle import read_bundle

        bundles: dict[str, Bundle] = {}
        for path in bundle_paths(Path(plan_path)):
            bundle = read_bundle(path)
            bundle.refuse_unsigned(trusted, required=bool(trusted))
            if bundle.record.stack in bundles:
                raise InputError(
                    f"{path} and {bundles[bundle.record.stack].name} are both for {bundle.record.stack}",
                    hint="keep one of them",
                )
            bundles[bundle.record.stack] = bundle
        return cls(bundles, destroy, any_commit)

    def manifests(self, overrides: Sequence[str]) -> list[LoadedManifest]:
        """The manifests that the bundles name, seen from the working directory."""
        bundles = (self.bundles or {}).values()
        return [
            load_manifest(Path(bundle.record.manifest.path), self.overrides(bundle.record.stack, overrides))
            for bundle in bundles
        ]

    def overrides(self, stack: str | None, given: Sequence[str]) -> Sequence[str]:
        """Those of the bundle, unless others are given: then it is the bundle that refuses them."""
        bundles = self.bundles or {}
        if given or not bundles:
            return given
        bundle = bundles.get(stack) if stack is not None else next(iter(bundles.values()))
        return bundle.record.manifest.overrides if bundle is not None else ()

    def apply(self, engine: Engine, loaded: LoadedManifest, *, confirm: Confirm, verify: bool) -> Result:
        """Apply one stack. Raises :class:`InputError` for one that there is no bundle of."""
        if self.bundles is None:
            return engine.apply(loaded, confirm=confirm, verify=verify)
        name = loaded.manifest.name
        bundle = self.bundles.get(name)
        if bundle is None and len(self.bundles) == 1:
            bundle = next(iter(self.bundles.values()))  # which refuses, and says which stack it is for
        if bundle is None:
            raise InputError(f"there is no bundle for {name}", hint=f"there are: {', '.join(self.bundles)}")
        return engine.apply_bundle(
            loaded,
            bundle,
            confirm=confirm,
            verify=verify,
            destroy=self.destroy,
            any_commit=self.any_commit,
        )


def bundle_paths(path: Path) -> list[Path]:
    """The bundle at ``path``, or those in it. Raises :class:`InputError` when there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(f"*{SUFFIX}"))
    if not found:
        raise InputError(
            f"there is no bundle in {path}", hint=f"they are named STACK{SUFFIX}: provision plan --out {path}"
        )
    return found


# --- keys ---------------------------------------------------------------------------------------------


def read_signing_key(option: str) -> bytes:
    """The private key that an option names: in a file, or in a secret.

    Raises :class:`InputError` for a key given in the open.
    """
    from stacks.secrets import references, resolve, secret_store

    if references(option):
        return str(resolve(option, secret_store(state_file().home))).encode()
    if "PRIVATE KEY" in option:
        raise InputError(
            "a private key on the command line can be read by every user of this machine",
            hint="name its file, or {{secret.key}} after: provision secret create NAME --key=@FILE",
        )
    path = Path(option)
    try:
        if path.stat().st_mode & 0o077:
            say(f"warning: {option} can be read by others: chmod 600 {option}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"--sign-with: {option} cannot be read: {error.strerror}",
            hint="name a file of `provision bundle keygen`, or {{secret.key}}",
        ) from error


def read_public_key_option(option: str) -> str:
    """The public key that an option gives or names the file of."""
    from provisioner.bundle.signing import read_public_key

    path = Path(option)
    if ":" not in option and " " not in option and path.is_file():
        return read_public_key(path.read_text(encoding="utf-8", errors="replace"))
    return read_public_key(option)


def _required_by_environment() -> list[str]:
    keys = os.environ.get(REQUIRED, "")
    return [read_public_key_option(key.strip()) for key in keys.split(",") if key.strip()]
