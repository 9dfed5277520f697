"""Random sequences of calls do on every flavor what they do on the local disk.

Directories are made before they are used, as a disk demands: an object store keeps no directory that nobody
made, once its last file is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from contract_rigs import Rig
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stacks.stores.base import BaseArtifactStore
from stacks.stores.local import LocalArtifactStore

DIRECTORIES = ["d", "d/e", "x", "d/e/y"]
FILES = ["f", "d/f", "d/e/f", "x/g", "d/e/y/g", "d/g"]
directory = st.sampled_from(["", *DIRECTORIES])
file = st.sampled_from(FILES)
content = st.binary(max_size=6)
overwrite = st.booleans()
CALL = st.one_of(
    st.tuples(st.just("write"), file, content, st.sampled_from(["wb", "ab", "xb"])),
    st.tuples(st.just("break"), file, content),
    st.tuples(st.sampled_from(["read", "remove", "size"]), st.one_of(file, directory)),
    st.tuples(st.sampled_from(["exists", "isdir", "listdir", "walk"]), st.one_of(file, directory)),
    st.tuples(st.sampled_from(["makedirs", "mkdir"]), st.sampled_from(DIRECTORIES)),
    st.tuples(st.just("rmtree"), st.one_of(file, st.sampled_from(DIRECTORIES))),
    st.tuples(st.sampled_from(["copyfile", "rename"]), file, file, overwrite),
    st.tuples(st.just("rename"), st.sampled_from(DIRECTORIES), st.sampled_from(DIRECTORIES), overwrite),
    st.tuples(st.just("copytree"), st.sampled_from(DIRECTORIES), st.sampled_from(DIRECTORIES), overwrite),
    st.tuples(st.just("glob"), st.sampled_from(["*", "**", "d/*", "*/f", "**/g", "d/**/f", "[df]*"])),
)


def perform(store: BaseArtifactStore, call: tuple[Any, ...]) -> Any:
    """The observable result of a call: its value, or the type of its error."""
    try:
        return _do(store, *call)
    except OSError as error:
        return type(error).__name__


def _do(store: BaseArtifactStore, name: str, *arguments: Any) -> Any:
    def at(key: str) -> str:
        return f"{store.path}/{key}" if key else store.path

    def relative(path: str) -> str:
        return path[len(store.path) :]

    if name == "write":
        with store.open(at(arguments[0]), arguments[2]) as out:
            out.write(arguments[1])
        return None
    if name == "break":
        out = store.open(at(arguments[0]), "wb")
        try:
            with out:
                out.write(arguments[1])
                raise KeyError
        except KeyError:
            return out.closed
    if name == "read":
        with store.open(at(arguments[0]), "rb") as source:
            return source.read()
    if name == "walk":
        return [(relative(top), names, files) for top, names, files in store.walk(at(arguments[0]))]
    if name == "glob":
        return [relative(path) for path in store.glob(at(arguments[0]))]
    if name in {"copyfile", "rename", "copytree"}:
        return getattr(store, name)(at(arguments[0]), at(arguments[1]), overwrite=arguments[2])
    return getattr(store, name)(at(arguments[0]))


def allowed(model: BaseArtifactStore, call: tuple[Any, ...]) -> bool:
    """Whether both kinds of store can do it: where a file would land, its directory has been made."""
    name = call[0]
    target = call[2] if name in {"copyfile", "rename", "copytree"} else call[1]
    if name in {"write", "break", "copyfile", "rename", "copytree"}:
        return model.isdir(f"{model.path}/{target.rpartition('/')[0]}")
    return True


def everything(store: BaseArtifactStore) -> Any:
    found = perform(store, ("walk", ""))
    files = [f"{top}/{name}".lstrip("/") for top, _, names in found for name in names]
    return found, [perform(store, ("read", path)) for path in files]


def run(make: Callable[[], BaseArtifactStore], folder: Path, calls: list[tuple[Any, ...]]) -> None:
    model = LocalArtifactStore(folder / "model")
    (folder / "model").mkdir()  # a bucket is there before anything is in it
    store = make()
    for call in calls:
        if allowed(model, call):
            assert perform(store, call) == perform(model, call), call
    assert everything(store) == everything(model)


@pytest.mark.parametrize(
    ("name", "examples"),
    [
        ("custom", 150),
        ("moto", 12),
        ("gcs", 8),
        ("azure", 8),
        pytest.param("ceph", 40, marks=pytest.mark.slow),
    ],
)
def test_random_calls_do_the_same_as_on_a_disk(
    name: str, examples: int, start: Callable[[str], Rig], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rig = start(name)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # shrinking repeats the calls hundreds of times, over the network
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.lists(CALL, min_size=8, max_size=30))
    def check(calls: list[tuple[Any, ...]]) -> None:
        run(lambda: rig.fresh()[0], tmp_path_factory.mktemp("model"), calls)

    check()
