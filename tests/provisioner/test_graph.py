"""The picture of a stack: everything in it, once, and nothing of the manifest's text at work in it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import manifests
import pytest

from provisioner.graph import Graph, GraphEdge, GraphNode, graph_of, mermaid, svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = """<script>alert(1)</script>"]); click n0 "javascript:x" %%{init}%% `x` #35; &amp; \\n"""


def hostile() -> Graph:
    """A picture whose every text tries to be more than text."""
    nodes = (GraphNode("a", "principal", HOSTILE, HOSTILE), GraphNode("b", "stack", HOSTILE))
    return Graph(HOSTILE, nodes, (GraphEdge("a", "b", HOSTILE),))


def test_everything_of_a_stack_is_in_its_picture() -> None:
    graph = graph_of(manifests.everything())

    assert [(node.kind, node.title, node.existing) for node in graph.nodes] == [
        ("principal", "arn:aws:iam::123456789012:role/ci", True),
        ("connector", "prod_connector", False),
        ("store", "prod_store", False),
        ("store", "adopted", True),
        ("stack", "demo", False),
    ]
    assert graph.sentences() == [
        "arn:aws:iam::123456789012:role/ci may use prod_connector",
        "prod_connector reads prod_store",
        "prod_connector reads adopted",
        "demo keeps its artifacts in prod_store",
    ]
    assert [node.note for node in graph.nodes if node.title == "prod_store"] == [
        "s3://acme-ml-prod/artifacts/v1"
    ]


def test_a_local_stack_has_no_connectors() -> None:
    graph = graph_of(manifests.manifest())

    assert [node.kind for node in graph.nodes] == ["store", "stack"]


def test_a_trust_in_nobody_in_particular_is_shown() -> None:
    graph = graph_of(manifests.aws())

    assert ("principal", "whoever applies") in [(node.kind, node.title) for node in graph.nodes]


def test_mermaid_has_a_line_for_each_thing() -> None:
    graph = graph_of(manifests.everything())

    first, *lines = mermaid(graph).splitlines()

    assert first == "flowchart TB"
    assert sum(" -->|" in line for line in lines) == len(graph.edges)
    assert sum(bool(re.match(r"  n\d+[\[({]", line)) for line in lines) == len(graph.nodes)
    assert "  class n0,n3 existing" in lines


@pytest.mark.parametrize("graph", [hostile(), graph_of(manifests.everything())])
def test_mermaid_holds_only_what_its_grammar_takes_as_text(graph: Graph) -> None:
    text = r'"(?:[A-Za-z0-9 ,.:/_@=+*-]|#\d+;|<br/>)*"'
    line = re.compile(
        rf"flowchart TB|  n\d+(\(\[{text}\]\)|\{{\{{{text}\}}\}}|\[\({text}\)\]|\[\[{text}\]\])"
        rf"|  n\d+ -->\|{text}\| n\d+|  classDef existing stroke-dasharray: 5 5|  class n\d+(,n\d+)* existing"
    )

    for found in mermaid(graph).splitlines():
        assert line.fullmatch(found), found


def test_svg_is_well_formed_and_says_in_words_what_it_shows() -> None:
    graph = graph_of(manifests.everything())

    root = ET.fromstring(svg(graph))

    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == graph.title
    assert "prod_connector reads prod_store" in (root.findtext(f"{SVG}desc") or "")
    assert len(root.findall(f"{SVG}g/{SVG}rect")) == len(graph.nodes)
    assert len(root.findall(f"{SVG}g/{SVG}path")) == len(graph.edges)


def test_svg_keeps_text_text() -> None:
    root = ET.fromstring(svg(hostile()))

    assert not [element for element in root.iter() if element.tag in {f"{SVG}script", f"{SVG}a"}]
    assert root.findtext(f"{SVG}title") == HOSTILE
    assert "http" not in svg(hostile()).replace("http://www.w3.org/2000/svg", "")


def test_svg_boxes_lie_inside_and_beside_each_other() -> None:
    stores = [{"name": f"store_{number}"} for number in range(5)]
    root = ET.fromstring(svg(graph_of(manifests.aws(artifact_stores=stores))))

    width = float(root.get("width", 0))
    boxes = [
        tuple(float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
    ]
    assert all(x >= 0 and x + wide <= width for x, _, wide, _ in boxes)
    for index, (x, y, wide, _) in enumerate(boxes):
        beside = [other for other in boxes[:index] if other[1] == y and abs(other[0] - x) < wide]
        assert beside == []


def test_the_same_manifest_gives_the_same_picture() -> None:
    assert svg(graph_of(manifests.everything())) == svg(graph_of(manifests.everything()))
