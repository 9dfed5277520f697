"""The policy file as frozen models: one rule, one field. A rule may be written as its level alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from provisioner.manifest.scalars import as_bool, as_integer, as_text, refusal
from provisioner.manifest.text import shown

_MAX_PATTERNS = 500


def _no_empty_pattern(value: object) -> object:
    text = as_text(value)
    if isinstance(text, str) and not 0 < len(text) <= 2048:
        raise refusal(f"found {shown(text)}; allowed: a pattern of 1 to 2,048 characters")
    return text


Level: TypeAlias = Annotated[Literal["deny", "warn", "off"], BeforeValidator(as_text)]
Pattern: TypeAlias = Annotated[str, BeforeValidator(_no_empty_pattern)]
Patterns: TypeAlias = Annotated[tuple[Pattern, ...], Field(max_length=_MAX_PATTERNS)]
Flag: TypeAlias = Annotated[bool, BeforeValidator(as_bool)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Rule(_Part):
    """A rule that needs no more than how much it matters."""

    level: Level = Field(
        default="deny",
        description="deny refuses (exit 6), warn only tells, off is silent.",
        examples=["warn"],
    )
    exempt: Patterns = Field(
        default=(),
        description="Stacks, or stack/component, that the rule is not for. `*` is any text.",
        examples=[["sandbox-*", "ml-dev/scratch"]],
    )


class AllowedRule(Rule):
    """A rule with a list of what is allowed."""

    allowed: Patterns = Field(
        description="What is allowed; `*` is any text.", examples=[["eu-*"]], min_length=1
    )


class TagsRule(Rule):
    """Tags that every stack has."""

    required: Mapping[str, Pattern] = Field(
        description="The tags, and a pattern for the value of each.", examples=[{"team": "*", "env": "prod"}]
    )


class NamesRule(Rule):
    """Patterns for names; those left out may be anything."""

    stack: Pattern | None = Field(default=None, description="Names of stacks.", examples=["ml-*"])
    artifact_store: Pattern | None = Field(default=None, description="Names of stores.", examples=["*_store"])
    connector: Pattern | None = Field(default=None, description="Names of connectors.", examples=["*_access"])
    bucket: Pattern | None = Field(
        default=None, description="Names of buckets that a manifest gives.", examples=["acme-*"]
    )


class ProfileRule(Rule):
    """How many protections a store has at least."""

    minimum: Annotated[Literal["baseline", "strict"], BeforeValidator(as_text)] = Field(
        default="strict", description="The least profile of a store.", examples=["strict"]
    )


class CheckovRule(Rule):
    """Checkov over the JSON of the plan, where it is installed."""

    level: Level = Field(
        default="warn", description="What a failed check is: deny, warn or off.", examples=["warn"]
    )
    skip: Patterns = Field(
        default=(),
        description="Checks to leave out, besides those that the profile baseline does without.",
        examples=[["CKV_AWS_18"]],
    )
    required: Flag = Field(
        default=False, description="true denies where Checkov is not installed.", examples=[True]
    )


def _as_rule(value: object) -> object:
    """``deny`` for ``{level: deny}``; ``off`` needs no more, whatever else the rule asks for."""
    if value == "off":
        return None
    return {"level": value} if isinstance(value, str) else value


def _schema_with_level(schema: JsonDict) -> None:
    """The short form, for editors."""
    options = cast("list[Any]", schema.pop("anyOf"))
    whole = next(option for option in options if "$ref" in option)
    schema["anyOf"] = [{"enum": ["deny", "warn", "off"]}, whole]
    schema.pop("default", None)


def _rule(description: str, example: Any = "deny") -> Any:
    return Field(
        default=None, description=description, examples=[example], json_schema_extra=_schema_with_level
    )


class Rules(_Part):
    """The built-in rules; one that is not named is off."""

    data_destroyed: Annotated[Rule | None, BeforeValidator(_as_rule)] = _rule(
        "No bucket is deleted or replaced, and no old version is kept for less time."
    )
    wider_permissions: Annotated[Rule | None, BeforeValidator(_as_rule)] = _rule(
        "No permission is granted but those that the modules list."
    )
    protected: Annotated[Rule | None, BeforeValidator(_as_rule)] = _rule("No store has `protect: false`.")
    customer_key: Annotated[Rule | None, BeforeValidator(_as_rule)] = _rule(
        "Every store is encrypted with a customer's key."
    )
    regions: Annotated[AllowedRule | None, BeforeValidator(_as_rule)] = _rule(
        "Regions that may be used, for copies as well.", {"allowed": ["eu-*"]}
    )
    providers: Annotated[AllowedRule | None, BeforeValidator(_as_rule)] = _rule(
        "Providers that may be used.", {"allowed": ["aws"]}
    )
    accounts: Annotated[AllowedRule | None, BeforeValidator(_as_rule)] = _rule(
        "Accounts that may be used; a manifest has to name one of them.", {"allowed": ["123456789012"]}
    )
    trusted_principals: Annotated[AllowedRule | None, BeforeValidator(_as_rule)] = _rule(
        "Who may be trusted; a connector has to say whom it trusts.",
        {"allowed": ["arn:aws:iam::123456789012:role/*"]},
    )
    tags: Annotated[TagsRule | None, BeforeValidator(_as_rule)] = _rule(
        "Tags that every stack has.", {"required": {"team": "*"}}
    )
    names: Annotated[NamesRule | None, BeforeValidator(_as_rule)] = _rule(
        "Patterns for names.", {"stack": "ml-*"}
    )
    profile: Annotated[ProfileRule | None, BeforeValidator(_as_rule)] = _rule(
        "The least profile of every store.", {"minimum": "strict"}
    )
    checkov: Annotated[CheckovRule | None, BeforeValidator(_as_rule)] = _rule(
        "Checkov over the plan, where it is installed.", "warn"
    )


class PolicyFile(_Part):
    """What a repository asks of every stack in it."""

    version: Annotated[Literal[1], BeforeValidator(as_integer)] = Field(
        description="Version of this schema.", examples=[1]
    )
    rules: Rules = Field(default=Rules(), description="The rules.", examples=[{"data_destroyed": "deny"}])
    require_signature: Patterns = Field(
        default=(),
        description="Public keys: then nothing is applied but bundles signed with one of them.",
        examples=[["ed25519:…"]],
    )


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the policy file."""
    schema = PolicyFile.model_json_schema(mode="validation")
    schema.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack policy",
        **_without_titles(schema),
    }


def _without_titles(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
