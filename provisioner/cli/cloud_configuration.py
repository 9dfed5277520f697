"""What `login` writes for gcloud and az: names of accounts and identities, never a credential."""

from __future__ import annotations

import configparser
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from provisioner.errors import InputError, SafetyError
from stacks.state.files import make_private_folder, read_private, write_private

_OURS = "# written by `provision service-connector login`\n"
_CONFIGURATION = re.compile(r"[a-z][-a-z0-9]{0,62}")  # gcloud's own rule


def write_gcloud_configuration(name: str, properties: Mapping[str, Mapping[str, object]]) -> Path:
    """One named configuration of gcloud, in the place of an older one of ours; its path.

    Raises InputError for a name that gcloud would not take, SafetyError when that configuration is somebody
    else's. See https://cloud.google.com/sdk/docs/configurations.
    """
    if not _CONFIGURATION.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a configuration of gcloud",
            hint="give another: --profile NAME, of a-z, 0-9 and '-', beginning with a letter",
        )
    home = Path(os.environ.get("CLOUDSDK_CONFIG") or "~/.config/gcloud").expanduser()
    path = home / "configurations" / f"config_{name}"
    held = (read_private(path) or b"").decode()
    if held and not held.startswith(_OURS):
        raise SafetyError(
            f"{path} is there already, and was not written here", hint="choose another name: --profile NAME"
        )
    parser = configparser.RawConfigParser()
    parser.read_dict(_given(properties))
    make_private_folder(path.parent)
    write_private(path, (_OURS + _text(parser)).encode())
    return path


def write_az_defaults(values: Mapping[str, str]) -> Path:
    """The defaults of ``az storage``, in az's own configuration; its path.

    Raises SafetyError when it names others already. See
    https://learn.microsoft.com/cli/azure/azure-cli-configuration.
    """
    path = Path(os.environ.get("AZURE_CONFIG_DIR") or "~/.azure").expanduser() / "config"
    parser = configparser.RawConfigParser()
    try:
        parser.read_string((read_private(path) or b"").decode())
    except configparser.Error as error:
        raise SafetyError(f"{path} cannot be read, so nothing is written to it", hint=str(error)) from error
    held = dict(parser["storage"]) if parser.has_section("storage") else {}
    for key, value in values.items():
        if held.get(key, value) != value:
            raise SafetyError(
                f"{path} has {key} = {held[key]} for az storage already",
                hint=f"take that out (az config unset storage.{key}), or run a command with the connector: "
                "provision service-connector login NAME -- az storage …",
            )
    parser.read_dict({"storage": {**held, **values}})
    make_private_folder(path.parent)
    write_private(path, _text(parser).encode())
    return path


def _given(properties: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    kept = {
        section: {key: str(value) for key, value in values.items() if value}
        for section, values in properties.items()
    }
    return {section: values for section, values in kept.items() if values}


def _text(parser: configparser.RawConfigParser) -> str:
    written = io.StringIO()
    parser.write(written)
    return written.getvalue()
