"""A plan or the applied stacks as one page that needs nothing else: readable on a phone, on paper, by ear.

No script and no request: the page's own policy forbids both. Every text is escaped by the template; the
picture is made by an XML writer.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup

from provisioner.assets import templates_root
from provisioner.cli.show import counts_text
from provisioner.graph import STYLE, graph_of, svg
from provisioner.manifest import Manifest, parse_manifest
from provisioner.manifest.text import is_hidden
from provisioner.summary import ResourceChange, Summary
from provisioner.workspace import Workspace
from stacks.state import DeploymentRecord, State, StateFile

_LONGEST = 400
_MARKS = {
    "create": ("+", "create"),
    "update": ("~", "change"),
    "delete": ("-", "destroy"),
    "replace": ("±", "replace"),
}
_DRIFTED = {"create": ("-", "missing"), "update": ("~", "changed")}
_DANGERS = {
    "data": "data is lost",
    "public": "public access",
    "permissions": "wider permissions",
    "trust": "wider trust",
    "protection": "less protection",
}
_TITLES = {"apply": "Plan", "destroy": "Plan of a destroy", "drift": "Drift"}


def plan_page(plans: Sequence[tuple[Manifest, Summary]]) -> str:
    """The page of one or several plans (or drifts)."""
    operation = _TITLES[plans[0][1].operation] if plans else "Plan"
    names = [summary.stack for _, summary in plans]
    subject = names[0] if len(names) == 1 else f"{len(names)} stacks"
    items = [
        _plan_item(manifest, summary, f"s{index}", alone=len(plans) == 1)
        for index, (manifest, summary) in enumerate(plans)
    ]
    return _page(f"{operation} of {subject}".replace("destroy of", "destroy:"), "", items)


def status_page(records: Sequence[DeploymentRecord], state: State, file: StateFile) -> str:
    """The page of what is applied."""
    items = [_status_item(record, state, file, f"s{index}") for index, record in enumerate(records)]
    title = f"Stack {records[0].name}" if len(records) == 1 else "Applied stacks"
    return _page(title, f"From the state file {file.location}", items)


def _page(title: str, intro: str, items: Sequence[Mapping[str, Any]]) -> str:
    style = (templates_root() / "report.css").read_text(encoding="utf-8") + STYLE
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_root()),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_visible,
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        title=title,
        intro=intro,
        stacks=items,
        style=Markup(style),  # noqa: S704  # our own file, and nothing of anybody's in it
        style_hash=Markup(digest),  # noqa: S704  # Base64
    )


def _visible(value: Any) -> Any:
    """What is printed, with each character that hides shown as its number."""
    if isinstance(value, str) and not isinstance(value, Markup) and any(map(is_hidden, value)):
        return "".join(f"\\u{ord(each):04x}" if is_hidden(each) else each for each in value)
    return value


# --- plans ----------------------------------------------------------------------------------------------


def _plan_item(manifest: Manifest, summary: Summary, anchor: str, *, alone: bool) -> dict[str, Any]:
    drift = summary.operation == "drift"
    changes = summary.drift if drift else (*summary.changes, *summary.registered)
    return {
        "name": summary.stack,
        "anchor": anchor,
        "where": _where(summary.provider, summary.region, summary.account),
        "result": _result(summary),
        "facts": [
            (name, value)
            for name, value in (
                ("Cloud", summary.provider),
                ("Region", summary.region),
                ("Account", summary.account),
                ("Endpoint", summary.endpoint_url),
            )
            if value
        ],
        "blocks": list(_blocks(summary)),
        "graph": _graph(manifest, anchor),
        "heading": "What is not as it was applied" if drift else "All changes",
        "groups": list(_groups(changes, _DRIFTED if drift else _MARKS)),
        "open": alone,
    }


def _result(summary: Summary) -> str:
    if summary.operation == "drift":
        return "Drifted" if summary.drifted else "No drift: everything is as it was applied."
    if summary.changes:
        return counts_text(summary)
    return "Only what is registered changes." if summary.outputs_change else "No changes."


def _blocks(summary: Summary) -> Iterator[dict[str, Any]]:
    told = (
        ("danger", "Look twice", [f"{store}: deleted with everything in it" for store in summary.emptied]
         + [f"{danger.component}: {_DANGERS[danger.kind]}: {danger.text}" for danger in summary.dangers]),
        ("danger", "Not allowed by policy", [str(one) for one in summary.findings if one.level == "deny"]),
        ("warning", "Told by policy", [str(one) for one in summary.findings if one.level != "deny"]),
        ("warning", "Settings that differ", list(summary.deviations)),
        ("", "Permissions granted", list(summary.grants)),
        ("warning", "Protections that this service does not have",
         list(summary.missing_protections) if summary.operation == "apply" else []),
    )  # fmt: skip
    yield from ({"kind": kind, "title": title, "lines": lines} for kind, title, lines in told if lines)


def _groups(
    changes: Sequence[ResourceChange], marks: Mapping[str, tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    ordered = sorted(changes, key=lambda change: (change.kind, change.component, change.resource))
    for (kind, component), group in groupby(ordered, key=lambda change: (change.kind, change.component)):
        yield {
            "title": f"{kind} {component}".strip() or "the stack itself",
            "changes": [_change(change, marks) for change in group],
        }


def _change(change: ResourceChange, marks: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    mark, word = marks.get(change.action, ("", change.action))
    return {
        "action": change.action if word != "missing" else "missing",
        "mark": mark,
        "word": word,
        "resource": change.resource,
        "identifier": change.identifier,
        "attributes": [
            {"path": one.path, "before": _value(one.before), "after": _value(one.after)}
            for one in change.attributes
        ],
    }


def _value(value: Any) -> str:
    if isinstance(value, str) and value.startswith("("):
        return value  # a mask or «known after apply»
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# --- what is applied ------------------------------------------------------------------------------------


def _status_item(record: DeploymentRecord, state: State, file: StateFile, anchor: str) -> dict[str, Any]:
    workspace = Workspace(file.home / "workspaces" / record.name)
    active = state.active_stack == record.stack
    stores = [state.artifact_store(name) for name in record.artifact_stores]
    kept = [
        f"{store.name}: {store.flavor}, {store.path}"
        + (f", through {store.connector}" if store.connector else "")
        for store in stores
    ]
    blocks = [{"kind": "", "title": "Artifact stores", "lines": kept}] if kept else []
    if workspace.journal.exists():
        cut_off = [f"a run was cut off: provision recover {record.name}"]
        blocks.insert(0, {"kind": "warning", "title": "Attention", "lines": cut_off})
    return {
        "name": record.name,
        "anchor": anchor,
        "where": _where(record.provider, record.region, record.account),
        "result": "Applied, and the active stack" if active else "Applied",
        "facts": [
            (name, value)
            for name, value in (
                ("Cloud", record.provider),
                ("Region", record.region),
                ("Account", record.account),
                ("Applied", f"{record.applied_at:%Y-%m-%d %H:%M:%S} UTC"),
                ("From", record.manifest),
                ("By", record.engine),
            )
            if value
        ],
        "blocks": blocks,
        "graph": _applied_graph(workspace, anchor),
        "heading": "",
        "groups": [],
        "open": False,
    }


def _applied_graph(workspace: Workspace, anchor: str) -> Markup | None:
    """The picture of what was applied; None on a machine that has not applied it."""
    path = workspace.applied_manifest
    if not path.is_file():
        return None
    return _graph(parse_manifest(path.read_text(encoding="utf-8"), file=str(path)), anchor)


def _graph(manifest: Manifest, anchor: str) -> Markup:
    drawn = svg(graph_of(manifest), style=False, identity=f"{anchor}-graph")
    return Markup(drawn)  # noqa: S704  # written by an XML writer, which escapes


def _where(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)
