"""What docs/pipelines.md shows, and the example, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from workshop import Workshop, environment

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "pipelines.md").read_text()
SHOWN = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def said(workshop: Workshop, tmp_path: Path, text: str) -> list[str]:
    """The lines that a program prints."""
    (tmp_path / "program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_pipeline_of_the_page_runs_and_then_is_cached(workshop: Workshop, tmp_path: Path) -> None:
    first, second = (said(workshop, tmp_path, SHOWN[0]) for _ in range(2))

    assert first[0] == "completed"
    assert first[1].startswith("[0.2, 0.4, 0.6000000000000001] train training_pipeline-")
    assert second == ["cached", first[1]]


def test_the_materializer_and_the_filters_of_the_page_work(workshop: Workshop, tmp_path: Path) -> None:
    before = "class Shape:\n    def __init__(self, sides):\n        self.sides = sides\n"
    after = (
        "from stacks import Client, save_artifact\nsave_artifact(Shape(4), 'my_shape')\n"
        "client = Client()\nprint(client.get_artifact_version('my_shape').load().sides)\n"
    )

    assert said(workshop, tmp_path, f"{before}{SHOWN[1]}{after}{SHOWN[2]}") == ["4"]


def test_the_example_finds_the_line_and_has_nothing_to_do_the_second_time(
    workshop: Workshop, tmp_path: Path
) -> None:
    example = (ROOT / "examples" / "pipeline.py").read_text()

    first, second = (said(workshop, tmp_path, example) for _ in range(2))

    assert [line.split(": ")[1] for line in first[:4]] == ["completed"] * 4
    assert [line.split(": ")[1] for line in second[:4]] == ["cached"] * 4
    assert first[4:] == second[4:]
    assert first[4].startswith("my_model version 1: Model(slope=3.0")


def test_every_operator_and_option_is_on_the_pages() -> None:
    from stacks.artifacts.filters import OPERATORS
    from stacks.pipelines.definition import PipelineOptions
    from stacks.pipelines.steps import StepOptions

    commands = (ROOT / "docs" / "commands.md").read_text()
    assert [one for one in OPERATORS if f"`{one}" not in commands] == []
    options = {*StepOptions.__dataclass_fields__, *PipelineOptions.__dataclass_fields__}
    assert [one for one in options if f"`{one}" not in PAGE] == []
