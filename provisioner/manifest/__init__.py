"""The stack manifest: reading it, checking it, writing it, and its JSON Schema."""

from provisioner.manifest.dump import dump_manifest
from provisioner.manifest.extends import Source
from provisioner.manifest.load import LoadedManifest, load_manifest, parse_manifest
from provisioner.manifest.models import (
    ArtifactStore,
    Connector,
    Encryption,
    Lifecycle,
    Manifest,
    StackSpec,
    StateBackend,
)
from provisioner.manifest.normalise import generated_bucket
from provisioner.manifest.schema import json_schema

__all__ = [
    "ArtifactStore",
    "Connector",
    "Encryption",
    "Lifecycle",
    "LoadedManifest",
    "Manifest",
    "Source",
    "StackSpec",
    "StateBackend",
    "dump_manifest",
    "generated_bucket",
    "json_schema",
    "load_manifest",
    "parse_manifest",
]
