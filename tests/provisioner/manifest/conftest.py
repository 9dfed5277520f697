"""A way to ask what is wrong with a manifest."""

from __future__ import annotations

import pytest
from manifest_samples import ProblemsOf

from provisioner.errors import ManifestError
from provisioner.manifest import parse_manifest


@pytest.fixture
def problems_of() -> ProblemsOf:
    """The problems of a manifest's text, each as a user reads it; an empty list when there is none."""

    def problems(text: str, *overrides: str) -> list[str]:
        try:
            parse_manifest(text, file="stack.yaml", overrides=overrides)
        except ManifestError as error:
            return [str(problem) for problem in error.problems]
        return []

    return problems
