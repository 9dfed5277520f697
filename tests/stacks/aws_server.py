"""moto's server, taught what it lacks for these tests: session policies, prefixes of listings, expiry.

Run as a program: ``python aws_server.py PORT``. moto enforces the policies of users and roles by itself, but
ignores the policy that a session was opened with, conditions on ``s3:prefix``, and that a session ends. Here
a session may do what its role *and* its own policy allow, until it ends, as on AWS
(https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session).
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moto.core.utils import utcnow
from moto.iam import access_control
from moto.server import main
from moto.sts.models import sts_backends

_LISTINGS = {"s3:ListObjects": "s3:ListBucket", "s3:ListObjectsV2": "s3:ListBucket"}


def _matches(pattern: str, text: str) -> bool:
    literal = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    literal = re.sub(
        r"\\\$\\\{(\.\*|\.|\\\$)\\\}", lambda m: {".*": r"\*", ".": r"\?"}.get(m[1], r"\$"), literal
    )
    return re.fullmatch(literal, text, re.DOTALL) is not None


def _allows(statement: dict[str, Any], action: str, resource: str, prefix: str) -> bool:
    if not any(_matches(one, action) for one in statement["Action"]):
        return False
    if not any(_matches(one, resource) for one in statement["Resource"]):
        return False
    for operator, conditions in statement.get("Condition", {}).items():
        for key, patterns in conditions.items():
            if (operator, key) != ("StringLike", "s3:prefix"):
                return False
            if not any(_matches(pattern, prefix) for pattern in patterns):
                return False
    return True


def _check_session(request: Any, resource: str) -> None:
    for session in sts_backends[request.account_id]["aws"].assumed_roles:
        if session.access_key_id != getattr(request._access_key, "_access_key_id", None):
            continue
        if session.expiration <= utcnow():
            request._raise_invalid_access_key("InvalidToken")
        if session.policy and request._action != "sts:GetCallerIdentity":
            prefix = parse_qs(urlsplit(request._path).query).get("prefix", [""])[0]
            action = _LISTINGS.get(request._action, request._action)
            statements = json.loads(session.policy)["Statement"]
            if not any(_allows(one, action, resource, prefix) for one in statements):
                request._raise_access_denied()


def _taught(check: Any) -> Any:
    def check_both(self: Any, resource: str) -> None:
        check(self, resource)
        _check_session(self, resource)

    return check_both


if __name__ == "__main__":
    base = access_control.IAMRequestBase
    base.check_action_permitted = _taught(base.check_action_permitted)  # type: ignore[method-assign] # see above
    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
