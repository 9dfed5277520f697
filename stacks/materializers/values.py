"""Plain values, containers, dataclasses, enums, times and models as JSON; bytes as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from stacks.errors import DamagedArtifactError
from stacks.materializers.base import BaseMaterializer, Declined
from stacks.materializers.classes import found, reference
from stacks.materializers.codec import Decoder, Encoder, Unencodable

_SLICE = 10_000  # elements of a list that are text at the same time


class BytesMaterializer(BaseMaterializer):
    """``bytes``, as one file."""

    NAME: ClassVar[str | None] = "bytes"

    def save(self, data: Any) -> None:
        if type(data) is not bytes:
            raise Declined
        self.artifact_store.write_bytes(f"{self.uri}/data.bin", data)

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - there is one type
        return self.artifact_store.read_bytes(f"{self.uri}/data.bin")


class JsonMaterializer(BaseMaterializer):
    """One JSON file; what JSON cannot hold goes into folders beside it, each by its own materializer.

    A long list is written, and read, a slice at a time. Objects that only cloudpickle takes share one file.
    """

    NAME: ClassVar[str | None] = "json"

    def save(self, data: Any) -> None:
        self._top = data
        self._objects: list[Any] = []
        self._items = 0
        encoder = Encoder(self._put)
        path = f"{self.uri}/data.json"
        try:
            if type(data) is list and len(data) > _SLICE:
                self._save_long(path, encoder, data)
            else:
                text = json.dumps(encoder.encode(data), allow_nan=False)
                self.artifact_store.write_bytes(path, f"{text}\n".encode())
        except (Unencodable, RecursionError) as error:
            raise Declined(str(error)) from None
        if self._objects:
            self._by("cloudpickle", "objects").save(self._objects)

    def _save_long(self, path: str, encoder: Encoder, data: Sequence[Any]) -> None:
        """A JSON array with a slice on each line."""
        with self.artifact_store.open(path, "wb") as file:
            file.write(b"[")
            for start in range(0, len(data), _SLICE):
                part = [encoder.encode(one) for one in islice(data, start, start + _SLICE)]
                comma = b",\n" if start else b"\n"
                file.write(comma + json.dumps(part, allow_nan=False)[1:-1].encode())
            file.write(b"\n]\n")

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - the file says what is in it
        self._pickled: list[Any] | None = None
        decoder = Decoder(self._get)
        with self.artifact_store.open(f"{self.uri}/data.json", "rb") as file:
            first = file.readline()
            if first != b"[\n":
                return decoder.loads(first + file.read())
            return list(self._load_long(file, decoder))

    def _load_long(self, file: Any, decoder: Decoder) -> Iterator[Any]:
        for line in file:
            text = line.rstrip(b"\n")
            if text != b"]":
                yield from decoder.loads(b"[" + text.removesuffix(b",") + b"]")

    def extract_metadata(self, data: Any) -> Mapping[str, Any]:
        return {"length": len(data)} if isinstance(data, (list, dict, tuple, set, frozenset)) else {}

    # ---- what JSON has no place for -------------------------------------------------------------------

    def _put(self, value: Any) -> dict[str, Any]:
        from stacks.materializers.registry import candidates, name_of

        if value is self._top:
            raise Unencodable(f"JSON has no place for a {type(value).__qualname__}")
        for kind in candidates(value):
            if kind.NAME == "json":
                continue  # it is where we are: it has no place for this value
            if kind.NAME == "cloudpickle":
                self._objects.append(value)
                return {"$object": len(self._objects) - 1}
            number = self._items
            try:
                kind(f"{self.uri}/items/{number}", self.artifact_store).save(value)
            except Declined:
                continue
            self._items += 1
            return {"$item": number, "by": name_of(kind), "type": reference(type(value))}
        raise Unencodable(f"nothing stores a {type(value).__qualname__}")

    def _get(self, data: dict[str, Any]) -> Any:
        from stacks.materializers.registry import materializer_named

        if "$object" in data:
            if self._pickled is None:
                self._pickled = self._by("cloudpickle", "objects").load(list)
            return self._pickled[data["$object"]]
        number = data["$item"]
        if type(number) is not int:
            raise DamagedArtifactError(f"{self.uri}/data.json names an item {number!r}", name=self.uri)
        kind = materializer_named(data["by"])
        made = found(data["type"]) if isinstance(data["type"], str) else None
        return kind(f"{self.uri}/items/{number}", self.artifact_store).load(made or object)

    def _by(self, name: str, folder: str) -> BaseMaterializer:
        from stacks.materializers.registry import built_in

        return built_in(name)(f"{self.uri}/{folder}", self.artifact_store)
