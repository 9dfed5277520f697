"""The local disk: directories instead of buckets, and no credentials."""

from __future__ import annotations

import re
from types import MappingProxyType

from provisioner.providers.base import NameRule, Provider

_LOCAL_DIRECTORY = NameRule(
    pattern=re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]{1,4000}"),
    says="a directory has no control or invisible characters and at most 4,000 characters",
    source="POSIX PATH_MAX, less what a store adds",
    refused=(
        (re.compile(r"(^|/)\.\.(/|$)"), "a directory must not climb with '..'"),
        (
            re.compile(r"^~"),
            "a directory does not start with '~': write it in full, or relative to the manifest",
        ),
        (re.compile(r"^/+$"), "the root directory cannot be a store"),
        (
            re.compile(r"//|(^|/)\.(/|$)|/$"),
            "a directory has no empty and no '.' parts, and no '/' at its end",
        ),
    ),
)

LOCAL = Provider(
    name="local",
    title="local disk",
    flavor="local",
    scheme="",
    template="roots/local.tf.j2",
    modules=MappingProxyType({"artifact_store": "local/artifact-store"}),
    bucket_rule=_LOCAL_DIRECTORY,
    verifier="provisioner.verify.local",
    reader="provisioner.live.local",
    auth_methods=("none",),
)
