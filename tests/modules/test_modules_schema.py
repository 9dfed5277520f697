"""Every argument, block and attribute that the modules use is in the provider's official schema, as used."""

from __future__ import annotations

import json

import pytest
from module_hcl import load_module, parse, string_value
from module_schema import Schemas, problems, trimmed, types_in_use
from terraform_rig import MODULES, Terraform
from write_generated import AWS_MODULES, AWS_SCHEMA, aws_types_in_use


@pytest.fixture(scope="module")
def aws() -> Schemas:
    return Schemas(json.loads(AWS_SCHEMA.read_text()))


@pytest.mark.parametrize("module", AWS_MODULES)
def test_module_fits_the_official_schema(module: str, aws: Schemas) -> None:
    assert problems(load_module(MODULES / module), aws) == []


@pytest.mark.parametrize("module", AWS_MODULES)
def test_module_fits_the_next_major_version_too(module: str, aws: Schemas) -> None:
    """6.x is known by its generated bindings, which have no data sources: of these, 5.x is held."""
    document = json.loads(AWS_SCHEMA.with_name("aws-6.69.1.json").read_text())
    (provider,) = document["provider_schemas"].values()
    (older,) = json.loads(AWS_SCHEMA.read_text())["provider_schemas"].values()
    newer = Schemas({"provider_schemas": {"aws": {**older, **provider}}})
    assert newer.types("resource") == aws.types("resource")
    assert problems(load_module(MODULES / module), newer) == []


def test_schema_data_holds_the_types_in_use_and_no_others(aws: Schemas) -> None:
    assert aws_types_in_use() == {(kind, name) for kind in ("resource", "data") for name in aws.types(kind)}


def test_schema_data_is_what_the_real_provider_says(aws_root: Terraform) -> None:
    """On another version of the provider too: then the modules fit it, or this says where not."""
    said = json.loads(aws_root.run("providers", "schema", "-json").stdout)
    (version,) = json.loads(aws_root.run("version", "-json").stdout)["provider_selections"].values()
    if version in AWS_SCHEMA.name:
        kept = json.loads(AWS_SCHEMA.read_text())["provider_schemas"]
        now = trimmed(said, aws_types_in_use())["provider_schemas"]
        assert list(now.values()) == list(kept.values())
    for module in AWS_MODULES:
        assert problems(load_module(MODULES / module), Schemas(said)) == []


def test_local_module_needs_no_provider() -> None:
    assert types_in_use(load_module(MODULES / "local/artifact-store")) == set()


VERSIONING = 'resource "aws_s3_bucket_versioning" "this" {{\n bucket = "b"\n {}\n}}'


@pytest.mark.parametrize(
    ("hcl", "problem"),
    [
        ('resource "aws_s3_buckit" "this" {}', "resource.aws_s3_buckit.this: no such type"),
        (
            'resource "aws_s3_bucket" "this" {\n bucket_nmae = "b"\n}',
            "resource.aws_s3_bucket.this.bucket_nmae: no such argument",
        ),
        (
            'resource "aws_s3_bucket" "this" {\n arn = "a"\n}',
            "resource.aws_s3_bucket.this.arn: only the provider sets this",
        ),
        (
            'resource "aws_s3_bucket" "this" {\n force_destroy = "no"\n}',
            "resource.aws_s3_bucket.this.force_destroy: bool wanted, string written",
        ),
        (
            'variable "n" {\n type = number\n}\nresource "aws_s3_bucket" "this" {\n tags = var.n\n}',
            "resource.aws_s3_bucket.this.tags: object wanted, number written",
        ),
        (
            'resource "aws_s3_bucket_policy" "this" {\n bucket = "b"\n}',
            "resource.aws_s3_bucket_policy.this.policy: required, and missing",
        ),
        (
            'resource "aws_s3_bucket_versioning" "this" {\n bucket = "b"\n}',
            "resource.aws_s3_bucket_versioning.this.versioning_configuration: at least 1 needed, 0 written",
        ),
        (
            VERSIONING.format('versioning_configuration {\n status = "Enabled"\n mode = 1\n}'),
            "resource.aws_s3_bucket_versioning.this.versioning_configuration.mode: no such argument",
        ),
        (
            VERSIONING.format('versioning_configuration { status = "Enabled" }\n' * 2),
            "resource.aws_s3_bucket_versioning.this.versioning_configuration: at most 1 allowed, 2 written",
        ),
        (
            'resource "aws_s3_bucket" "this" {\n dynamic "color" {\n for_each = []\n content {}\n }\n}',
            "resource.aws_s3_bucket.this.color: no such block",
        ),
        (
            'resource "aws_s3_bucket" "this" {\n acl = "private"\n}',
            "resource.aws_s3_bucket.this.acl: deprecated",
        ),
        (
            'output "x" {\n value = aws_s3_bucket.this[0].name\n}',
            "output.x: aws_s3_bucket.this[0].name: no such attribute",
        ),
        (
            'output "x" {\n value = "${data.aws_partition.current.title}!"\n}',
            "output.x: data.aws_partition.current.title: no such attribute",
        ),
    ],
)
def test_what_the_schema_does_not_allow_is_found(hcl: str, problem: str, aws: Schemas) -> None:
    assert problem in problems(parse(hcl), aws)


def test_a_sensitive_attribute_is_no_output() -> None:
    secret = {"attributes": {"key": {"type": "string", "computed": True, "sensitive": True}}}
    provider = {"resource_schemas": {"x_key": {"block": secret}}, "data_source_schemas": {}}
    schemas = Schemas({"provider_schemas": {"x": provider}})
    module = parse('output "key" {\n value = x_key.this.key\n}')
    assert problems(module, schemas) == ["output.key: x_key.this.key: sensitive, and not for an output"]


def test_hcl_is_read_as_terraform_reads_it() -> None:
    body = parse(
        """
        # a comment with a } in it
        resource "a_b" "c" {
          text    = "brace } quote \\" template ${f("}", { a = 1 })} $${literal"
          list    = [ # why
            "one",
            { deep = "}" },
          ]
          command = <<-EOT
            if [ "$X" ]; then } fi
          EOT
          inner { on = true }
        }
        """
    )
    (block,) = body.blocks
    assert block.labels == ("a_b", "c")
    assert block.arguments["text"] == '"brace } quote \\" template ${f("}", { a = 1 })} $${literal"'
    assert list(block.arguments) == ["text", "list", "command"]
    assert block.arguments["command"].startswith("<<-EOT")
    assert next(block.all("inner")).arguments == {"on": "true"}


def test_string_values() -> None:
    assert string_value('"a \\"b\\" \\n"') == 'a "b" \n'
    assert string_value('"${a}"') is None
    assert string_value("var.a") is None


@pytest.mark.parametrize("text", ['resource "a" "b"', "a = 1\n}", 'resource "a" {'])
def test_broken_hcl_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unexpected|expected|does not end"):
        parse(text)
