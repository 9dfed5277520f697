"""Everything that the runtime library can refuse or fail with, each with a next step.

::

    StacksError
    ├── PathError                       a path that no store can hold                    (ValueError)
    │   ├── PathOutsideStoreError       a path outside the store's root                  (FileNotFoundError)
    │   └── UnknownSchemeError          a URI whose scheme no store serves
    ├── StoreError                      a store refused or failed; carries store, operation, path (OSError)
    │   ├── StoreConfigError            a store's configuration that does not hold       (ValueError)
    │   ├── StorePermissionError        the credentials hold, the permission is missing (PermissionError)
    │   ├── BucketNotFoundError         the bucket or container itself does not exist
    │   ├── StoreNetworkError           the service was not reached, or the line broke   (ConnectionError)
    │   ├── StoreServiceError           the service answered with a failure of its own
    │   └── ObjectChangedError          a file was replaced while it was being read
    ├── CredentialsError                the service or the environment says: not you
    │   ├── CredentialsMissingError     none were found
    │   ├── CredentialsExpiredError     they were good, and their time is over
    │   └── CredentialsWrongError       the service does not know them, or they do not parse
    ├── MissingExtraError               a package that an optional extra installs is not there (ImportError)
    ├── StateError                      the state file
    │   ├── DamagedStateError           it cannot be read as one
    │   ├── NewerStateError             a newer release of this library wrote it
    │   ├── StateConflictError          another writer was faster, or it has another lineage
    │   └── StateLockedError            another writer holds it
    ├── SecretError                     the secret store
    │   ├── SecretNotFoundError         no such secret, or no such key in it             (LookupError)
    │   ├── SecretReadOnlyError         it comes from where nothing can be changed
    │   └── SecretLockedError           the key does not open it, or there is no key
    ├── ConnectorError                  a service connector cannot be built or used
    │   ├── ConnectorConfigError        a field is missing, or does not hold             (ValueError)
    │   └── ConnectorScopeError         it does not cover the resource that was asked for
    ├── ComponentError                  a registered component
    │   ├── UnknownComponentError       no component of that name                        (LookupError)
    │   ├── ComponentExistsError        the name is taken
    │   └── ComponentInUseError         something else still needs it
    ├── ArtifactError                   an artifact version, or the history of a store
    │   ├── ArtifactNotFoundError       no such artifact version, pipeline or run        (LookupError)
    │   ├── ArtifactInUseError          a run still refers to it
    │   ├── RunExistsError              a run of that pipeline has the name already
    │   ├── DamagedArtifactError        what is stored is not what was recorded
    │   ├── NewerRecordError            a newer release of this library wrote the record
    │   └── MaterializerError           a value cannot be stored, or not be loaded as what it was (TypeError)
    ├── PipelineError                   a step or a pipeline that does not fit together  (TypeError)
    ├── InvalidNameError                a name that breaks the naming rules              (ValueError)
    └── InvalidValueError               an option or attribute that does not hold        (ValueError)

What every file system has is not wrapped: a missing file is a ``FileNotFoundError``, an existing target
a ``FileExistsError``, and so on, on every flavor. A missing *bucket* deliberately is no
``FileNotFoundError``: code that reads "no such file" as "not written yet" must not go on without its store.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class StacksError(Exception):
    """Base of all errors of this library: ``message`` says what happened, ``hint`` what to do next.

    The hint is also a note of the exception, so that a traceback shows it. Pickles, so that a worker
    process can hand it to its parent.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[StacksError], tuple[str], dict[str, object]]:
        state: dict[str, object] = dict(vars(self))
        if isinstance(self, OSError):
            state["filename"] = self.filename  # OSError keeps it outside of the instance's dictionary
        return type(self), (self.message,), state


class PathError(StacksError, ValueError):
    """A path that no store can hold: empty segments that would be lost, a NUL, a wrong type."""


