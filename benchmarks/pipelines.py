"""What a pipeline costs beyond its steps: against ZenML on a local stack, and against bare files.

Each side is a process of its own that has imported everything and run once; only the runs are timed. ZenML's
step logs and metadata are turned off: they are not what is compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.measure import HEADER, interleaved

STEPS = 20
OUTPUTS = 1000
_ROOT = Path(__file__).parent.parent
_ZENML = _ROOT / ".venv-peers" / "bin" / "python"

# Both sides run the same functions; a line on stdin says what to run, and one on stdout that it is done.
_STEPS = """
import sys
{imports}

@step
def first() -> int:
    return 0

@step
def add(number: int, more: int) -> int:
    return number + more

@pipeline({off})
def chain(steps: int, start: int):
    number = first()
    for more in range(steps):
        number = add(number, more + start)

fresh = 0
print("##ready", flush=True)
for line in sys.stdin:
    work, count = line.split()
    if work == "fresh":
        fresh += 1000
    if work in ("fresh", "cached"):
        chain(steps=int(count), start=fresh)
    else:
        bare(int(count))
    print("##done", flush=True)
"""
_OURS = """
import os
from stacks import Client, pipeline, step
client = Client()
client.register_artifact_store("disk", "local", path=os.environ["BENCH_STORE"])
client.register_stack("here", "disk", activate=True)
"""
_BARE = """
import cloudpickle
from stacks.stores.local import LocalArtifactStore
store = LocalArtifactStore(os.environ["BENCH_STORE"])
times = 0
def bare(count):
    global times
    times += 1
    for number in range(count):
        path = f"{store.path}/bare/{times}/{number}/data.pkl"
        with store.open(path, "wb") as file:
            cloudpickle.dump(number, file)
        with store.open(path, "rb") as file:
            cloudpickle.load(file)
"""


class _Worker:
    """A process that works when it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._wait("##ready")

    def __call__(self, work: str, count: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{work} {count}\n")
        self._process.stdin.flush()
        self._wait("##done")

    def _wait(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == word:
                return
        raise RuntimeError(f"it ended with {self._process.wait()} before it said {word}")


@contextmanager
def _worker(python: str, program: str, folder: Path) -> Iterator[_Worker]:
    folder.mkdir()
    (folder / "bench.py").write_text(program)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "PYTHONPATH": str(_ROOT) if python == sys.executable else "",
        "STACKS_STATE": str(folder / "state.json"),
        "BENCH_STORE": str(folder / "store"),
        "ZENML_CONFIG_PATH": str(folder / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "ZENML_LOGGING_VERBOSITY": "ERROR",
        "AUTO_OPEN_DASHBOARD": "false",
    }
    process = subprocess.Popen(
        [python, "bench.py"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    try:
        yield _Worker(process)
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Print the table."""
    print(f"## Pipelines (Python {sys.version.split()[0]}, local disk)\n\n{HEADER}")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(
            _worker(sys.executable, _STEPS.format(imports=_OURS + _BARE, off=""), scratch / "ours")
        )
        _against_zenml(stack, ours, scratch)
        print(
            interleaved(
                f"{OUTPUTS} small outputs handed on, each with version, record and cache entry",
                lambda: ours("fresh", OUTPUTS),
                lambda: ours("bare", OUTPUTS),
                peer_name="cloudpickle dump and load through the same store, nothing recorded",
                runs=3,
            ).row(),
            flush=True,
        )


def _against_zenml(stack: ExitStack, ours: _Worker, scratch: Path) -> None:
    imports = "from zenml import pipeline, step"
    off = "enable_step_logs=False, enable_artifact_metadata=False"
    program = _STEPS.format(imports=imports, off=off)
    try:
        peer = stack.enter_context(_worker(str(_ZENML), program, scratch / "zenml"))
    except (OSError, RuntimeError) as error:
        print(f"| against ZenML | | it does not run here ({error}): `make bench` installs it | | |")
        return
    for work, workload in (
        ("fresh", f"a pipeline of {STEPS} steps, all run"),
        ("cached", f"a pipeline of {STEPS} steps, all cached"),
    ):
        print(
            interleaved(
                workload,
                lambda work=work: ours(work, STEPS),
                lambda work=work: peer(work, STEPS),
                peer_name="ZenML 0.98.0, local stack",
                runs=5,
            ).row(),
            flush=True,
        )


if __name__ == "__main__":
    main()
