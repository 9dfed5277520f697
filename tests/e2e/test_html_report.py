"""The page of a plan or of the applied stacks, looked at by a real Chromium: a phone's width, dark and light.

The page stands in a frame of a harness that this test serves. The harness measures it and writes what it
found into its own document, which Chromium prints; what the page says to the console goes to Chromium's log.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import manifests
import pytest
from world import World

from provisioner.cli.html import plan_page
from provisioner.manifest import Manifest
from provisioner.summary import AttributeChange, Danger, Finding, ResourceChange, Summary

# No sandbox: CI is root in a container. Nothing of Chromium's own may reach for the network.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=8000", "--window-size=1300,900",
)  # fmt: skip
HOSTILE = """<script>alert(1)</script><img src=//example.com/x onerror=alert(1)>"'&\u202e"""

HARNESS = """<!doctype html><title>harness</title><body><script>
const found = {};
function ratio(one, two) {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map((part) => {
    const value = part / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const [a, b] = [light(one), light(two)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}
function behind(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = one.ownerDocument.defaultView.getComputedStyle(one).backgroundColor;
    if (colour !== "rgba(0, 0, 0, 0)") return colour;
  }
  return "rgb(255, 255, 255)";
}
function look(frame) {
  const page = frame.contentDocument, root = page.documentElement, view = frame.contentWindow;
  page.querySelectorAll("details").forEach((one) => { one.open = true; });
  const texts = [...page.body.querySelectorAll("*")].filter((one) => !one.closest("svg")
    && [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return {
    width: root.clientWidth,
    scroll: root.scrollWidth,
    outside: [...page.body.querySelectorAll("*")].filter((one) => !one.closest(".wide")
      && one.getBoundingClientRect().right > root.clientWidth + 1).map((one) => one.outerHTML.slice(0, 90)),
    faint: texts.filter((one) => ratio(view.getComputedStyle(one).color, behind(one)) < 4.5)
      .map((one) => one.outerHTML.slice(0, 90)),
    paper: view.getComputedStyle(page.body).backgroundColor,
    styled: view.getComputedStyle(page.body).maxWidth !== "none",
    scripts: page.querySelectorAll("script, img, iframe, object, link").length,
    handlers: [...page.querySelectorAll("*")].filter((one) =>
      [...one.attributes].some((attribute) => attribute.name.startsWith("on"))).length,
    headings: [...page.querySelectorAll("h1, h2, h3")].map((one) => one.tagName).join(" "),
    ids: [...page.querySelectorAll("[id]")].map((one) => one.id),
    labels: [...page.querySelectorAll("[aria-labelledby]")].flatMap((one) =>
      one.getAttribute("aria-labelledby").split(" ")).filter((id) => !page.getElementById(id)),
    language: root.lang, title: page.title, text: page.body.innerText,
    pictures: page.querySelectorAll("svg[role=img]").length,
  };
}
async function load(name, width) {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 800px; border: 0`;
  frame.src = name;
  document.body.append(frame);
  await new Promise((resolve) => { frame.onload = resolve; });
  return look(frame);
}
(async () => {
  for (const name of NAMES)
    for (const width of [360, 1280]) found[`${name} ${width}`] = await load(name, width);
  const answer = document.createElement("pre");
  answer.id = "answer";
  answer.textContent = JSON.stringify(found);
  document.body.replaceChildren(answer);
})();
</script>"""


def hostile_page() -> str:
    """A page of two stacks in which all texts try to be more than that, or are too long."""
    attributes = (
        AttributeChange(HOSTILE, "x" * 900, None),
        AttributeChange("tags", {"a": HOSTILE}, ["b"] * 80),
    )
    changes = tuple(
        ResourceChange(
            f"module.a.b.{action}",
            "artifact store",
            "prod_store",
            f"aws_{action}_{'y' * 90}",
            action,
            HOSTILE,
            attributes,
        )
        for action in ("create", "update", "delete", "replace")
    )

    def summary(stack: str) -> Summary:
        return Summary(
            stack, "AWS", "eu-west-1", "1" * 12, f"http://{'h' * 120}", "apply", changes, (), (), (HOSTILE,),
            (HOSTILE,), (HOSTILE,), False,
            dangers=tuple(Danger(kind, "prod_store", HOSTILE) for kind in Danger.KINDS),
            findings=tuple(
                Finding("rule", level, HOSTILE, "f.yaml", 1, 1, "path", None, "p")
                for level in ("deny", "warn")
            ),
        )  # fmt: skip

    stacks: list[tuple[Manifest, Summary]] = [
        (manifests.everything(), summary("first-stack")),
        (manifests.aws(artifact_stores=[{"name": f"store_{n}"} for n in range(6)]), summary("second-stack")),
    ]
    return plan_page(stacks)


