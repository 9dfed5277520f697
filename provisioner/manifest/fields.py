"""The types of the manifest's fields: what each allows as text, and how a scalar becomes it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from provisioner.catalog import PROVIDERS
from provisioner.manifest.scalars import (
    as_bool,
    as_integer,
    as_integer_or_none,
    as_text,
    as_text_or_none,
    refusal,
)
from provisioner.manifest.text import Rule, shown

RESERVED_TAGS = ("provisioned-by", "stack", "artifact-store", "connector")
"""Tags that the modules set themselves; a resource carries three of them."""

MAX_TAGS = 47
"""S3 and IAM take 50 tags; three are ours."""

_STACK_NAME = Rule(
    re.compile(r"[a-z][a-z0-9-]{1,29}"), "2 to 30 characters, a-z, 0-9 and '-', starting with a letter"
)
_STORE_NAME = Rule(
    re.compile(r"[a-z][a-z0-9_-]{0,39}"), "1 to 40 characters, a-z, 0-9, '_' and '-', starting with a letter"
)
# Ten more than a store's: a default connector is named <store>_connector.
_CONNECTOR_NAME = Rule(
    re.compile(r"[a-z][a-z0-9_-]{0,49}"), "1 to 50 characters, a-z, 0-9, '_' and '-', starting with a letter"
)
_WORD = Rule(re.compile(r"[a-z][a-z0-9_-]{0,62}"), "a lower-case word of a-z, 0-9, '_' and '-'")
_SECRET_NAME = Rule(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"),
    "the name of a secret: 1 to 100 letters, digits, '_', '.' and '-' "
    "(the secret itself goes into the secret store: `provision secret create`)",
    secret=True,
)
_REGION = Rule(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"), "1 to 63 letters, digits, '-' and '_', such as eu-west-1"
)
_ACCOUNT = Rule(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}"),
    "an AWS account id of 12 digits, a GCP project id or an Azure subscription id",
)
# A host or an address in brackets, a port and a path: no user or password, no query.
_ENDPOINT = Rule(
    re.compile(
        r"https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
        r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
        r"(/[A-Za-z0-9._~/-]{0,200})?"
    ),
    "http://HOST[:PORT] or https://HOST[:PORT], without user and password",
    secret=True,
)
# S3's safe characters and a few more, without those that mean something in an IAM policy (* ? $ &): a prefix
# that held them could widen a grant.
_PREFIX = Rule(
    re.compile(r"(?!.{513})[A-Za-z0-9!_.=+@,()'-]+(/[A-Za-z0-9!_.=+@,()'-]+)*"),
    "at most 512 characters, letters, digits and ! _ . = + @ , ( ) ' -, in parts joined by single '/', "
    "without '/' at either end",
    refused=((re.compile(r"(^|/)\.{1,2}(/|$)"), "no part of a prefix may be '.' or '..'"),),
)
EXTENDS = Rule(
    re.compile(r"(?!/)(?!.*\\).{1,1000}\.ya?ml"),
    "the path of a .yaml or .yml file, relative to this file",
    ascii_only=False,
)
_PATH = Rule(re.compile(r".{1,4000}"), "a name of 1 to 4,000 characters", ascii_only=False)
_ARN = Rule(
    re.compile(r"[!-~]{1,2048}"),
    "the full name of one principal, such as arn:aws:iam::123456789012:role/ci",
    refused=((re.compile(r"[*?]"), "a wildcard would trust whoever fits it"),),
)
_VISIBLE_ASCII = Rule(re.compile(r"[!-~]{1,2048}"), "1 to 2,048 visible ASCII characters, without spaces")
_TAG_KEY = Rule(
    re.compile(r"[\w .:/=+@-]{1,128}"),
    "1 to 128 letters, digits, spaces and _ . : / = + - @",
    ascii_only=False,
    refused=(
        (re.compile(r"^aws:", re.IGNORECASE), "tags that start with aws: belong to AWS"),
        (re.compile(r"^ | $"), "no space at either end of a tag"),
        (re.compile(rf"^({'|'.join(RESERVED_TAGS)})$"), "this tag is set by the provisioner itself"),
    ),
)
_TAG_VALUE = Rule(
    re.compile(r"[\w .:/=+@-]{0,256}"),
    "0 to 256 letters, digits, spaces and _ . : / = + - @",
    ascii_only=False,
    refused=((re.compile(r"^ | $"), "no space at either end of a tag"),),
)

_text = BeforeValidator(as_text)
_text_or_none = BeforeValidator(as_text_or_none)
_strict = Field(strict=True)


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise refusal(f"found {shown(name)}; available: {known}")
    return name


_RESOURCE_GROUP = Rule(
    re.compile(r"[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]"),
    "1 to 90 letters, digits and _ ( ) . -, without a dot at its end",
)
_SUBNET_ID = (
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[A-Za-z0-9_().-]{1,90}/providers/Microsoft\.Network"
    r"/virtualNetworks/[A-Za-z0-9_.-]{1,80}/subnets/[A-Za-z0-9_.-]{1,80}"
)
_SUBNET = Rule(
    re.compile(_SUBNET_ID),
    "the resource id of a subnet: /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Network/"
    "virtualNetworks/NAME/subnets/NAME",
)
_BYTE = r"(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_NETWORK = Rule(
    re.compile(rf"{_BYTE}(\.{_BYTE}){{3}}(/([0-9]|[12][0-9]|30))?|{_SUBNET_ID}"),
    "a public IPv4 address, a range up to /30 such as 203.0.113.0/24, or the resource id of a subnet",
    refused=(
        (re.compile(r"^[0-9.]+/0$"), "a range of all addresses would allow everybody"),
        (
            re.compile(r"^(10|127|192\.168|172\.(1[6-9]|2[0-9]|3[01]))\."),
            "private addresses never arrive at a storage account: name their subnet",
        ),
    ),
)

Flag: TypeAlias = Annotated[bool, _strict, BeforeValidator(as_bool)]
Version: TypeAlias = Annotated[Literal[1], BeforeValidator(as_integer)]
Backend: TypeAlias = Annotated[Literal["local", "s3", "gcs", "azurerm"], _text]
Profile: TypeAlias = Annotated[Literal["baseline", "strict"], _text]
Access: TypeAlias = Annotated[Literal["read-write", "read-only"], _text]
ProviderName: TypeAlias = Annotated[str, _strict, _WORD, AfterValidator(_known_provider), _text]
StackName: TypeAlias = Annotated[str, _strict, _STACK_NAME, _text]
StoreName: TypeAlias = Annotated[str, _strict, _STORE_NAME, _text]
ConnectorName: TypeAlias = Annotated[str, _strict, _CONNECTOR_NAME, _text]
Word: TypeAlias = Annotated[str, _strict, _WORD, _text]
Principal: TypeAlias = Annotated[str, _strict, _ARN, _text]
TagKey: TypeAlias = Annotated[str, _strict, _TAG_KEY, _text]
TagValue: TypeAlias = Annotated[str, _strict, _TAG_VALUE, _text]
Days: TypeAlias = Annotated[
    Annotated[int, Field(strict=True, ge=1, le=36_500)] | None, BeforeValidator(as_integer_or_none)
]
SessionSeconds: TypeAlias = Annotated[int, Field(strict=True, ge=900, le=43_200), BeforeValidator(as_integer)]
"""Seconds, within AWS's limits for AssumeRole: 15 minutes to 12 hours."""

