"""Provider configurations that only the state needs: for what the manifest no longer asks for.

Terraform removes a resource with the very configuration that made it, by its alias. A rendering has those
that its manifest needs, and is the same on every machine; what else is needed is known from the state, and
stands in a file of its own beside the rendering. Plans are bound to it as to every file of the root.
"""

from __future__ import annotations

from provisioner.catalog import PROVIDERS
from provisioner.errors import SafetyError
from provisioner.held import held
from provisioner.manifest import Manifest
from provisioner.render import LEFT_BEHIND, render_left_behind
from provisioner.workspace import Workspace
from stacks.state.files import read_private, write_private


def keep_configurations(workspace: Workspace, manifest: Manifest) -> None:
    """Write what the root needs beside its rendering, or remove it when nothing of the kind is held.

    Raises :class:`SafetyError` where the manifest asks for something with another configuration than it was
    made with: Terraform would look for it where it is not, and forget it.
    """
    used = {(one.module, one.configuration) for one in held(workspace) if one.configuration is not None}
    misplaced = [*PROVIDERS[manifest.provider].misplaced(manifest, used)]
    if misplaced:
        raise SafetyError(
            "; ".join(misplaced),
            hint="put it back; for another place add a store of another name, copy what is in this one, then "
            "take this one out",
        )
    text = render_left_behind(manifest, {alias for _, alias in used})
    path = workspace.root / LEFT_BEHIND
    if not text:
        path.unlink(missing_ok=True)
    elif read_private(path) != text.encode():
        write_private(path, text.encode())
