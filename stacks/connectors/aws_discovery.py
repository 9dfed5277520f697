"""What the environment has for an AWS connector: a profile, its role, the machine's role, or a key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stacks.connectors.aws_errors import sdk_installed
from stacks.connectors.discovery import Discovery
from stacks.errors import CredentialsMissingError

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

_ROLE_SESSION = range(900, 43_201)  # seconds; what STS allows for AssumeRole
_KEY_METHODS = frozenset({"secret-key", "session-token", "federation-token", "sts-token"})
_VARIABLES = "the environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def discover(auth_method: str | None = None) -> Discovery:
    """See stacks.connectors.discovery.

    A profile stays where it is and is named. A key is taken from variables, which the next shell does not
    have, or when a method asks for one.
    """
    session = _session()
    profile = _profile(session)
    place, taken = _place(session)
    role = {} if _from_variables() else _role(session)
    if auth_method == "iam-role" or (auth_method is None and role):
        return _as_role(role, profile, place, taken)
    held = _credentials(session)
    if auth_method in _KEY_METHODS or (auth_method is None and _from_variables()):
        return _key(auth_method, held, place, taken, profile)
    if profile is not None:
        where = f"the profile {profile}, whose credentials stay where they are"
        return Discovery("implicit", {**place, "profile_name": profile}, (where, *taken))
    return Discovery("implicit", place, (f"what this machine has of its own ({held.method})", *taken))


def _session() -> Session:
    with sdk_installed():
        import botocore.session
        from botocore.exceptions import ProfileNotFound
    session = botocore.session.get_session()
    try:
        session.get_scoped_config()
    except ProfileNotFound as error:
        there = ", ".join(session.available_profiles) or "none"
        raise CredentialsMissingError(
            f"AWS_PROFILE names a profile that is not there: {error}",
            hint=f"the profiles are: {there}; make one with: aws configure --profile NAME",
        ) from error
    return session


def _profile(session: Session) -> str | None:
    """The profile that was chosen, or the default one if there is such."""
    chosen: str | None = session.get_config_variable("profile")
    if chosen is None and "default" in session.available_profiles:
        return "default"
    return chosen


def _place(session: Session) -> tuple[dict[str, Any], list[str]]:
    place: dict[str, Any] = {}
    taken = []
    # botocore itself knows only AWS_DEFAULT_REGION; every other SDK of AWS reads this one.
    if region := os.environ.get("AWS_REGION") or session.get_config_variable("region"):
        place["region"] = region
        taken.append(f"the region {region}")
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        place["endpoint_url"] = endpoint
        taken.append(f"the endpoint {endpoint} of AWS_ENDPOINT_URL")
    return place, taken


def _role(session: Session) -> dict[str, Any]:
    """The fields of an iam-role connector that the chosen profile's own role gives."""
    profile: Mapping[str, Any] = session.get_scoped_config()
    # Who has to type a code, or to bring a token of another provider, is served by the profile itself.
    if "role_arn" not in profile or profile.keys() & {"mfa_serial", "web_identity_token_file"}:
        return {}
    role = {"role_arn": profile["role_arn"]}
    if "external_id" in profile:
        role["external_id"] = profile["external_id"]
    if "source_profile" in profile:
        role["profile_name"] = profile["source_profile"]
    seconds = str(profile.get("duration_seconds", ""))
    if seconds.isdecimal() and int(seconds) in _ROLE_SESSION:
        role["session_seconds"] = int(seconds)
    return role


def _as_role(
    role: Mapping[str, Any], profile: str | None, place: Mapping[str, Any], taken: list[str]
) -> Discovery:
    """A role can be assumed for one bucket alone: better than all that a profile may do."""
    if role:
        asker = role.get("profile_name")
        first = f"the role {role['role_arn']} of the profile {profile}"
    else:
        asker = profile
        first = "who assumes the role"
    config = {**place, **role, **({"profile_name": asker} if asker else {})}
    by = (
        f"the profile {asker}, which assumes it"
        if asker
        else "this machine's own credentials, which assume it"
    )
    return Discovery("iam-role", config, (f"{first}: {by}", *taken))


def _from_variables() -> bool:
    # As botocore has it: a profile that is named goes before the variables of a key.
    named = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    return bool(os.environ.get("AWS_ACCESS_KEY_ID")) and not named


def _credentials(session: Session) -> Credentials:
    held = session.get_credentials()
    if held is None:
        raise CredentialsMissingError(
            "there are no AWS credentials in the environment to configure the connector from",
            hint="run `aws configure` or `aws sso login`, set AWS_PROFILE, or name an --auth-method",
        )
    return held


def _key(
    auth_method: str | None,
    held: Credentials,
    place: Mapping[str, Any],
    taken: list[str],
    profile: str | None,
) -> Discovery:
    frozen = held.get_frozen_credentials()
    # A long-lived key hands out temporary credentials only; temporary ones cannot ask for others.
    method = auth_method or ("sts-token" if frozen.token else "session-token")
    source = _VARIABLES if _from_variables() else f"the profile {profile}" if profile else held.method
    key = {"aws_access_key_id": frozen.access_key, "aws_secret_access_key": frozen.secret_key}
    if method == "sts-token" and not frozen.token:
        raise CredentialsMissingError(
            f"{source} has a long-lived key, and sts-token is for temporary ones",
            hint="use --auth-method session-token, which makes temporary credentials of it",
        )
    if method != "sts-token" and frozen.token:
        raise CredentialsMissingError(
            f"{source} has temporary credentials, and {method} needs a long-lived key",
            hint="use --auth-method sts-token for as long as they last, or implicit",
        )
    if frozen.token:
        key["aws_session_token"] = frozen.token
    kind = "the temporary credentials" if frozen.token else "the access key"
    return Discovery(method, {**place, **key}, (f"{kind} of {source}, into the secret store", *taken))
