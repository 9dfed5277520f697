"""The regions beside the stack's own, by the aliases that the root gives their provider configurations."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioner.manifest import Manifest

_ALIAS = "replica_"


def regions_left(needed: Collection[str], aliases: Collection[str]) -> list[dict[str, str]]:
    """Those of ``aliases`` that are not ``needed`` (which lack what all begin with), and their regions."""
    found = sorted(alias.removeprefix(_ALIAS) for alias in aliases if alias.startswith(_ALIAS))
    return [{"alias": alias, "name": _region(alias)} for alias in found if alias not in needed]


def copies_elsewhere(manifest: Manifest, used: Collection[tuple[str, str]]) -> Iterator[str]:
    """Copies that lie in another region than the manifest says, in words: neither bucket nor key can move."""
    for store in manifest.artifact_stores:
        if store.profile != "strict":
            continue
        modules = {f"module.replica_{name}" for name in (store.name, store.renamed_from)}
        regions = {_region(alias.removeprefix(_ALIAS)) for module, alias in used if module in modules}
        for region in sorted(regions - {str(store.replica_region)}):
            yield (
                f"the copies of {store.name} lie in {region}, and the manifest now has them in "
                f"{store.replica_region}"
            )


def _region(alias: str) -> str:
    """The name of a region has no underscores."""
    return alias.replace("_", "-")
