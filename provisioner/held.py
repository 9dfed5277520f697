"""What Terraform's state holds, resource by resource: of its attributes, only names are taken from here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.workspace import Workspace
from stacks.state.files import read_private

_CONFIGURATION = re.compile(r'provider\["[^"]+"\]\.(\w+)')


@dataclass(frozen=True, slots=True)
class Held:
    """One instance of a managed resource. ``attributes`` may be secret, and are never shown."""

    module: str
    """As ``module.store_main``; empty in the root."""
    address: str
    """Without the index of the instance."""
    attributes: Mapping[str, Any]
    configuration: str | None
    """The alias of the root's provider configuration that it was made with; None for the one without."""
    tainted: bool
    """Whether its creation failed in the middle."""


def held(workspace: Workspace) -> Iterator[Held]:
    """Everything that the state of a workspace holds, as it was last seen here.

    The state has been judged before: see :meth:`provisioner.workspace.Workspace.check_state`.
    """
    text = read_private(workspace.state)
    for resource in json.loads(text)["resources"] if text else ():
        if resource["mode"] != "managed":
            continue
        module = resource.get("module", "")
        found = _CONFIGURATION.fullmatch(resource.get("provider", ""))
        for instance in resource["instances"]:
            if "deposed" not in instance:
                yield Held(
                    module=module,
                    address=".".join(filter(None, (module, resource["type"], resource["name"]))),
                    attributes=instance.get("attributes", {}),
                    configuration=found[1] if found else None,
                    tainted=instance.get("status") == "tainted",
                )
