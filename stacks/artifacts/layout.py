"""Where things lie in a store.

::

    <pipeline>/<step>/<artifact>/<version>/…       the files of an artifact version
    .records/artifacts/<artifact>/<version>.json   its record: written last, so what it names is complete
    .records/claims/<artifact>/<version>.json      who took the version number; never removed, never reused
    .records/runs/<pipeline>/<run>.json            a run with its steps
    .records/cache/<ab>/<abcdef…>.json             which artifacts a step with that cache key has made

All paths in records are relative to the store, so that a copy of the store works as the store does.
"""

from __future__ import annotations

RECORDS = ".records"
ARTIFACTS = f"{RECORDS}/artifacts"
CLAIMS = f"{RECORDS}/claims"
RUNS = f"{RECORDS}/runs"
CACHE = f"{RECORDS}/cache"
CLOCK = f"{RECORDS}/clock"
SUFFIX = ".json"


def data(pipeline: str, step: str, artifact: str, version: int) -> str:
    """The folder of an artifact version."""
    return f"{pipeline}/{step}/{artifact}/{version}"


def record(artifact: str, version: int) -> str:
    """The record of an artifact version."""
    return f"{ARTIFACTS}/{artifact}/{version}{SUFFIX}"


def claim(artifact: str, version: int) -> str:
    """What shows that a version number is taken."""
    return f"{CLAIMS}/{artifact}/{version}{SUFFIX}"


def run(pipeline: str, name: str) -> str:
    """The record of a run."""
    return f"{RUNS}/{pipeline}/{name}{SUFFIX}"


def cached(key: str) -> str:
    """What a step with this cache key has made."""
    return f"{CACHE}/{key[:2]}/{key}{SUFFIX}"


def number_in(file_name: str) -> int | None:
    """The version number that a record or a claim is of, by its file's name."""
    text = file_name.removesuffix(SUFFIX)
    return int(text) if text != file_name and text.isascii() and text.isdecimal() else None
