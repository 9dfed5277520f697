"""A plan as Markdown for a pull request: what matters first, the rest folded, and nothing in it is markup.

Values come from manifests and from clouds, so any of them may try to be something else than text: a mention,
a link, a tag, the end of a code block. Sentences are escaped, values stand in code spans, and the detail
stands in a fenced block whose fence is longer than any in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import jinja2

from provisioner.assets import templates_root
from provisioner.cli.show import attribute_text, counts_text, drifted_text, resource_text
from provisioner.manifest.text import is_hidden
from provisioner.summary import Danger, ResourceChange, Summary

LIMIT = 60_000
"""Characters of one comment; GitHub takes 65,536, and a workflow may want to add a line of its own."""

_VALUE = 300
_LISTED = 40
_LEAST_DETAIL = 200
_KINDS = {
    "data": "Data is lost",
    "public": "Public access",
    "permissions": "Wider permissions",
    "trust": "Wider trust",
    "protection": "Less protection",
}
_SEVERE = frozenset({"data", "public"})
_TITLES = {"apply": "Plan for", "destroy": "Destroying", "drift": "Drift of"}
_MARKS = {"create": "+", "update": "!", "delete": "-", "replace": "-", "move": "→", "remove": "x"}
_POINTER = "the bundle of this plan (`provision bundle inspect`) and `--format text` have them all"
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>$^=:])")
_BACKTICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class _Item:
    """One stack as the template shows it."""

    stack: str
    title: str
    counts: str
    provider: str
    facts: list[tuple[str, str]]
    denied: list[str]
    warned: list[str]
    dangers: list[dict[str, str]]
    more_dangers: int
    severe: bool
    grants: list[str]
    missing: list[str]
    nothing: str
    lines: list[str] = field(default_factory=list)
    shown: int | None = None

    @property
    def detail(self) -> str:
        return "\n".join(self.lines if self.shown is None else self.lines[: self.shown])

    @property
    def left_out(self) -> int:
        return 0 if self.shown is None else max(len(self.lines) - self.shown, 0)

    @property
    def detail_title(self) -> str:
        return "All changes" if not self.left_out else "The first changes"

    @property
    def fence(self) -> str:
        longest = max((len(run) for run in _BACKTICKS.findall(self.detail)), default=0)
        return "`" * max(3, longest + 1)


def plan_markdown(summaries: Sequence[Summary], *, limit: int = LIMIT) -> str:
    """The plans of one or several stacks, in at most ``limit`` characters."""
    items = [_item(summary) for summary in summaries]
    operation = summaries[0].operation if summaries else "apply"
    whole = _render(items, operation, 0)
    if len(whole) <= limit:
        return whole
    bare = [replace(item, shown=0) for item in items]
    kept = len(bare)
    while kept > 1 and len(_render(bare[:kept], operation, len(items) - kept)) > limit:
        kept -= max(1, kept // 10)
    room = limit - len(_render(bare[:kept], operation, len(items) - kept)) - _LEAST_DETAIL * kept
    cut = []
    for index, item in enumerate(items[:kept]):
        share = max(room // (kept - index), 0)
        shown = _fitting(item.lines, share)
        room -= sum(len(line) + 1 for line in item.lines[:shown])
        cut.append(replace(item, shown=shown if shown < len(item.lines) else None))
    text = _render(cut, operation, len(items) - kept)
    # One stack alone may have more to tell of than fits, in its lists: the worst stands first.
    if len(text) <= limit:
        return text
    return f"{text[: limit - _LEAST_DETAIL].rpartition(chr(10))[0]}\n\n*Cut here: {_POINTER}*\n"


def _fitting(lines: Sequence[str], room: int) -> int:
    used = 0
    for index, line in enumerate(lines):
        used += len(line) + 1
        if used > room:
            return index
    return len(lines)


def _render(items: Sequence[_Item], operation: str, left_out: int) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_root()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # Markdown: `code` and `plain` are the ways for text to get in
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code, "plain": plain}
    text = environment.get_template("plan.md.j2").render(
        stacks=items, operation=operation, pointer=_POINTER, stacks_left_out=left_out
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


# --- harmless text --------------------------------------------------------------------------------------


def code(value: object) -> str:
    """A value in a code span that it cannot leave: one line, whatever is in it."""
    text = _visible(str(value))
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest or not text.strip() else ""
    return f"{fence}{padding}{text or ' '}{padding}{fence}"


def plain(value: object) -> str:
    """A sentence in which nothing is markup, a mention, a reference or HTML."""
    text = _visible(str(value))
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = _SPECIAL.sub(r"\\\1", text)
    # A mention or a reference is made of the rendered text, where an escape is gone: an empty place parts it.
    return re.sub(r"([@#])", "\\1\u200b", text)


def _visible(text: str) -> str:
    """One line of at most some hundred characters, each of which can be seen."""
    shown = "".join(f"\\u{ord(each):04x}" if is_hidden(each) else each for each in text[: _VALUE + 1])
    return shown if len(text) <= _VALUE else f"{shown[:_VALUE]}…"


# --- one stack ------------------------------------------------------------------------------------------


def _item(summary: Summary) -> _Item:
    facts = [
        (name, value)
        for name, value in (
            ("region", summary.region),
            ("account", summary.account),
            ("at", summary.endpoint_url),
        )
        if value
    ]
    dangers = [*_emptied(summary), *summary.dangers]
    return _Item(
        stack=summary.stack,
        title=_TITLES[summary.operation],
        counts=counts_text(summary) if summary.changes else "",
        provider=summary.provider,
        facts=facts,
        denied=[str(finding) for finding in summary.findings if finding.level == "deny"][:_LISTED],
        warned=[str(finding) for finding in summary.findings if finding.level != "deny"][:_LISTED],
        dangers=[
            {"title": _KINDS[danger.kind], "component": danger.component, "text": danger.text}
            for danger in dangers[:_LISTED]
        ],
        more_dangers=max(len(dangers) - _LISTED, 0),
        severe=any(danger.kind in _SEVERE for danger in dangers),
        grants=list(summary.grants[:_LISTED]),
        missing=list(summary.missing_protections) if summary.operation == "apply" else [],
        nothing=_nothing(summary),
        lines=list(_lines(summary)),
    )


def _emptied(summary: Summary) -> Iterator[Danger]:
    for store in summary.emptied:
        yield Danger("data", store, "deleted with everything in it")


def _nothing(summary: Summary) -> str:
    """The sentence where the cloud stays, or is, as it should be."""
    if summary.changes or summary.drifted:
        return ""
    if summary.operation == "drift":
        return "No drift: everything is as it was applied."
    if summary.outputs_change:
        return "Only what is registered changes; nothing in the cloud does."
    return "No changes: everything is as the manifest says."


def _lines(summary: Summary) -> Iterator[str]:
    yield from (f"! {_visible(text)}" for text in summary.deviations)
    changes = summary.drift if summary.operation == "drift" else (*summary.changes, *summary.registered)
    ordered = sorted(changes, key=lambda change: (change.kind, change.component, change.resource))
    for (kind, component), group in groupby(ordered, key=lambda change: (change.kind, change.component)):
        yield f"  {kind} {component}" if kind else "  the stack itself"
        for change in group:
            yield from _drifted(change) if summary.operation == "drift" else _change(change)


def _drifted(change: ResourceChange) -> Iterator[str]:
    """A resource that is no longer as it was applied; what an apply would create is missing now."""
    if change.action == "create":
        yield f"-   {_visible(resource_text(change))} is missing"
        return
    yield f"!   {_visible(resource_text(change))}"
    yield from (f"!       {_visible(drifted_text(attribute))}" for attribute in change.attributes)


def _change(change: ResourceChange) -> Iterator[str]:
    mark = _MARKS.get(change.action, " ")
    anew = " (destroyed and made anew)" if change.action == "replace" else ""
    yield f"{mark}   {_visible(resource_text(change))}{anew}"
    for attribute in change.attributes:
        yield f"{mark if mark == '!' else ' '}       {_visible(attribute_text(attribute))}"
