"""Artifact versions, runs and their lineage, recorded in the store itself; see docs/pipelines.md."""

from __future__ import annotations

from stacks.artifacts.history import Artifact, History
from stacks.artifacts.models import ArtifactVersion, Page, PipelineRun, StepRun

__all__ = ["Artifact", "ArtifactVersion", "History", "Page", "PipelineRun", "StepRun"]
