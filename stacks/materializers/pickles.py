"""What nothing else takes: cloudpickle. Loading a pickle runs code, so it is the last resort."""

from __future__ import annotations

from typing import Any, ClassVar

from stacks.errors import MaterializerError
from stacks.materializers.base import BaseMaterializer


class PickleMaterializer(BaseMaterializer):
    """Any object, by cloudpickle; its file is never unpickled before it was compared with its record."""

    NAME: ClassVar[str | None] = "cloudpickle"

    def save(self, data: Any) -> None:
        import cloudpickle

        try:
            with self.artifact_store.open(f"{self.uri}/data.pkl", "wb") as file:
                cloudpickle.dump(data, file)
        except OSError:
            raise
        except Exception as error:  # whatever the object's own __reduce__ raises
            raise MaterializerError(
                f"a {type(data).__qualname__} cannot be stored: {error}",
                hint="return plain values, or write a materializer: a subclass of "
                "stacks.BaseMaterializer with the class in ASSOCIATED_TYPES",
            ) from error

    def load(self, data_type: type[Any]) -> Any:  # noqa: ARG002 - the pickle says what is in it
        import cloudpickle

        if not self.artifact_store.allow_pickle:
            raise MaterializerError(
                f"{self.uri} is a pickle, and loading it would run the code in it",
                hint="allow it with load(allow_pickle=True) if you trust all who can write to this store",
            )
        if self.artifact_store.expected is None:
            raise MaterializerError(
                f"{self.uri} is a pickle without a record to compare it with",
                hint="load it through its artifact version: Client().get_artifact_version(…).load()",
            )
        with self.artifact_store.open(f"{self.uri}/data.pkl", "rb") as file:
            try:
                return cloudpickle.load(file)
            except Exception as error:  # whatever the code in it raises
                raise MaterializerError(
                    f"{self.uri} cannot be unpickled: {error}",
                    hint="load it with the Python and the packages that stored it",
                ) from error
