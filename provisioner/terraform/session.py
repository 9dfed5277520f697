"""Terraform at work in one stack's workspace: each verb run, watched and decoded."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from provisioner.errors import (
    DamagedStateError,
    Diagnostic,
    InputError,
    InterruptedRunError,
    LockedError,
    ProvisionError,
    TerraformError,
)
from provisioner.terraform import commands
from provisioner.terraform.environment import build_environment, cache_directory, cli_configuration
from provisioner.terraform.holder import REFUSED, holder_in
from provisioner.terraform.locate import Executable
from provisioner.terraform.provider_locks import ProviderLocks
from provisioner.terraform.runner import OnEvent, OnStart, ProcessId, Run, ignore_event
from provisioner.terraform.stream import MASKED, StreamResult
from provisioner.terraform.version import OLDEST, engine_version, version_numbers
from provisioner.workspace import Workspace
from stacks.state.files import locked, make_private_folder, write_private

_TAIL_LINES = 25
APPLYING = frozenset({"apply"})
PREPARING = frozenset({"init", "plan", "import", "state"})
"""The verbs that nothing has to be recovered from; but the next run has to wait for them."""

_DAMAGED = ("Unsupported state file format", "Invalid state file", "checksum", "unexpected EOF")
"""What Terraform says, in its own words, of a remote state that is there and is none."""

_INIT_WAIT_SECONDS = 1800  # a first download of a large provider on a slow line
_INIT_TURN = threading.Lock()  # among our own threads, which need not knock at a file


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """A saved plan: whether applying it would change anything, and the stream that told of it."""

    changes: bool
    stream: StreamResult


class Session:
    """Runs Terraform's verbs in ``workspace``. Not for use from several threads."""

    def __init__(
        self,
        workspace: Workspace,
        executable: Executable,
        *,
        environ: Mapping[str, str] | None = None,
        on_event: OnEvent = ignore_event,
        lock_timeout: int = 0,
    ) -> None:
        environ = os.environ if environ is None else environ
        self.workspace = workspace
        self.executable = executable
        self.keep_lock = False
        """Whether every ``init`` installs the very providers of the lock file, or fails."""
        self._environ = environ
        self._on_event = on_event
        self._lock_timeout = lock_timeout
        self._configuration = cli_configuration(environ)
        self._environment = build_environment(environ, workspace.cli_configuration)

    def beside(self, workspace: Workspace) -> Session:
        """The same Terraform in another workspace."""
        return Session(workspace, self.executable, environ=self._environ, lock_timeout=self._lock_timeout)

    # --- verbs ----------------------------------------------------------------------------------------

    def init(self, *, keep_lock: bool = False, migrate_state: bool = False) -> bool:
        """Run ``terraform init`` unless nothing that it depends on has changed; whether it ran.

        ``keep_lock`` installs the very providers of the lock file, or fails. ``migrate_state`` copies the
        state from where the root had it before over whatever is at its new place; without, it stays there.
        """
        self._configure()
        if not migrate_state and self.workspace.read_json(self.workspace.initialised) == self._init_facts():
            return False
        self._refuse_old_engine()
        self.workspace.initialised.unlink(missing_ok=True)
        # The plugin cache is not safe for concurrent writers: inits of all stacks wait for each other.
        with _INIT_TURN, locked(cache_directory() / "init", _INIT_WAIT_SECONDS):
            argv = commands.init(
                self.executable,
                lock_timeout=self._lock_timeout,
                keep_lock=keep_lock or self.keep_lock,
                backend="migrate" if migrate_state else self._backend_option(),
            )
            locks = self._provider_locks()
            if not (keep_lock or self.keep_lock):
                locks.seed(self.workspace.root)
            code, stream = self._run("init", argv)
            if code == 0:
                locks.keep(self.workspace.root)
        if code != 0:
            raise self._failure("init", code, stream)
        self.workspace.write_json(self.workspace.initialised, self._init_facts())
        return True

    def plan(self, *, destroy: bool = False, replace: Sequence[str] = ()) -> PlanOutcome:
        """Plan, and save the plan in the workspace."""
        argv = commands.plan(
            self.executable,
            str(self.workspace.plan),
            destroy=destroy,
            replace=replace,
            lock_timeout=self._lock_timeout,
        )
        self.workspace.plan.unlink(missing_ok=True)
        code, stream = self._run("plan", argv)
        if code not in {0, 2}:
            raise self._failure("plan", code, stream)
        if stream.version is None or not self.workspace.plan.is_file():
            raise TerraformError(
                f"{self.executable.argv[0]} is no Terraform: it left no plan",
                log=str(self.workspace.log("plan")),
                hint=f"it was taken for one by {self.executable.origin}; see: provision doctor",
            )
        if stream.undecoded:
            raise TerraformError(
                f"terraform plan said something that is not understood: {stream.undecoded[0]}",
                log=str(self.workspace.log("plan")),
                hint="use a version of Terraform or OpenTofu that this release was tested with",
            )
        return PlanOutcome(code == 2, stream)

    def apply(self, log: str, on_start: OnStart) -> StreamResult:
        """Apply the saved plan; ``on_start`` notes who is at it, ``log`` names its log.

        Raises :class:`TerraformError` when it failed, :class:`InterruptedRunError` when it was stopped: in
        both cases what was done until then is in the state.
        """
        argv = commands.apply(self.executable, str(self.workspace.plan), lock_timeout=self._lock_timeout)
        run = self._new_run(log, argv)
        code, stream = run.complete(self._on_event, on_start)
        if run.interrupted and code != 0:
            raise InterruptedRunError(
                "interrupted: Terraform stopped cleanly and kept its state",
                hint="run the same command again to go on from there",
            )
        if code != 0:
            raise self._failure("apply", code, stream, log=run.log)
        return stream

    def version(self) -> str:
        """The version of Terraform, or of OpenTofu."""
        self._configure()
        return str(self._json("version", commands.version(self.executable))["terraform_version"])

    def show_plan(self) -> dict[str, Any]:
        """The saved plan in full. It holds sensitive values in clear: for masking, never for keeping."""
        document: dict[str, Any] = self._json(
            "show", commands.show(self.executable, str(self.workspace.plan))
        )
        return document

    def outputs(self) -> dict[str, Any]:
        """The outputs in the state, the sensitive ones masked."""
        document = self._json("output", commands.output(self.executable))
        return {name: MASKED if item.get("sensitive") else item["value"] for name, item in document.items()}

    def import_resource(self, address: str, identifier: str) -> None:
        """Take ``identifier``, which exists, into the state as ``address``."""
        argv = commands.import_(self.executable, address, identifier, lock_timeout=self._lock_timeout)
        code, stream = self._run("import", argv)
        if code != 0:
            raise self._failure("import", code, stream)

    def pull_state(self) -> None:
        """Bring the workspace's copy of a remote state up to date; a local state needs none.

        Raises :class:`DamagedStateError` for one that Terraform cannot read.
        """
        if self.workspace.state_place() is None:
            return
        log = self.workspace.log("pull")
        try:
            code, stream = self._run("pull", commands.state_pull(self.executable))
            text = log.read_bytes()
        finally:
            log.unlink(missing_ok=True)
        if code != 0:
            raise self._unreadable(code, stream)
        # Where nothing is, or zero bytes, Terraform makes one up, without a lineage.
        if not text.strip() or not json.loads(text)["lineage"]:
            self.workspace.pulled_state.unlink(missing_ok=True)
        else:
            write_private(self.workspace.pulled_state, text)

    def _unreadable(self, code: int, stream: StreamResult) -> ProvisionError:
        said = "\n".join(stream.text[-_TAIL_LINES:])
        if any(sign in said for sign in _DAMAGED):
            return DamagedStateError(
                f"{self.workspace.named_state()} cannot be read: {said}", hint=self.workspace.advice()
            )
        return TerraformError(f"terraform state pull failed with exit code {code}:\n{said}")

    def force_unlock(self, lock: str) -> None:
        """End a lock that nobody will let go any more.

        Raises :class:`TerraformError` when it is not held, or held under another id.
        """
        code, stream = self._run("unlock", commands.force_unlock(self.executable, lock))
        if code != 0:
            raise self._failure("unlock", code, stream)

    def push_state(self, state_file: Path, *, force: bool = False) -> None:
        """Give Terraform back a state that an earlier apply could not store.

        ``force`` puts it over one of another lineage or of a later serial.
        """
        code, stream = self._run("state", commands.state_push(self.executable, str(state_file), force=force))
        if code != 0:
            raise self._failure("state push", code, stream)

    def _configure(self) -> None:
        """Write the CLI configuration, which every verb is told of."""
        make_private_folder(self._configuration.cache)
        wanted = self._configuration.text.encode()
        if self._file_digest(self.workspace.cli_configuration) != hashlib.sha256(wanted).hexdigest():
            write_private(self.workspace.cli_configuration, wanted)

    # --- running --------------------------------------------------------------------------------------

    def _new_run(self, verb: str, argv: Sequence[str]) -> Run:
        return Run(argv, cwd=self.workspace.root, environment=self._environment, log=self.workspace.log(verb))

    def _run(self, verb: str, argv: Sequence[str]) -> tuple[int, StreamResult]:
        run = self._new_run(verb, argv)
        code, stream = run.complete(self._on_event)
        if run.interrupted:
            raise InterruptedRunError(f"interrupted during terraform {verb}: nothing was changed")
        return code, stream

    def _json(self, verb: str, argv: Sequence[str]) -> Any:
        """Run a verb that prints one JSON document; its log, which may hold secrets, does not stay."""
        log = self.workspace.log(verb)
        try:
            run = self._new_run(verb, argv)
            code, stream = run.complete()
            if run.interrupted:
                raise InterruptedRunError(f"interrupted during terraform {verb}: nothing was changed")
            if code != 0:
                raise self._failure(verb, code, stream)
            return json.loads(log.read_bytes())
        finally:
            log.unlink(missing_ok=True)

    def _failure(
        self, verb: str, code: int, stream: StreamResult, *, log: Path | None = None
    ) -> ProvisionError:
        log = log or self.workspace.log(verb)
        errors = stream.errors
        refused = next((error for error in errors if error.summary == REFUSED), None)
        if refused is not None:
            return self._locked(refused)
        if errors:
            message = f"terraform {verb} failed: {_said(errors)}"
        elif code < 0:
            message = f"terraform {verb} was killed by signal {-code}"
        else:
            tail = "\n".join(stream.text[-_TAIL_LINES:])
            message = f"terraform {verb} failed with exit code {code}" + (f":\n{tail}" if tail else "")
        hint = f"the whole log is {log}"
        if verb == "apply":  # of a destroy, too: both are an apply of a saved plan
            hint = f"once the cause is mended, run the same command: it goes on from what is there; {hint}"
        elif any(".existing" in (error.address or "") for error in errors):
            hint = (
                "existing: true adopts what is there already. Check its name and the credentials in use; if "
                f"another store of this file makes it, apply without this one first; {hint}"
            )
        return TerraformError(message, diagnostics=errors, log=str(log), hint=hint)

    def _locked(self, refused: Diagnostic) -> LockedError:
        holder = holder_in(refused.detail)
        name = self.workspace.path.name
        if holder is None:
            return LockedError(
                f"{self.workspace.named_state()} could not be locked: {refused.detail.strip()}"
            )
        return LockedError(
            f"{self.workspace.named_state()} is locked by {holder}",
            hint="wait for it, or give --lock-timeout SECONDS; if that run is dead: "
            f"provision recover {name}",
        )

    # --- the backend ----------------------------------------------------------------------------------

    def _backend_option(self) -> Literal["reconfigure"] | None:
        """A root that has, or had, a backend of its own is told that its state stays where it is."""
        had = (self.workspace.root / ".terraform" / "terraform.tfstate").exists()
        return "reconfigure" if had or self.workspace.state_place() is not None else None

    def _refuse_old_engine(self) -> None:
        """Refuse an engine whose backend does not lock: an unknown argument is all that it would say."""
        place = self.workspace.state_place()
        if place is None or place.backend.minimum <= OLDEST:
            return
        found = engine_version(self.executable)
        if version_numbers(found) < place.backend.minimum:
            least = ".".join(map(str, place.backend.minimum))
            raise InputError(
                f"state.backend {place.backend.name} locks with Terraform or OpenTofu {least} and newer; "
                f"this is {found} ({self.executable.argv[0]})",
                hint=f"install {least} or newer, or: pip install 'stack-provisioner[engine]'",
            )

    # --- what init depends on -------------------------------------------------------------------------

    def _init_facts(self) -> dict[str, Any]:
        root = self.workspace.root
        modules = sorted((root / "modules").rglob("*.tf"))
        sources = [*sorted(root.glob("*.tf")), *modules, root / ".terraform.lock.hcl"]
        return {
            "engine": self.executable.identity(),
            "configuration": self._configuration.digest,
            "sources": {path.relative_to(root).as_posix(): self._file_digest(path) for path in sources},
            "providers": _listing(root / ".terraform"),
        }

    def _provider_locks(self) -> ProviderLocks:
        facts = (self.executable.identity(), self._configuration.digest)
        return ProviderLocks(cache_directory() / "provider-locks", self._configuration.cache, facts)

    @staticmethod
    def _file_digest(path: Path) -> str | None:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _said(errors: Sequence[Diagnostic]) -> str:
    lines = []
    for error in errors:
        where = f"{error.address}: " if error.address else ""
        detail = f": {error.detail.strip()}" if error.detail.strip() else ""
        lines.append(f"{where}{error.summary}{detail}")
    return lines[0] if len(lines) == 1 else "\n" + "\n".join(f"  - {line}" for line in lines)


def _listing(folder: Path) -> list[list[Any]]:
    """Names, sizes and times below ``folder``: provider binaries are too large to digest each time."""
    entries = []
    for directory, _, names in os.walk(folder, followlinks=True):
        for name in names:
            path = Path(directory, name)
            # A link into a plugin cache that was cleared is listed as what it is: init then runs again.
            stat = path.stat() if path.exists() else path.lstat()
            entries.append([path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns])
    return sorted(entries)


def process_at_work(workspace: Workspace, verbs: frozenset[str] = APPLYING) -> ProcessId | None:
    """A Terraform that runs one of ``verbs`` in this workspace, found by its working directory.

    For the moment between the start of a process and the note of its number in the journal, and for those
    that are not noted at all.
    """
    import psutil

    root = str(workspace.root.resolve())
    for process in psutil.process_iter(["cwd", "create_time", "cmdline"]):
        info = process.info
        if info["cwd"] == root and verbs & set(info["cmdline"] or ()):
            return ProcessId(process.pid, info["create_time"])
    return None
