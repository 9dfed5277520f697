"""What is wrong with JSON on a command line, and how to write it. Repeats keys, never a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from provisioner.errors import InputError

_OPEN_KEY = re.compile(r'([{,]\s*)"([\w.-]+):(?=\s*["{\[\dtfn-])')
_WORDS = {"True": "true", "False": "false", "None": "null"}


def json_problem(key: str, text: str, error: ValueError) -> InputError:
    """The error for the value ``text`` of ``--key``; it says what to change where that can be told."""
    what = error.msg if isinstance(error, json.JSONDecodeError) else "it is no JSON"
    where = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
    hint = next(
        (found for diagnose in _DIAGNOSES if (found := diagnose(key, text)) is not None),
        f'write it like this: --{key}=\'{{"name": "value"}}\', or load it from a file: --{key}=@FILE',
    )
    return InputError(f"--{key} is not valid JSON:{where} {what}", hint=hint)


def _open_key(_key: str, text: str) -> str | None:
    mended = _OPEN_KEY.sub(r'\1"\2":', text)
    if mended == text or not _parses(mended):
        return None
    names = [match[2] for match in _OPEN_KEY.finditer(text)]
    fixes = " and ".join(f'"{name}": instead of "{name}:' for name in names)
    return f"a quote is missing after {', '.join(names)}: write {fixes}"


def _eaten_quotes(key: str, text: str) -> str | None:
    if '"' in text or "'" in text:
        return None
    return (
        "the shell has taken the quotes away: put single quotes around the whole value, "
        f'--{key}=\'{{"name": "value"}}\''
    )


def _single_quotes(key: str, text: str) -> str | None:
    if "'" not in text or not _parses(text.replace("'", '"')):
        return None
    return f'JSON has double quotes inside: --{key}=\'{{"name": "value"}}\''


def _words(_key: str, text: str) -> str | None:
    mended = re.sub(r"(?<![\w\"])(True|False|None)(?![\w\"])", lambda match: _WORDS[match[1]], text)
    return "JSON writes true, false and null in small letters" if _parses(mended) else None


def _last_comma(_key: str, text: str) -> str | None:
    mended = re.sub(r",\s*([}\]])", r"\1", text)
    return "take away the comma before the closing bracket" if _parses(mended) else None


def _not_closed(_key: str, text: str) -> str | None:
    for missing in ("}", "]", '"}', "}}", '"}}', "]}"):
        if _parses(text + missing):
            return f"the end is missing: add {missing}"
    return None


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


_DIAGNOSES: tuple[Callable[[str, str], str | None], ...] = (
    _open_key,
    _eaten_quotes,
    _single_quotes,
    _words,
    _last_comma,
    _not_closed,
)
