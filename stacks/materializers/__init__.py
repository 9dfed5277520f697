"""How values become files and values again; see docs/pipelines.md."""

from __future__ import annotations

from stacks.materializers.base import BaseMaterializer, Declined
from stacks.materializers.files import ArtifactFiles, FileDigest

__all__ = ["ArtifactFiles", "BaseMaterializer", "Declined", "FileDigest"]
