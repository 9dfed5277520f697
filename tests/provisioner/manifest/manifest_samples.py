"""Small manifests that hold; each test changes one thing in them."""

from __future__ import annotations

from collections.abc import Callable

ProblemsOf = Callable[..., list[str]]

FIVE_LINES = """\
version: 1
name: ml-prod
provider: aws
region: eu-west-1
artifact_stores:
  - name: prod_store
"""

# The second manifest of the documentation, with the endpoint and the adopted things that go
# together.
EVERYTHING = """\
version: 1
name: ml-prod
provider: aws
region: eu-west-1
account: "123456789012"
endpoint_url: http://localhost:9000
compatibility: aws
tags: {team: ml, env: prod}
state:
  backend: s3
  bucket: acme-terraform-state
  key: stacks/ml-prod
  region: eu-west-1
  endpoint_url: http://localhost:9000
artifact_stores:
  - name: prod_store
    bucket: acme-ml-prod
    prefix: artifacts
    existing: false
    versioning: true
    encryption: {kms_key: alias/ml}
    lifecycle: {noncurrent_days: 90, abort_multipart_days: 7, archive_after_days: 365}
    storage_class: standard
    protect: true
    profile: baseline
    connector: prod_connector
    renamed_from: old_store
connectors:
  - name: prod_connector
    auth_method: iam-role
    access: read-write
    trusted_principals: ["arn:aws:iam::123456789012:role/ci"]
    external_id: acme-ml
    authentication_secret: my_secret
    session_seconds: 3600
    renamed_from: old_connector
stack:
  orchestrator: default
  artifact_store: prod_store
  activate: true
"""

LOCAL = """\
version: 1
name: laptop
provider: local
artifact_stores:
  - name: disk
    bucket: data/artifacts
"""
