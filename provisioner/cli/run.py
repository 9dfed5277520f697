"""Run a command line: every error becomes a message, a next step and the exit code of the contract."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from provisioner.cli.options import mute, say
from provisioner.errors import InputError, ProvisionError

INTERRUPTED = 130
_UNEXPECTED = 1


def run(command: click.Command, arguments: Sequence[str], name: str) -> int:
    """Run ``command``; its exit code."""
    debug = "--debug" in arguments
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s", level=logging.WARNING)
    # What it says of attempts that are made again comes out as our error where they all fail.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    try:
        with _every_stop_alike():
            result = command.main(list(arguments), prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted", None)
        return INTERRUPTED
    except click.ClickException as error:
        return _usage(error)
    except (BrokenPipeError, SystemExit):
        # The reader of our output has gone: nothing more can be said, and nothing is wrong. click makes a
        # SystemExit of it, and commands return their code and raise none.
        mute(sys.__stdout__ or sys.stdout)
        return 0
    except Exception as error:  # noqa: BLE001  # the last resort: a user sees a message, never a traceback
        if debug:
            traceback.print_exc()
        return _explain(error)
    return result if isinstance(result, int) else 0


@contextmanager
def _every_stop_alike() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does: in order, with its locks let go and its exit code.

    Afterwards they are as before: who runs a command in a process of their own may fork, and a child that
    raises where it should end can take a lock with it.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    taken: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():  # no other may, and none is told of signals
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, stop)
                taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    hint = f"see: {context.command_path} --help" if context is not None else None
    _complain(error.format_message(), hint)
    return InputError.exit_code


def _explain(error: Exception) -> int:
    message, hint, code = explained(error)
    _complain(message, hint)
    return code


def explained(error: Exception) -> tuple[str, str | None, int]:
    """An error as its message, the next step and the exit code."""
    if isinstance(error, ProvisionError):
        return str(error), error.hint, error.exit_code
    code = _code_of_runtime_error(error)
    if code is not None:
        return str(error), getattr(error, "hint", None), code
    return (
        f"unexpected {type(error).__name__}: {error}",
        "repeat it with --debug before the command (provision --debug …) and report what it prints",
        _UNEXPECTED,
    )


def _code_of_runtime_error(error: Exception) -> int | None:
    from stacks import errors

    table: tuple[tuple[type[Exception], int], ...] = (
        (errors.CredentialsError, 4),
        (errors.SecretLockedError, 4),
        (errors.SecretNotFoundError, 3),
        (errors.SecretReadOnlyError, 3),
        (errors.ComponentInUseError, 6),
        (errors.ComponentError, 3),
        (errors.StateError, 6),
        (errors.ArtifactNotFoundError, 3),
        (errors.ArtifactError, 6),
        (errors.PipelineError, 3),
        (errors.PathError, 3),
        (errors.StoreConfigError, 3),
        (errors.InvalidNameError, 3),
        (errors.InvalidValueError, 3),
        (errors.MissingExtraError, 3),
        (errors.ConnectorScopeError, 3),
        (errors.ConnectorConfigError, 3),
        (errors.StacksError, 5),
    )
    return next((code for kind, code in table if isinstance(error, kind)), None)


def _complain(message: str, hint: str | None) -> None:
    say(f"error: {message}")
    if hint:
        say(f"  next: {hint}")