class PathOutsideStoreError(PathError, FileNotFoundError):
    """A path that is not inside the store's root; also a ``FileNotFoundError``: none is there."""

    def __init__(
        self, message: str, *, hint: str | None = None, path: str | None = None, root: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.errno = errno.ENOENT
        self.filename = path
        self.path = path
        self.root = root


class UnknownSchemeError(PathError):
    """A URI whose scheme no registered store serves; ``known`` lists those that one does."""

    def __init__(self, message: str, *, hint: str | None = None, known: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.known = known


class StoreError(StacksError, OSError):
    """A store refused or failed: ``store`` is its name, ``operation`` what was tried, ``path`` on what."""

    _errno: ClassVar[int] = errno.EIO

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        store: str | None = None,
        operation: str | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.errno = self._errno
        self.filename = path
        self.store = store
        self.operation = operation
        self.path = path


class StoreConfigError(StoreError, ValueError):
    """A store's configuration that does not hold: an unknown key, a value that does not parse."""

    _errno = errno.EINVAL


class StorePermissionError(StoreError, PermissionError):
    """The service knows the credentials, and they may not do this."""

    _errno = errno.EACCES


class BucketNotFoundError(StoreError):
    """The bucket or container of the store does not exist."""

    _errno = errno.ENODEV


class StoreNetworkError(StoreError, ConnectionError):
    """The service was not reached, or the line broke, and trying again did not help."""

    _errno = errno.ECONNABORTED


class StoreServiceError(StoreError):
    """The service answered with a failure of its own (throttled, unavailable, an answer without sense)."""


class ObjectChangedError(StoreError):
    """A file was replaced while it was being read; what was read so far belongs to the old version."""

    _errno = errno.ESTALE


class CredentialsError(StacksError):
    """The service, or the environment, does not accept who is asking."""


class CredentialsMissingError(CredentialsError):
    """No credentials were found where they are looked for."""


class CredentialsExpiredError(CredentialsError):
    """The credentials' time is over, and new ones were not to be had."""


class CredentialsWrongError(CredentialsError):
    """The service does not know the credentials, or they are not even of the right form."""


class MissingExtraError(StacksError, ImportError):
    """A package is not installed; ``extra`` is the optional extra that brings it."""

    def __init__(self, message: str, *, hint: str | None = None, extra: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.extra = extra


class StateError(StacksError):
    """The state file cannot be used; ``location`` is its path or URL."""

    def __init__(self, message: str, *, hint: str | None = None, location: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.location = location


class DamagedStateError(StateError):
    """The state file is truncated, empty, not JSON, or breaks its schema."""


class NewerStateError(StateError):
    """The state file has a schema newer than this release of the library knows."""


class StateConflictError(StateError):
    """Another writer was faster, again and again, or the file was replaced by one of another lineage."""


class StateLockedError(StateError):
    """Another writer holds the state file, and did not let go in time."""


class SecretError(StacksError):
    """The secret store cannot be used."""


class SecretNotFoundError(SecretError, LookupError):
    """No secret of that name, or no such key in it."""


class SecretReadOnlyError(SecretError):
    """The secret comes from where nothing can be changed, such as the environment of the program."""


class SecretLockedError(SecretError):
    """The secret store cannot be opened: there is no key, or it is the key of another store."""


class ConnectorError(StacksError):
    """A service connector cannot be built from its configuration, or cannot grant credentials."""


class ConnectorConfigError(ConnectorError, ValueError):
    """A field of the connector is missing that this needs, or its value does not hold."""


class ConnectorScopeError(ConnectorError):
    """The connector does not cover the resource, or the access, that was asked for."""


class ComponentError(StacksError):
    """Something about a registered component: ``kind`` (``artifact store``, ``stack``, …) and ``name``."""

    def __init__(
        self, message: str, *, hint: str | None = None, kind: str | None = None, name: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.name = name


class UnknownComponentError(ComponentError, LookupError):
    """No component of that kind and name is registered."""


class ComponentExistsError(ComponentError):
    """A component of that kind and name is registered already."""


class ComponentInUseError(ComponentError):
    """The component is still needed: ``users`` are the names of those that need it."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        users: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, kind=kind, name=name)
        self.users = users


class ArtifactError(StacksError):
    """Something about the artifacts of a store: ``name`` is the artifact's or the run's."""

    def __init__(self, message: str, *, hint: str | None = None, name: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class ArtifactNotFoundError(ArtifactError, LookupError):
    """No artifact version, pipeline or run of that name is recorded in the store."""


class ArtifactInUseError(ArtifactError):
    """A run still refers to the artifact version: ``users`` are the names of those runs."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        name: str | None = None,
        users: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint, name=name)
        self.users = users


class RunExistsError(ArtifactError):
    """A run of that pipeline has the name already."""


class DamagedArtifactError(ArtifactError):
    """What is stored is not what was recorded: a file is missing, or its digest is another one."""


class NewerRecordError(ArtifactError):
    """A record in the store has a schema newer than this release of the library knows."""


class MaterializerError(ArtifactError, TypeError):
    """A value cannot be stored, or what is stored cannot become the value that it was."""


class PipelineError(StacksError, TypeError):
    """A step or a pipeline that does not fit together: outputs, parameters, the place where it is called."""


class InvalidNameError(StacksError, ValueError):
    """A name of a component, stack, secret, pipeline, step or artifact that breaks the naming rules."""


class InvalidValueError(StacksError, ValueError):
    """An option or attribute whose value does not hold."""
