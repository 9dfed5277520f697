"""Who we are at AWS, as a policy names principals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from provisioner.errors import UpstreamError
from provisioner.verify.aws_errors import code, translated

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient

_SESSION = re.compile(r"arn:[^:]+:sts::[^:]*:assumed-role/([^/]+)/.+")
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


def own_principal(sts: STSClient, iam: IAMClient) -> str:
    """The ARN of the user, or of the role: one of its sessions would be gone with the next run.

    Raises :class:`UpstreamError` where a role may not look itself up.
    """
    with translated("asking who we are"):
        arn = sts.get_caller_identity()["Arn"]
        session = _SESSION.fullmatch(arn)
        if session is None:
            return arn
        try:
            # The ARN of a session does not tell the path of its role.
            return iam.get_role(RoleName=session[1])["Role"]["Arn"]
        except ClientError as error:
            if code(error) not in _DENIED:
                raise
            raise UpstreamError(
                f"{arn} may not ask for its own role, so nobody could be trusted by default",
                hint="allow it iam:GetRole on the role, or name the connectors' trusted_principals",
            ) from error
