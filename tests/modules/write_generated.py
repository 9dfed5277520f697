"""Write what is generated: the tables in the modules' READMEs, and the provider schema that the tests hold.

    python tests/modules/write_generated.py           # the tables
    python tests/modules/write_generated.py --schema  # the schema too; needs Terraform and the AWS provider

Tests compare what stands in the repository with what this would write.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from module_hcl import Block, load_module, string_value
from module_schema import trimmed, types_in_use
from terraform_rig import MODULES, provider_mirror, terraform_binary, terraform_in

AWS_MODULES = ("aws/artifact-replica", "aws/artifact-store", "aws/service-connector")
EVERY_MODULE = tuple(
    sorted(path.parent.relative_to(MODULES).as_posix() for path in MODULES.glob("*/*/README.md"))
)
AWS_SCHEMA = Path(__file__).resolve().parents[1] / "data" / "provider-schemas" / "aws-5.100.0.json"


def aws_types_in_use() -> set[tuple[str, str]]:
    """Every resource and data type of the AWS modules."""
    return {pair for module in AWS_MODULES for pair in types_in_use(load_module(MODULES / module))}


def readme_with_tables(module: str) -> str:
    """The README of ``module`` with its tables of inputs and outputs as the HCL has them."""
    body = load_module(MODULES / module)
    text = (MODULES / module / "README.md").read_text()
    return _placed(_placed(text, "inputs", _inputs(body)), "outputs", _outputs(body))


def _placed(text: str, name: str, rows: str) -> str:
    """``text`` with ``rows`` between the two marks of ``name``."""
    place = re.compile(f"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    if len(place.findall(text)) != 1:
        raise ValueError(f"a README needs exactly one place for {name}")
    return place.sub(lambda _: f"<!-- {name} -->\n{rows}\n<!-- /{name} -->", text)


def _inputs(body: Block) -> str:
    rows = [("input", "type", "default", "what it is"), ("---", "---", "---", "---")]
    rows.extend(
        (
            f"`{block.labels[0]}`",
            f"`{_one_line(block.arguments['type'])}`",
            f"`{block.arguments['default']}`" if "default" in block.arguments else "required",
            _description(block),
        )
        for block in body.all("variable")
    )
    return "\n".join(_lines(rows))


def _outputs(body: Block) -> str:
    rows = [("output", "what it is"), ("---", "---")]
    rows.extend((f"`{block.labels[0]}`", _description(block)) for block in body.all("output"))
    return "\n".join(_lines(rows))


def _lines(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def _one_line(expression: str) -> str:
    """A type that is written over several lines, in one."""
    parts = [" ".join(line.split()) for line in expression.splitlines()]
    return ", ".join(parts).replace("{, ", "{ ").replace(", }", " }")


def _description(block: Block) -> str:
    said = string_value(block.arguments["description"])
    if said is None:
        raise ValueError(f"{block.type} {block.labels[0]}: a description is plain text")
    return said


def _write_schema() -> None:
    binary, mirror = terraform_binary(), provider_mirror()
    if binary is None or mirror is None:
        raise SystemExit("needs Terraform on PATH and a filesystem mirror with the AWS provider")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        shutil.copy(MODULES / AWS_MODULES[0] / "terraform.tf", root)
        terraform = terraform_in(root, binary, mirror)
        terraform.init()
        said = json.loads(terraform.run("providers", "schema", "-json").stdout)
    AWS_SCHEMA.write_text(json.dumps(trimmed(said, aws_types_in_use()), indent=1, sort_keys=True) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the generated parts of modules/ and of their tests.")
    parser.add_argument("--schema", action="store_true", help="the provider schema too")
    options = parser.parse_args()
    for module in EVERY_MODULE:
        (MODULES / module / "README.md").write_text(readme_with_tables(module))
    if options.schema:
        _write_schema()


if __name__ == "__main__":
    main()
