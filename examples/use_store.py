"""What a program does with a provisioned stack: it asks for the active one, and reads and writes.

It knows neither bucket nor credentials: the state file names the store, and its connector grants
short-lived credentials for that store alone.
"""

from __future__ import annotations

import json

from stacks import Client


def main() -> None:
    """Store a small model, list it, load it again, and delete it."""
    stack = Client().active_stack
    store = stack.artifact_store
    folder = f"{store.path}/models/greeting"
    store.makedirs(folder)

    with store.open(f"{folder}/model.json", "w") as stream:
        json.dump({"words": ["hello", "world"], "accuracy": 0.93}, stream)

    with store.open(f"{folder}/model.json") as stream:
        model = json.load(stream)

    print(f"stack {stack.name} keeps its artifacts in {store.path}")
    print(f"stored and loaded {store.listdir(folder)}: accuracy {model['accuracy']}")
    store.rmtree(f"{store.path}/models")


if __name__ == "__main__":
    main()
