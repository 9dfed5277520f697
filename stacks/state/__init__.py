"""The state file: what provisioning writes and the runtime reads."""

from stacks.state.file import StateFile
from stacks.state.records import (
    ArtifactStoreRecord,
    ConnectorRecord,
    DeploymentRecord,
    FlavorRecord,
    StackRecord,
    State,
)

__all__ = [
    "ArtifactStoreRecord",
    "ConnectorRecord",
    "DeploymentRecord",
    "FlavorRecord",
    "StackRecord",
    "State",
    "StateFile",
]
