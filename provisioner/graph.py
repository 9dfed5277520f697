"""A stack as a picture: who may use it, through which identity, which stores, and what was there before.

Made from the manifest alone, the same every time. Text from the manifest is data in it: escaped for Mermaid
character by character, for SVG by the XML writer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

from provisioner.catalog import PROVIDERS
from provisioner.manifest import ArtifactStore, Manifest

Kind = Literal["principal", "connector", "store", "stack"]
KINDS: tuple[Kind, ...] = ("principal", "connector", "store", "stack")
"""From the top of the picture to its foot."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One thing: ``title`` names it, ``note`` says more. ``existing``: it was there before the stack."""

    key: str
    kind: Kind
    title: str
    note: str = ""
    existing: bool = False


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """One thing uses another, and how."""

    start: str
    end: str
    label: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A stack as things and who uses what."""

    title: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]

    def sentences(self) -> list[str]:
        """The picture in words, for those who cannot see it."""
        titles = {node.key: node.title for node in self.nodes}
        return [f"{titles[edge.start]} {edge.label} {titles[edge.end]}" for edge in self.edges]


def graph_of(manifest: Manifest) -> Graph:
    """The picture of a manifest."""
    provider = PROVIDERS[manifest.provider]
    place = ", ".join(filter(None, (provider.title, manifest.region, manifest.account)))
    made = {connector.name for connector in provider.identities(manifest)}
    nodes: dict[str, GraphNode] = {}
    edges: list[GraphEdge] = []
    for connector in manifest.connectors:
        key = f"connector/{connector.name}"
        note = (
            f"{connector.auth_method}, {connector.access}"
            if connector.name in made
            else connector.auth_method
        )
        nodes[key] = GraphNode(key, "connector", connector.name, note, existing=connector.name not in made)
        if connector.name in made:
            for principal in connector.trusted_principals or ("whoever applies",):
                who = f"principal/{principal}"
                nodes[who] = GraphNode(who, "principal", principal, existing=True)
                edges.append(GraphEdge(who, key, "may use"))
    for store in manifest.artifact_stores:
        key = f"store/{store.name}"
        nodes[key] = GraphNode(key, "store", store.name, _where(store, provider.scheme), store.existing)
        edges += [
            GraphEdge(f"connector/{connector.name}", key, _does(connector.access))
            for connector in manifest.connectors
            if connector.name == store.connector
        ]
    stack = f"stack/{manifest.name}"
    nodes[stack] = GraphNode(stack, "stack", manifest.name, place)
    edges.append(GraphEdge(stack, f"store/{manifest.stack.artifact_store}", "keeps its artifacts in"))
    ordered = sorted(nodes.values(), key=lambda node: KINDS.index(node.kind))
    return Graph(f"Stack {manifest.name} on {place}", tuple(ordered), tuple(edges))


def _where(store: ArtifactStore, scheme: str) -> str:
    name = store.bucket or "generated name"
    path = "/".join(filter(None, (name, store.prefix)))
    return f"{scheme}://{path}" if scheme and store.bucket else path


def _does(access: str) -> str:
    return {"read-write": "reads and writes", "read-only": "reads"}.get(access, access)


# --- Mermaid ------------------------------------------------------------------------------------------

_SHAPES: dict[Kind, tuple[str, str]] = {
    "principal": ("([", "])"),
    "connector": ("{{", "}}"),
    "store": ("[(", ")]"),
    "stack": ("[[", "]]"),
}
# What Mermaid takes as it stands inside of quotes; anything else is written as the number of its character.
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ,.:/_@=+*-]")


def mermaid(graph: Graph) -> str:
    """The picture as a Mermaid flowchart, which GitHub and GitLab draw in Markdown."""
    keys = {node.key: f"n{index}" for index, node in enumerate(graph.nodes)}
    lines = ["flowchart TB"]
    for node in graph.nodes:
        opened, closed = _SHAPES[node.kind]
        text = "<br/>".join(_plain(part) for part in (node.title, node.note) if part)
        lines.append(f'  {keys[node.key]}{opened}"{text}"{closed}')
    lines += [f'  {keys[edge.start]} -->|"{_plain(edge.label)}"| {keys[edge.end]}' for edge in graph.edges]
    existing = [keys[node.key] for node in graph.nodes if node.existing]
    if existing:
        lines += ["  classDef existing stroke-dasharray: 5 5", f"  class {','.join(existing)} existing"]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub(lambda match: f"#{ord(match[0])};", text)


# --- SVG ----------------------------------------------------------------------------------------------

STYLE = """\
.g-node rect { fill: var(--g-fill, #f3f6fb); stroke: var(--g-line, #51617a); stroke-width: 1.5 }
.g-store rect { fill: var(--g-store, #e3f2e6) }
.g-connector rect { fill: var(--g-connector, #fdf1d8) }
.g-stack rect { fill: var(--g-stack, #e2ebfc) }
.g-existing rect { stroke-dasharray: 6 4 }
.g-title { font: 600 14px system-ui, sans-serif; fill: var(--g-text, #14202f) }
.g-note, .g-label { font: 12px system-ui, sans-serif; fill: var(--g-muted, #46566d) }
.g-edge { fill: none; stroke: var(--g-line, #51617a); stroke-width: 1.5 }
.g-label { paint-order: stroke; stroke: var(--g-paper, #fff); stroke-width: 4 }
.g-head { fill: var(--g-line, #51617a) }
"""
_DARK = """\
@media (prefers-color-scheme: dark) {
  svg { --g-fill: #1d2735; --g-store: #1b3325; --g-connector: #3a2f17; --g-stack: #1c2c4d;
    --g-line: #8fa3c0; --g-text: #eef3fa; --g-muted: #b6c3d6; --g-paper: #10161f; background: #10161f }
}
"""
_WIDTH, _HEIGHT = 210, 54
_GAP_X, _GAP_Y, _MARGIN = 24, 62, 12
_TITLE_ROOM, _NOTE_ROOM = 22, 31  # characters that fit into a box


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.x + _WIDTH / 2


def svg(graph: Graph, *, style: bool = True, identity: str = "graph") -> str:
    """The picture as SVG that needs nothing else.

    Without ``style`` the page it stands in brings :data:`STYLE`; ``identity`` keeps its ids apart there.
    """
    boxes, width, height = _layout(graph)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
            "role": "img",
            "aria-labelledby": f"{identity}-title {identity}-words",
        },
    )
    ET.SubElement(root, "title", id=f"{identity}-title").text = graph.title
    ET.SubElement(root, "desc", id=f"{identity}-words").text = "; ".join(graph.sentences())
    if style:
        ET.SubElement(root, "style").text = STYLE + _DARK
    marker = {"id": f"{identity}-head", "viewBox": "0 0 8 8", "refX": "7", "refY": "4", "orient": "auto"}
    head = ET.SubElement(
        ET.SubElement(root, "defs"), "marker", {**marker, "markerWidth": "8", "markerHeight": "8"}
    )
    ET.SubElement(head, "path", {"d": "M0 0L8 4L0 8z", "class": "g-head"})
    lines, labels = ET.SubElement(root, "g"), ET.SubElement(root, "g")  # no line runs over a label
    for edge in graph.edges:
        _draw_edge(lines, labels, edge, boxes[edge.start], boxes[edge.end], f"url(#{identity}-head)")
    for node in graph.nodes:
        _draw_node(root, node, boxes[node.key])
    return ET.tostring(root, encoding="unicode") + "\n"


def _layout(graph: Graph) -> tuple[dict[str, _Box], float, float]:
    rows = [[node for node in graph.nodes if node.kind == kind] for kind in KINDS]
    rows = [row for row in rows if row]
    widest = max(len(row) for row in rows)
    width = widest * (_WIDTH + _GAP_X) - _GAP_X + 2 * _MARGIN
    boxes = {}
    for number, row in enumerate(rows):
        own = len(row) * (_WIDTH + _GAP_X) - _GAP_X
        for place, node in enumerate(row):
            x = (width - own) / 2 + place * (_WIDTH + _GAP_X)
            boxes[node.key] = _Box(x, _MARGIN + number * (_HEIGHT + _GAP_Y))
    height = len(rows) * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _MARGIN
    return boxes, width, height


def _draw_node(root: ET.Element, node: GraphNode, box: _Box) -> None:
    names = f"g-node g-{node.kind}" + (" g-existing" if node.existing else "")
    group = ET.SubElement(root, "g", {"class": names})
    said = f"{node.kind} {node.title}" + (f": {node.note}" if node.note else "")
    ET.SubElement(group, "title").text = said + (" (was there before)" if node.existing else "")
    place = {"x": f"{box.x:g}", "y": f"{box.y:g}", "width": str(_WIDTH), "height": str(_HEIGHT), "rx": "8"}
    ET.SubElement(group, "rect", place)
    for text, room, name, down in _texts(node):
        where = {"x": f"{box.middle:g}", "y": f"{box.y + down:g}", "text-anchor": "middle", "class": name}
        ET.SubElement(group, "text", where).text = _shortened(text, room)


def _texts(node: GraphNode) -> Iterator[tuple[str, int, str, int]]:
    yield node.title, _TITLE_ROOM, "g-title", 24 if node.note else 32
    if node.note:
        yield node.note, _NOTE_ROOM, "g-note", 42


def _draw_edge(
    lines: ET.Element, labels: ET.Element, edge: GraphEdge, start: _Box, end: _Box, head: str
) -> None:
    down = end.y > start.y
    y1, y2 = (start.y + _HEIGHT, end.y - 1) if down else (start.y, end.y + _HEIGHT + 1)
    middle = (y1 + y2) / 2
    x1, x2 = start.middle, end.middle
    path = f"M{x1:g} {y1:g}C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}"
    ET.SubElement(lines, "path", {"d": path, "class": "g-edge", "marker-end": head})
    # At the end that has only this line, or lines that say the same: labels never lie on each other.
    at_end = edge.start.startswith("connector/")
    x, y = (x2, y2 - 16) if at_end else (x1, y1 + 18 if down else y1 - 10)
    where = {"x": f"{x + 8:g}", "y": f"{y:g}", "class": "g-label"}
    ET.SubElement(labels, "text", where).text = edge.label


def _shortened(text: str, room: int) -> str:
    """The text cut in its middle: of an ARN the end tells most, of a name the beginning."""
    if len(text) <= room:
        return text
    head = room // 3
    return f"{text[:head]}…{text[-(room - head - 1) :]}"
