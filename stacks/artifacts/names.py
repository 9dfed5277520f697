"""Names of pipelines, steps, runs and artifacts: they become names of folders on every kind of store."""

from __future__ import annotations

import unicodedata

from stacks.errors import InvalidNameError

MAX_BYTES = 200  # of UTF-8: file systems take 255, and a suffix goes behind some names
_REFUSED = '/\\*?[]<>|"'


def check_name(name: object, what: str) -> str:
    """``name``, in Unicode's composed form, if it can be the name of a folder everywhere.

    Raises:
        InvalidNameError: it is empty, too long, begins or ends with a dot or a space, or has a character
            in it that some store takes for something else.
    """
    problem = _problem(name)
    if problem is not None:
        raise InvalidNameError(
            f"{name!r} cannot be the name of {what}: {problem}",
            hint="use letters of any script, digits, '_', '-', '.', ':', '@' and single spaces",
        )
    return unicodedata.normalize("NFC", str(name))


def _problem(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return "it is empty or no text"
    if name[0] in ". " or name[-1] in ". ":
        return "it begins or ends with a dot or a space"
    odd = next((one for one in name if one in _REFUSED or not one.isprintable()), None)
    if odd is not None:
        return f"it has {odd!r} in it"
    try:
        size = len(unicodedata.normalize("NFC", name).encode())
    except UnicodeEncodeError:
        return "it is no Unicode text"
    return f"it has {size} bytes, and {MAX_BYTES} is the most" if size > MAX_BYTES else None
