"""What the key of a cached step is made of: what the interpreter runs, not what lies in a file by then."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workshop import Workshop, environment

from stacks import PipelineRun, pipeline, step
from stacks.pipelines.code import Unknowable, code_of


def run(one: Any, *args: Any, **kwargs: Any) -> tuple[str, Any]:
    """Runs a pipeline of this step alone; what became of it, and what it returned."""
    done: PipelineRun = pipeline(name="p")(lambda: one(*args, **kwargs))()
    found = done.steps[one.name]
    return found.status, found.output.load()


EDITED = """
import pathlib
from stacks import pipeline, step

@step(enable_cache=False)
def edit(text: str) -> int:
    if text:  # while this step is at work, somebody edits the next one
        pathlib.Path(__file__).write_text(pathlib.Path(__file__).read_text().replace(*text.split(">")))
    return 6

@step
def train(number: int) -> int:
    return number * 2

run = pipeline(name="p")(lambda: train(edit({})))()
print(run.steps["train"].status, run.steps["train"].output.load())
"""


def test_code_that_is_edited_while_the_run_goes_on_is_not_what_has_run(
    workshop: Workshop, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"

    def told(text: str) -> str:
        program.write_text(text)
        return subprocess.run(
            [sys.executable, program], capture_output=True, text=True, check=True, env=environment()
        ).stdout.strip()

    assert told(EDITED.format("'* 2>* 3'")) == "completed 12"
    assert "number * 3" in program.read_text()
    assert told(EDITED.format("''").replace("* 2", "* 3")) == "completed 18"
    assert told(EDITED.format("''")) == "cached 12"


def test_two_functions_on_one_line_are_two(workshop: Workshop) -> None:
    one, two = step(name="one")(lambda: 1), step(name="two")(lambda: 2)

    made = pipeline(name="p")(lambda: (one(), two()))()

    assert [made.steps[name].output.load() for name in ("one", "two")] == [1, 2]
    assert run(one) == ("cached", 1)


def scaled(by: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator with a value."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*args: Any) -> Any:
            return function(*args) * by

        return inner

    return decorate


def test_what_decorators_close_over_counts_however_many_there_are(workshop: Workshop) -> None:
    def made(by: Any) -> Any:
        @step
        @scaled(1)
        @scaled(by)
        def train(number: int) -> int:
            return number

        return train

    assert [run(made(by), 3) for by in (2, 3, 2)] == [("completed", 6), ("completed", 9), ("cached", 6)]
    assert [run(made(Odd(by)), 3) for by in (5, 7)] == [("completed", 15), ("completed", 21)]


class Odd(int):
    """A number that is not plain: nobody knows what else there is to it."""


def test_a_default_that_is_not_plain_is_never_cached(workshop: Workshop) -> None:
    def made(rate: Any) -> Any:
        @step
        def train(number: int, rate: Any = rate) -> int:
            return int(number * rate)

        return train

    assert [run(made(Odd(by)), 3) for by in (2, 5)] == [("completed", 6), ("completed", 15)]
    assert run(made(Odd(9)), 3, rate=4) == ("completed", 12)
    assert run(made(Odd(8)), 3, rate=4) == ("cached", 12)  # it is not used


def test_defaults_of_functions_that_are_closed_over_count(workshop: Workshop) -> None:
    def made(by: Any, more: Any) -> Any:
        def helper(number: int, by: Any = by, *, more: Any = more) -> int:
            return int(number * by + more)

        return step(name="train")(lambda: helper(3))

    assert run(made(2, 0)) == ("completed", 6)
    assert run(made(2, 1)) == ("completed", 7)
    assert run(made(3, 1)) == ("completed", 10)
    assert run(made(2, 1)) == ("cached", 7)
    assert [run(made(Odd(5), 0)), run(made(Odd(6), 0))] == [("completed", 15), ("completed", 18)]


def test_a_function_as_a_default_counts_with_its_code(workshop: Workshop) -> None:
    def made(loss: Any) -> Any:
        @step
        def train(number: int, loss: Any = loss) -> int:
            return int(loss(number))

        return train

    assert run(made(lambda number: number + 1), 3) == ("completed", 4)
    assert run(made(lambda number: number + 2), 3) == ("completed", 5)
    assert run(made(lambda number: number + 1), 3) == ("cached", 4)
    assert [run(made(int), 3), run(made(int), 3)] == [("completed", 3), ("cached", 3)]
    assert [run(made(math.ceil), 2.5), run(made(math.floor), 2.5)] == [("completed", 3), ("completed", 2)]
    assert run(made(math.ceil), 2.5) == ("cached", 3)
    assert [run(made([7, 8].index), 8), run(made([8].index), 8)] == [("completed", 1), ("completed", 0)]


def test_the_order_of_a_mapping_counts(workshop: Workshop) -> None:
    columns = step(name="columns")(lambda table: list(table))  # noqa: PLW0108 - a step is a function of ours

    assert run(columns, {"a": 1, "b": 2}) == ("completed", ["a", "b"])
    assert run(columns, {"b": 2, "a": 1}) == ("completed", ["b", "a"])
    assert run(columns, {"deep": [{"b": 2, "a": 1}]})[0] == "completed"
    assert run(columns, {"a": 1, "b": 2}) == ("cached", ["a", "b"])


class Scale:
    """A step may be a method; its object is not plain."""

    def __init__(self, by: int) -> None:
        self.by = by

    def train(self, number: int) -> int:
        """A method."""
        return number * self.by


def test_what_is_no_function_is_never_cached(workshop: Workshop) -> None:
    assert [run(step(Scale(by).train), 3) for by in (2, 3)] == [("completed", 6), ("completed", 9)]
    partly = [functools.partial(lambda by, number: by * number, by) for by in (2, 3)]
    assert [run(step(name="s")(one), 3) for one in partly] == [("completed", 6), ("completed", 9)]


# ---- of the code ----------------------------------------------------------------------------------------


def shape(text: str) -> list[Any]:
    """What is known of the function ``f`` of this text."""
    space: dict[str, Any] = {}
    exec(compile(text, "somewhere.py", "exec"), space)
    return code_of(space["f"])


BODY = "def f(a):\n    try:\n        return a in {'x', 'y'}\n    except TypeError:\n        return 1\n"
SAME = {
    "comments": BODY.replace("    try", "    # why\n\n    try"),
    "where it is": f"import os\n\n\n{BODY}",
    "its decorators' options": f"def same(*_):\n    return lambda f: f\n@same(7)\n{BODY}",
    "its annotations": BODY.replace("(a)", "(a: 'int') -> 'bool'"),
}
OTHER = {
    "a constant": BODY.replace("1", "2"),
    "the kind of a constant": BODY.replace("return 1", "return True"),
    "a sign": BODY.replace("return 1", "return -1.0"),
    "what is caught": BODY.replace("TypeError", "KeyError"),
    "an operator": BODY.replace(" in ", " not in "),
    "a member of a set": BODY.replace("'y'", "'z'"),
    "its parameters": BODY.replace("(a)", "(a, *b)"),
    "a function within": BODY.replace("return 1", "return lambda: 1"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_what_does_not_change_what_a_function_does(text: str) -> None:
    assert shape(text) == shape(BODY)


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER)
def test_what_changes_what_a_function_does(text: str) -> None:
    assert shape(text) != shape(BODY)


def test_functions_within_functions_count() -> None:
    inner = "def f():\n    def g():\n        return [x + 1 for x in (1, 2)]\n    return g()\n"

    assert shape(inner) == shape(inner)
    assert shape(inner) != shape(inner.replace("+ 1", "+ 2"))


def test_code_is_the_same_in_every_process() -> None:
    """Hashes of texts differ between processes, and so do the orders of sets."""
    program = (
        "import sys\nfrom stacks.pipelines.code import code_of\n"
        f"space = {{}}\nexec({BODY!r}, space)\nprint(code_of(space['f']))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={**environment(), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip

    assert len(told) == 1


def test_a_function_that_closes_over_itself_ends() -> None:
    def made(by: int) -> Callable[[int], int]:
        def count(number: int) -> int:
            return count(number - by) if number > 0 else 0

        return count

    assert code_of(made(1)) == code_of(made(1))
    assert code_of(made(1)) != code_of(made(2))


def test_a_class_made_in_a_function_is_not_known_by_its_name() -> None:
    def made(by: int) -> Callable[[], int]:
        class Local:
            value = by

        return lambda: Local.value

    with pytest.raises(Unknowable, match="Local"):
        code_of(made(1))


def test_an_object_with_a_function_in_it_is_no_step() -> None:
    held = types.SimpleNamespace(function=len)

    with pytest.raises(Unknowable):
        code_of(lambda: held)
