"""The proof after an apply: each store is used as a program would, its settings are read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provisioner.errors import UpstreamError
from provisioner.work import Work
from stacks.state.files import write_private

if TYPE_CHECKING:
    from provisioner.verify.probe import Probed


def prove(work: Work, outputs: Mapping[str, Any]) -> tuple[str, ...]:
    """What was tried out on each store, in a sentence.

    Raises :class:`UpstreamError` for settings that are not as the manifest wants them, and what the runtime
    raises for a store that cannot be used, naming the permission that is missing. Until it has come to its
    end, the workspace is marked as unproven.
    """
    from provisioner.verify.probe import probe  # brings the whole runtime, which only this needs

    unproven = work.workspace.unproven
    if unproven.exists():
        work.say("what was applied last was not found to work: looking again")
    write_private(unproven, b"")

    probed = probe(work.state_file, work.manifest, work.say)
    for item in probed:
        _forget_probe(work, item, outputs["artifact_stores"][item.store.name])
    deviations = work.cloud.deviations()
    if deviations:
        raise UpstreamError(
            f"applied and registered, but the settings are not as wanted: {'; '.join(deviations)}",
            hint="run `provision drift`; if it finds nothing, the service does not understand them: see "
            "`compatibility`",
        )
    unproven.unlink()
    return tuple(item.sentence for item in probed)


def _forget_probe(work: Work, probed: Probed, place: Mapping[str, str]) -> None:
    """Delete a probe's old versions: the connector may not, and with them a bucket is never empty."""
    if probed.folder is None or "bucket" not in place:
        return
    prefix = "/".join(filter(None, (probed.store.prefix, probed.folder)))
    try:
        work.cloud.empty(place["bucket"], f"{prefix}/")
    except UpstreamError as error:
        work.say(f"{probed.store.name}: old versions of the probe stay below {prefix}/: {error}")
