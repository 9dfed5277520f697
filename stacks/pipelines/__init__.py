"""Pipelines of steps, whose outputs are artifacts of the active stack's store; see docs/pipelines.md."""

from __future__ import annotations

from stacks.pipelines.declared import ArtifactConfig
from stacks.pipelines.definition import Pipeline, pipeline
from stacks.pipelines.saving import load_artifact, save_artifact
from stacks.pipelines.steps import Step, step

__all__ = ["ArtifactConfig", "Pipeline", "Step", "load_artifact", "pipeline", "save_artifact", "step"]
