"""The contract of names that are taken, when others take them at the same time.

The other one comes in the worst moment: after the look whether the name is free, and before it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from contract_rigs import Rig, Scene
from fault_proxy import AZURE, GCS, S3, Answer, Proxy, Request, proxy

from stacks.stores.keyed import KeyedArtifactStore

Other = Callable[[], object]


@pytest.fixture(params=["local", "custom", "moto", "gcs", "azure"])
def rig(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Rig:
    return start(request.param)


@pytest.fixture
def then(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[[Other], None]:
    """What another program does once, as soon as the store has looked."""

    def arrange(other: Other) -> None:
        looked = KeyedArtifactStore._is_there
        todo = [other]

        def look(self: Any, key: str) -> bool:
            found = looked(self, key)
            if todo:
                todo.pop()()
            return found

        monkeypatch.setattr(KeyedArtifactStore, "_is_there", look)

    return arrange


def copies_under_a_condition(rig: Rig) -> None:
    if rig.name in {"moto", "gcs", "custom"}:
        pytest.skip(f"the service of the rig {rig.name} does not heed the condition of a copy")


@pytest.mark.parametrize("verb", ["copyfile", "rename"])
def test_a_file_that_came_meanwhile_is_not_replaced(
    scene: Scene, then: Callable[[Other], None], verb: str
) -> None:
    copies_under_a_condition(scene.rig)
    scene.put("source", b"mine")
    then(lambda: scene.put("target", b"theirs"))
    with pytest.raises(FileExistsError, match="target"):
        getattr(scene.store, verb)(scene.at("source"), scene.at("target"))
    assert scene.get("target") == b"theirs"
    assert scene.get("source") == b"mine"


def test_a_directory_that_came_meanwhile_is_not_made_again(
    scene: Scene, then: Callable[[Other], None]
) -> None:
    if scene.rig.name == "custom":
        pytest.skip("the example makes directories without a condition")
    then(lambda: scene.store.makedirs(scene.at("lock")))
    with pytest.raises(FileExistsError, match="lock"):
        scene.store.mkdir(scene.at("lock"))
    scene.store.mkdir(scene.at("another"))
    assert scene.store.listdir(scene.store.path) == ["another", "lock"]


# ---- services that heed the condition of a copy, which those of the rigs do not -------------------------

Between = tuple[Scene, Proxy]


@pytest.fixture(params=["moto", "gcs", "azure"])
def between(request: pytest.FixtureRequest, start: Callable[[str], Rig]) -> Iterator[Between]:
    """A store behind a proxy, which answers as a service does that looks at the condition."""
    rig = start(request.param)
    with proxy(rig.endpoint, {"moto": S3, "gcs": GCS, "azure": AZURE}[request.param]) as running:
        settings: dict[str, dict[str, Any]] = {
            "moto": {"client_kwargs": {"endpoint_url": running.url}},
            "gcs": {"endpoint_url": running.url},
            "azure": {"account_url": f"{running.url}/devstoreaccount1"},
        }
        store, prefix = rig.fresh(**settings[request.param])
        scene = Scene(store, prefix, rig)

        def is_taken(request: Request) -> bool:
            return bool(request.condition) and "target" in scene.files()

        if request.param != "azure":  # Azurite looks at it by itself
            running.faults.breaks("412", 100, is_taken)
        yield scene, running


@pytest.mark.parametrize("verb", ["copyfile", "rename"])
def test_the_service_is_asked_to_replace_nothing(
    between: Between, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    scene, _ = between
    scene.put("source", b"mine")
    scene.put("target", b"theirs")
    monkeypatch.setattr(KeyedArtifactStore, "_is_there", lambda *_: False)  # it looked before theirs came
    with pytest.raises(FileExistsError, match="target"):
        getattr(scene.store, verb)(scene.at("source"), scene.at("target"))
    assert (scene.get("source"), scene.get("target")) == (b"mine", b"theirs")
    getattr(scene.store, verb)(scene.at("source"), scene.at("target"), overwrite=True)
    assert scene.get("target") == b"mine"


def lose_an_answer(between: Proxy) -> list[Request]:
    """The service does the first thing that is asked under a condition, but its answer is another's."""
    lost: list[Request] = []

    def lose(request: Request, answer: Answer) -> Answer:
        if request.condition and not lost:
            lost.append(request)
            return Answer(503, {}, b"")
        return answer

    between.faults.change = lose
    return lost


@pytest.mark.parametrize("verb", ["copyfile", "rename"])
def test_a_copy_whose_answer_is_lost_does_not_take_itself_for_anothers(between: Between, verb: str) -> None:
    scene, proxied = between
    scene.put("source", b"mine")
    lost = lose_an_answer(proxied)
    getattr(scene.store, verb)(scene.at("source"), scene.at("target"))
    assert scene.get("target") == b"mine"
    assert lost


def test_nor_does_a_directory(between: Between) -> None:
    scene, proxied = between
    lost = lose_an_answer(proxied)
    scene.store.mkdir(scene.at("folder"))
    assert scene.store.isdir(scene.at("folder"))
    assert lost
    with pytest.raises(FileExistsError):
        scene.store.mkdir(scene.at("folder"))


@pytest.mark.parametrize("between", ["moto"], indirect=True)
def test_a_service_without_such_conditions_is_asked_without(between: Between) -> None:
    scene, proxied = between
    scene.put("source", b"mine")
    calls: list[Other] = [
        lambda: scene.store.copyfile(scene.at("source"), scene.at("copy")),
        lambda: scene.store.rename(scene.at("source"), scene.at("moved")),
        lambda: scene.store.mkdir(scene.at("folder")),
    ]
    for call in calls:
        proxied.faults.breaks("501", 1, lambda request: bool(request.condition))
        call()
        assert proxied.faults.broken == 1
    assert scene.files() == ["copy", "moved"]
    assert scene.store.isdir(scene.at("folder"))
