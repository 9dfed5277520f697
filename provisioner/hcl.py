"""Quoting for the few places where text reaches HCL; everything else travels as JSON data."""

from __future__ import annotations

import json


def quote(text: str) -> str:
    """``text`` as an HCL string literal in which nothing is ever evaluated."""
    literal = json.dumps(text, ensure_ascii=True)
    return literal.replace("${", "$${").replace("%{", "%%{")
