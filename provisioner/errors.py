"""Everything that can go wrong while provisioning, each with its exit code and a next step.

::

    ProvisionError                 1    unexpected failure
    ├── InputError                 3    an option, a name or a path that cannot be used
    │   └── ManifestError          3    a manifest that does not hold; carries every problem found
    ├── CredentialsError           4    missing, wrong or expired credentials
    ├── UpstreamError              5    Terraform or the cloud refused or failed
    │   ├── TerraformNotFoundError 5    no engine on this machine
    │   └── TerraformError         5    a Terraform run failed; carries its diagnostics
    ├── SafetyError                6    refused, because going on could lose or expose something
    │   ├── WrongAccountError      6    the credentials belong to another account than the manifest's
    │   ├── ProtectedError         6    a store with `protect: true`
    │   ├── NotEmptyError          6    a bucket that still holds objects or versions
    │   ├── LockedError            6    another run works on this stack
    │   ├── StalePlanError         6    the plan is not what was reviewed
    │   ├── PolicyDeniedError      6    what a policy does not allow
    │   ├── UnfinishedRunError     6    an earlier run ended in the middle
    │   └── DamagedStateError      6    a state file that cannot be trusted
    └── InterruptedRunError        130  the user stopped it

The exit codes are a contract (docs/commands.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ProvisionError(Exception):
    """Base of all errors that a user may see.

    ``message`` says what happened, ``hint`` what to do next, ``location`` where, as
    ``file:line:column``, when it comes from a manifest.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, location: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" if self.location else self.message


class InputError(ProvisionError):
    """An option, a name or a path that cannot be used."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a manifest: where it stands, which field, and what was found and is allowed."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class ManifestError(InputError):
    """A manifest that does not hold; ``problems`` has every problem of the file, in its order."""

    def __init__(self, problems: list[Problem], *, hint: str | None = None) -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = tuple(problems)


class CredentialsError(ProvisionError):
    """Credentials that are missing, wrong or expired."""

    exit_code = 4


class UpstreamError(ProvisionError):
    """Terraform or the cloud refused or failed."""

    exit_code = 5


class TerraformNotFoundError(UpstreamError):
    """No Terraform, OpenTofu or engine extra on this machine."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message of Terraform's own, as its ``-json`` stream gave it."""

    severity: str
    summary: str
    detail: str
    address: str | None = None


class TerraformError(UpstreamError):
    """A Terraform run failed; ``diagnostics`` are its own words, ``log`` the path of its log."""

    def __init__(
        self,
        message: str,
        *,
        diagnostics: tuple[Diagnostic, ...] = (),
        log: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.diagnostics = diagnostics
        self.log = log


class SafetyError(ProvisionError):
    """Refused: going on could lose or expose something."""

    exit_code = 6


class WrongAccountError(SafetyError):
    """The credentials in use belong to another account than the one the manifest names."""


class ProtectedError(SafetyError):
    """A store with ``protect: true`` would be destroyed."""


class NotEmptyError(SafetyError):
    """A bucket that still holds objects or object versions would be destroyed."""


class LockedError(SafetyError):
    """Another run works on this stack at the moment."""


class StalePlanError(SafetyError):
    """What would be applied is not what was reviewed."""


class PolicyDeniedError(SafetyError):
    """A policy does not allow the manifest, or what its plan would do."""


class UnfinishedRunError(SafetyError):
    """An earlier run ended in the middle and has to be recovered first."""


class DamagedStateError(SafetyError):
    """A state file that is truncated, empty or of another lineage."""


class InterruptedRunError(ProvisionError):
    """The user stopped the run."""

    exit_code = 130
