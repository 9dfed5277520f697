"""Find the Terraform modules and the templates, in an installed wheel or in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from provisioner.errors import ProvisionError

_PACKAGE = Path(__file__).resolve().parent


@cache
def assets_root() -> Path:
    """The folder that holds ``modules/`` and ``templates/``.

    Raises :class:`ProvisionError` when neither the wheel's copy nor a checkout is there.
    """
    for candidate in (_PACKAGE / "_assets", _PACKAGE.parent):
        if (candidate / "modules").is_dir() and (candidate / "templates").is_dir():
            return candidate
    raise ProvisionError(
        "this installation has no Terraform modules: the folders «modules» and «templates» are missing",
        hint="install it again: pip install --force-reinstall stack-provisioner",
    )


def templates_root() -> Path:
    """The folder of the Jinja2 templates."""
    return assets_root() / "templates"


def module_files(folder: str) -> dict[str, str]:
    """The Terraform files of one module as ``{name: text}``, in name order.

    ``folder`` is relative to ``modules/``, for example ``aws/artifact-store``. Only what Terraform reads
    is taken: a module's tests and README stay where they are reviewed.
    """
    root = assets_root() / "modules" / folder
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(root.glob("*.tf"))}
    if not files:
        raise ProvisionError(f"the module {folder} has no Terraform files", hint="install the product again")
    return files
