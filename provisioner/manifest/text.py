"""What text a manifest may hold: no character that hides, and look-alikes called by their name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# Categories of Unicode that show nothing, or change how their neighbours show: controls, formats (bidi,
# zero-width, tags), surrogates, line and paragraph separators.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# Default-ignorable and blank characters of other categories (Unicode, DerivedCoreProperties.txt), and
# U+2800, a Braille pattern without dots.
_HIDDEN_OTHERS = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0}
    | {*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
)

# The letters that are most often taken for ASCII ones (a selection of Unicode's confusables.txt).
_LOOKS_LIKE = dict(
    zip(
        "аеорсухіјѕԁһԛԝӏАВЕКМНОРСТХІЈЅԌαοινρυκγΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɑɡℓ‐‑‒–—−․‥／∕⁄：＿",  # noqa: RUF001  # that is the table
        "aeopcyxijsdhqwlABEKMHOPCTXIJSGaoivpukyABEZHIKMNOPTYXiagl------..///:_",
        strict=True,
    )
)


def hidden_character(text: str) -> tuple[int, str] | None:
    """Index and character of the first one in ``text`` that a reader cannot see, or None."""
    if text.isascii() and text.isprintable():
        return None
    for index, character in enumerate(text):
        if is_hidden(character):
            return index, character
    return None


def is_hidden(character: str) -> bool:
    """Whether a reader cannot see ``character``, or it changes how its neighbours are seen."""
    category = unicodedata.category(character)
    if category == "Zs":
        return character != " "
    return category in _HIDDEN_CATEGORIES or ord(character) in _HIDDEN_OTHERS


def character_name(character: str) -> str:
    """``U+202E RIGHT-TO-LEFT OVERRIDE``: safe to print whatever the character is."""
    name = unicodedata.name(character, "") or _CONTROL_NAMES.get(character, "without a name")
    return f"U+{ord(character):04X} {name}"


_CONTROL_NAMES = {"\0": "NULL", "\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN", "\x1b": "ESCAPE"}


def hidden_problem(text: str) -> str | None:
    """Why ``text`` is refused for a character that hides in it, or None."""
    found = hidden_character(text)
    if found is None:
        return None
    index, character = found
    return f"{character_name(character)} at character {index + 1}: invisible characters are not allowed"


def shown(value: object) -> str:
    """``value`` as an error may print it: quoted when text, escaped where it hides, cut when long."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return '"' + escaped(value.replace("\\", "\\\\").replace('"', '\\"'), 60) + '"'


def escaped(text: str, limit: int) -> str:
    """Text that can be printed anywhere: what hides is written as its code point, and what is long is cut."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(f"\\u{{{ord(character):04X}}}" if is_hidden(character) else character for character in cut)


def look_alike(text: str) -> str | None:
    """The sentence about the first character of ``text`` that is not ASCII, or None when all are."""
    for index, character in enumerate(text):
        if character.isascii():
            continue
        twin = _LOOKS_LIKE.get(character) or unicodedata.normalize("NFKD", character)[:1]
        likeness = f', which looks like "{twin}"' if twin.isascii() and twin.isprintable() else ""
        return f"character {index + 1} is {character_name(character)}{likeness}; only ASCII is allowed here"
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """What a string field allows; stands in the field's ``Annotated`` type.

    ``says`` is what a user reads after «allowed:». ``refused`` are patterns that must not occur, each with
    its reason. ``secret`` keeps the value itself out of the error.
    """

    pattern: re.Pattern[str]
    says: str
    ascii_only: bool = True
    refused: tuple[tuple[re.Pattern[str], str], ...] = field(default=())
    secret: bool = False

    def problem(self, text: str) -> str | None:
        """Why ``text`` is not allowed here, or None when it is."""
        found = "found text" if self.secret else f"found {shown(text)}"
        why = hidden_problem(text) or (look_alike(text) if self.ascii_only else None)
        if why is not None:
            return f"{found}: {why}"
        for pattern, reason in self.refused:
            if pattern.search(text):
                return f"{found}: {reason}"
        if not self.pattern.fullmatch(text):
            return f"{found}; allowed: {self.says}"
        return None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after pydantic has made sure that it is text."""
        return core_schema.no_info_after_validator_function(checked_by(self.problem), handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        r"""The same rule for editors, where every dialect reads it alike (``\w`` is not the same in all)."""
        described = handler(schema)
        return described | {"pattern": f"^(?:{self.pattern.pattern})$"} if self.ascii_only else described


def checked_by(problem: Callable[[str], str | None]) -> Callable[[str], str]:
    """A pydantic validator from a function that says what is wrong."""

    def check(text: str) -> str:
        why = problem(text)
        if why is not None:
            # The sentence goes in as data: pydantic would read braces in it as placeholders.
            raise PydanticCustomError("manifest", "{sentence}", {"sentence": why})
        return text

    return check
