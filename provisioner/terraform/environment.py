"""The environment and the CLI configuration that Terraform runs with: ours, not the user's shell's."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from provisioner.catalog import PROVIDERS
from provisioner.errors import InputError
from provisioner.hcl import quote

_log = logging.getLogger(__name__)

# The AWS provider spends a quarter of its processor time on collecting garbage at Go's default of 100; twice
# the heap growth costs some 40 MB and makes a plan that much cheaper. A user's own GOGC is kept.
_GOGC = "200"

# Ours to hold, of no use to Terraform: a provider or a provisioner must never see it.
_WITHHELD = frozenset({"STACKS_SECRET_KEY"})


@dataclass(frozen=True, slots=True)
class CliConfiguration:
    """Text of a Terraform CLI configuration file, and the plugin cache it names."""

    text: str
    cache: Path

    @property
    def digest(self) -> str:
        """Changes whenever providers would be installed from elsewhere."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def cache_directory() -> Path:
    """Where downloaded providers are kept between stacks."""
    return Path(platformdirs.user_cache_dir("stack-provisioner"))


def cli_configuration(environ: Mapping[str, str]) -> CliConfiguration:
    """The CLI configuration: a shared plugin cache, and the mirror that ``PROVISION_PLUGIN_MIRROR`` names.

    Raises :class:`InputError` when the mirror is not a folder.
    """
    cache = cache_directory() / "plugins"
    lines = ["disable_checkpoint = true", f"plugin_cache_dir = {quote(str(cache))}"]
    mirror = environ.get("PROVISION_PLUGIN_MIRROR")
    if mirror:
        path = Path(mirror).expanduser().absolute()
        if not path.is_dir():
            raise InputError(
                f"PROVISION_PLUGIN_MIRROR names {mirror!r}, which is not a folder",
                hint="name the folder that holds registry.terraform.io/, as "
                "`terraform providers mirror` makes it",
            )
        lines += [
            "provider_installation {",
            "  filesystem_mirror {",
            f"    path = {quote(str(path))}",
            "  }",
            "}",
        ]
    return CliConfiguration("\n".join(lines) + "\n", cache)


def build_environment(environ: Mapping[str, str], configuration: Path) -> dict[str, str]:
    """The child's environment: the caller's without any ``TF_*`` of its own, plus ours.

    What is dropped is said once, as a warning: ``TF_CLI_ARGS`` or ``TF_WORKSPACE`` left in a shell would
    otherwise change what a reviewed plan does.
    """
    dropped = sorted(name for name in environ if name.startswith("TF_"))
    if dropped:
        _log.warning("ignored from the environment: %s", ", ".join(dropped))
    kept = {
        name: value for name, value in environ.items() if not name.startswith("TF_") and name not in _WITHHELD
    }
    identities: dict[str, str] = {}
    for provider in PROVIDERS.values():
        identities |= provider.terraform_environment(environ)
    ours = {
        "TF_CLI_CONFIG_FILE": str(configuration),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "GOGC": environ.get("GOGC", _GOGC),
    }
    return {**kept, **identities, **ours}
