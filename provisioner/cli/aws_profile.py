"""A profile in AWS' own configuration file whose credentials come from a service connector."""

from __future__ import annotations

import itertools
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provisioner.errors import InputError, SafetyError
from stacks.state import ConnectorRecord
from stacks.state.files import make_private_folder, read_private, write_private

_CHOOSING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_OURS = "# written by `provision service-connector login`"


def write_profile(profile: str, connector: str, state: str, settings: Mapping[str, Any]) -> Path:
    """Puts the profile into the configuration file, in the place of an older one of ours; the file's path.

    It names the connector and the state file, and holds no credential. Raises SafetyError when a profile of
    that name is somebody else's, InputError for a name that a profile cannot have.
    """
    if not profile or not profile.isprintable() or set(profile) & set("[]#;\"'"):
        raise InputError(
            f"{profile!r} cannot be the name of a profile", hint="use letters, digits, '-' and '_'"
        )
    path, title = _config_file(), _title(profile)
    lines = (read_private(path) or b"").decode().splitlines()
    lines = _without(lines, title, path)
    place = settings.get("client_kwargs", {})
    block = [
        _OURS,
        title,
        f"credential_process = {_process(connector, state)}",
        *([f"region = {place['region_name']}"] if "region_name" in place else []),
        *([f"endpoint_url = {place['endpoint_url']}"] if "endpoint_url" in place else []),
    ]
    while lines and not lines[-1].strip():
        lines.pop()
    make_private_folder(path.parent)
    write_private(path, "\n".join([*lines, *([""] if lines else []), *block, ""]).encode())
    return path


def _without(lines: list[str], title: str, path: Path) -> list[str]:
    """``lines`` without the profile that an earlier login wrote."""
    if title not in [line.strip() for line in lines]:
        return lines
    start = [line.strip() for line in lines].index(title)
    if start == 0 or lines[start - 1].strip() != _OURS:
        raise SafetyError(
            f"{path} has a profile {title} already, which was not written here",
            hint="choose another name: --profile NAME",
        )
    end = start + 1
    while end < len(lines) and not lines[end].lstrip().startswith(("[", "#")) and lines[end].strip():
        end += 1
    return [*lines[: start - 1], *lines[end:]]


@contextmanager
def without_profile_of(connector: str) -> Iterator[None]:
    """Within it, ``AWS_PROFILE`` names no profile of a login with ``connector``.

    A connector without credentials of its own takes the environment's. From such a profile it would get them
    by asking itself, in one more process each time.
    """
    before = {name: os.environ[name] for name in _CHOOSING if _asks(os.environ.get(name), connector)}
    for name in before:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


def _asks(profile: str | None, connector: str) -> bool:
    """Whether it is a profile whose credential_process asks the connector."""
    if not profile:
        return False
    try:
        lines = _config_file().read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    stripped = [line.strip() for line in lines]
    title = _title(profile)
    if title not in stripped:
        return False
    below = itertools.takewhile(lambda line: not line.startswith("["), stripped[stripped.index(title) + 1 :])
    process = next((line for line in below if line.startswith("credential_process")), "")
    return f" service-connector token {shlex.quote(connector)} " in process


def has_own_credentials(record: ConnectorRecord) -> bool:
    """Whether a connector names its credentials, a profile's for one, instead of taking the environment's."""
    named = record.config.keys() & {"profile_name", "aws_access_key_id"}
    return bool(named) or record.authentication_secret is not None


def made_temporary(record: ConnectorRecord) -> str:
    """The command after which a connector for AWS hands on temporary credentials of the same key.

    A connector that has no key of its own, or that a manifest manages, gets another one beside it.
    """
    implicit = record.auth_method == "implicit"
    if not implicit and record.deployment is None:
        return f"provision service-connector update {record.name} --auth-method session-token"
    config = dict(record.config)
    profile = config.pop("profile_name", None)
    options = {"authentication-secret": record.authentication_secret, "resource-id": record.resource_id}
    words = [
        *(["env", f"AWS_PROFILE={profile}"] if profile is not None else []),
        *("provision", "service-connector", "register", f"{record.name}_temporary", "-t", record.type),
        *("--auth-method", "session-token"),
        *(["--auto-configure"] if implicit else []),
        *(f"--{key}={value}" for key, value in {**options, **config}.items() if value is not None),
    ]
    return shlex.join(words)


def _config_file() -> Path:
    return Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()


def _title(profile: str) -> str:
    return "[default]" if profile == "default" else f"[profile {profile}]"


def _process(connector: str, state: str) -> str:
    # The program that asks may run in any folder, so the state file is named.
    program = [sys.executable, "-m", "provisioner"]
    words = ["env", f"STACKS_STATE={state}", *program, "service-connector", "token", connector]
    return shlex.join([*words, "--format", "credential-process"])