# Text that may be left out, or be null for «not said».
MaybeAccount: TypeAlias = Annotated[Annotated[str, _strict, _ACCOUNT] | None, _text_or_none]
MaybeConnectorName: TypeAlias = Annotated[Annotated[str, _strict, _CONNECTOR_NAME] | None, _text_or_none]
MaybeEndpoint: TypeAlias = Annotated[Annotated[str, _strict, _ENDPOINT] | None, _text_or_none]
MaybeExtends: TypeAlias = Annotated[Annotated[str, _strict, EXTENDS] | None, _text_or_none]
Network: TypeAlias = Annotated[str, _strict, _NETWORK, _text]
MaybePath: TypeAlias = Annotated[Annotated[str, _strict, _PATH] | None, _text_or_none]
MaybePrefix: TypeAlias = Annotated[Annotated[str, _strict, _PREFIX] | None, _text_or_none]
MaybeRegion: TypeAlias = Annotated[Annotated[str, _strict, _REGION] | None, _text_or_none]
MaybeResourceGroup: TypeAlias = Annotated[Annotated[str, _strict, _RESOURCE_GROUP] | None, _text_or_none]
MaybeSecretName: TypeAlias = Annotated[Annotated[str, _strict, _SECRET_NAME] | None, _text_or_none]
MaybeStoreName: TypeAlias = Annotated[Annotated[str, _strict, _STORE_NAME] | None, _text_or_none]
MaybeSubnet: TypeAlias = Annotated[Annotated[str, _strict, _SUBNET] | None, _text_or_none]
MaybeVisibleAscii: TypeAlias = Annotated[Annotated[str, _strict, _VISIBLE_ASCII] | None, _text_or_none]
MaybeWord: TypeAlias = Annotated[Annotated[str, _strict, _WORD] | None, _text_or_none]