@dataclass(frozen=True)
class Browsed:
    """What Chromium found: by page and width, what was asked of the server, and what the console said."""

    pages: dict[str, dict[str, Any]]
    requests: list[str]
    console: list[str]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, pages: dict[str, str], requests: list[str], *arguments: Any) -> None:
        self._pages, self._requests = pages, requests
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._requests.append(self.path)
        page = self._pages.get(self.path.lstrip("/"))
        body = (page or "").encode()
        self.send_response(200 if page is not None else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def browse(pages: dict[str, str], profile: Path, *, dark: bool) -> Browsed:
    """Load the pages in Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium on PATH; make services installs Debian's")
    names = json.dumps(sorted(pages))
    requests: list[str] = []
    served = {**pages, "harness": HARNESS.replace("NAMES", names)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, served, requests))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = subprocess.run(
            [
                chromium,
                *FLAGS,
                *(["--blink-settings=preferredColorScheme=0"] if dark else []),
                f"--user-data-dir={profile}",
                "--dump-dom",
                f"http://127.0.0.1:{server.server_address[1]}/harness",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    finally:
        server.shutdown()
        server.server_close()
    answer = re.search(r'<pre id="answer">(.*)</pre>', done.stdout, re.DOTALL)
    assert answer is not None, done.stdout[-2000:] + done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return Browsed(json.loads(html.unescape(answer[1])), requests, console)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, any_terraform: Path | None) -> Iterator[dict[str, str]]:
    """The pages by name: of a real plan, of what is applied, and one in which everything is hostile."""
    world = World.create(tmp_path_factory.mktemp("html") / "world", any_terraform)
    manifest = world.manifest(provider="local", artifact_stores=[{"name": "main", "protect": False}])
    plan = world.provision("plan", manifest, "--format", "html").out
    world.provision("apply", manifest, "-y")
    status = world.provision("status", "--format", "html").out
    yield {"plan": plan, "status": status, "hostile": hostile_page()}
    world.close()


@pytest.fixture(scope="module", params=["light", "dark"])
def browsed(
    request: pytest.FixtureRequest, pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Browsed:
    """All pages, seen by Chromium in one colour scheme."""
    return browse(pages, tmp_path_factory.mktemp("profile"), dark=request.param == "dark")


def test_a_page_is_right_in_a_browser(browsed: Browsed, request: pytest.FixtureRequest) -> None:
    """One test for all: starting a browser is what takes the time."""
    assert set(browsed.pages) == {
        f"{name} {width}" for name in ("plan", "status", "hostile") for width in (360, 1280)
    }
    for name, page in browsed.pages.items():
        assert page["scroll"] <= page["width"], f"{name} is wider than the screen: {page['outside']}"
        assert page["outside"] == [], name
        assert page["styled"], f"{name}: its own policy refuses its style"
        assert page["faint"] == [], f"{name}: not enough contrast"
        assert (page["scripts"], page["handlers"]) == (0, 0), name
        assert page["headings"].startswith("H1 H2"), name
        assert len(page["ids"]) == len(set(page["ids"])), name
        assert page["labels"] == [], name
        assert (page["language"], page["pictures"] > 0) == ("en", True), name
    assert browsed.console == []
    assert {path for path in browsed.requests if path != "/favicon.ico"} == {
        "/harness", "/plan", "/status", "/hostile",
    }  # fmt: skip


def test_the_scheme_is_that_of_the_reader(browsed: Browsed, request: pytest.FixtureRequest) -> None:
    dark = request.node.callspec.params["browsed"] == "dark"

    assert {page["paper"] for page in browsed.pages.values()} == {
        "rgb(16, 22, 31)" if dark else "rgb(255, 255, 255)"
    }


def test_a_person_reads_what_is_to_be_known(browsed: Browsed) -> None:
    plan = browsed.pages["plan 360"]
    assert plan["title"] == "Plan of demo"
    assert "2 to add" in plan["text"]
    assert "terraform_data.directory[0]" in plan["text"]
    assert "Applied, and the active stack" in browsed.pages["status 360"]["text"]
    hostile = browsed.pages["hostile 360"]
    assert "<script>alert(1)</script>" in hostile["text"]
    assert "\u202e" not in hostile["text"]
    assert "Look twice" in hostile["text"]


def test_the_page_needs_nothing_from_anywhere(pages: dict[str, str]) -> None:
    for page in pages.values():
        tags = re.sub(r"&[a-z0-9#]+;", "", page)
        assert not re.findall(r"<(?:script|img|link|iframe|object)\b", page)
        assert not re.findall(r"""\b(?:src|href)=["'](?!#)""", tags)
        assert "default-src 'none'" in page
