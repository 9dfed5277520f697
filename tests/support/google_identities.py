"""Who is who in a test's Google project: service accounts, their keys, policies, and the tokens they get."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google_rules import PLATFORM
from google_services import Token, api_error, boundary_of, oauth_error
from small_server import Answer, Asked

PROJECT = "acme-ml-prod"
NUMBER = "100200300"
OWNER = f"deployer@{PROJECT}.iam.gserviceaccount.com"
_LIFE = 3599
_MAY_CREATE_TOKENS = {"roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"}

Body = dict[str, Any]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Identities:
    """Service accounts and what they may, by name."""

    url: str = ""
    accounts: dict[str, Body] = field(default_factory=dict)
    keys: dict[str, Body] = field(default_factory=dict)
    """The keys of service accounts, by their id: email, public key."""
    policies: dict[str, Body] = field(default_factory=dict)
    """By what they are of: the name of a bucket, a service account's email, a key's full name."""
    tokens: dict[str, Token] = field(default_factory=dict)

    # --- what tests ask --------------------------------------------------------------------------------

    def key_file(self, folder: Path, email: str = OWNER) -> Path:
        """A key of a service account, as a file for GOOGLE_APPLICATION_CREDENTIALS."""
        path = folder / f"{email.partition('@')[0]}.json"
        path.write_text(self._new_key(email)[1])
        return path

    def members(self, of: str, role: str) -> list[str]:
        """Who has a role there."""
        bindings = self.policies.get(of, {}).get("bindings", ())
        return sorted(member for item in bindings if item["role"] == role for member in item["members"])

    # --- who asks, and policies -----------------------------------------------------------------------

    def caller(self, asked: Asked) -> Token:
        token = self.tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if token is None or token.expires_at < time.time():
            raise api_error(401, "UNAUTHENTICATED", "Invalid Credentials")
        return token

    def own(self, asked: Asked) -> None:
        """Settings are the owner's alone."""
        token = self.caller(asked)
        if token.principal != OWNER or token.boundary is not None:
            raise api_error(403, "PERMISSION_DENIED", f"{token.principal} may not do this")

    def policy(self, asked: Asked, of: str, new: Body | None) -> Answer:
        self.own(asked)
        policy = self.policies.setdefault(of, {"version": 1, "etag": "0", "bindings": []})
        if new is not None:
            if new.get("etag", policy["etag"]) != policy["etag"]:
                raise api_error(409, "ABORTED", "There were concurrent policy changes.")
            conditional = any("condition" in binding for binding in new["bindings"])
            if conditional and new.get("version") != 3:
                raise api_error(400, "INVALID_ARGUMENT", "A policy with conditions is of version 3.")
            bindings = [binding for binding in new["bindings"] if binding["members"]]
            policy |= {"bindings": bindings, "version": new.get("version", 1), "etag": secrets.token_hex(4)}
        return Answer(200, _as_asked(policy, asked))

    def account_policy(self, asked: Asked, _project: str, email: str, verb: str) -> Answer:
        self._account(email)
        return self.policy(asked, email, policy_sent(asked) if verb == "setIamPolicy" else None)

    # --- service accounts and their keys ---------------------------------------------------------------

    def create_account(self, asked: Asked, project: str) -> Answer:
        self.own(asked)
        body = json.loads(asked.body)
        email = f"{body['accountId']}@{project}.iam.gserviceaccount.com"
        if email in self.accounts:
            raise api_error(409, "ALREADY_EXISTS", f"Service account {body['accountId']} already exists.")
        made = {
            "name": f"projects/{project}/serviceAccounts/{email}",
            "projectId": project,
            "uniqueId": str(10**20 + len(self.accounts)),
            "email": email,
            **body.get("serviceAccount", {}),
        }
        self.accounts[email] = made
        return Answer(200, made)

    def account_itself(self, asked: Asked, _project: str, email: str) -> Answer:
        self.own(asked)
        account = self._account(email)
        if asked.method == "PATCH":
            account |= json.loads(asked.body)["serviceAccount"]
        elif asked.method == "DELETE":
            del self.accounts[email]
            self.policies.pop(email, None)
            self.keys = {key: held for key, held in self.keys.items() if held["email"] != email}
            return Answer(200, {})
        return Answer(200, account)

    def _account(self, email: str) -> Body:
        if email not in self.accounts:
            raise api_error(404, "NOT_FOUND", f"Unknown service account {email}")
        return self.accounts[email]

    def account_keys(self, asked: Asked, _project: str, email: str) -> Answer:
        self.own(asked)
        self._account(email)
        if asked.method == "GET":
            found = [
                {"name": _key_name(email, key)} for key, held in self.keys.items() if held["email"] == email
            ]
            return Answer(200, {"keys": found} if found else {})
        key_id, document = self._new_key(email)
        data = base64.b64encode(document.encode()).decode()
        return Answer(200, {"name": _key_name(email, key_id), "privateKeyData": data})

    def account_key(self, asked: Asked, _project: str, email: str, key_id: str) -> Answer:
        self.own(asked)
        if self.keys.get(key_id, {}).get("email") != email:
            raise api_error(404, "NOT_FOUND", f"Service account key {key_id} does not exist.")
        if asked.method == "DELETE":
            del self.keys[key_id]
            return Answer(200, {})
        return Answer(200, {"name": _key_name(email, key_id)})

    def _new_key(self, email: str) -> tuple[str, str]:
        key, key_id = rsa.generate_private_key(65537, 2048), secrets.token_hex(20)
        self.keys[key_id] = {"email": email, "public": key.public_key()}
        document = {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": key_id,
            "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
            "client_email": email,
            "client_id": "1",
            "token_uri": f"{self.url}/token",
        }
        return key_id, json.dumps(document)

    # --- tokens ----------------------------------------------------------------------------------------

    def issue(self, principal: str, scope: str = PLATFORM, seconds: float = _LIFE) -> str:
        """A token of ``principal``."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.tokens[token] = Token(principal, scope, time.time() + seconds)
        return token

    def by_key(self, asked: Asked) -> Answer:
        assertion = dict(parse_qsl(asked.body.decode()))["assertion"]
        key = self.keys.get(jwt.get_unverified_header(assertion).get("kid", ""))
        try:
            claims = jwt.decode(
                assertion,
                key["public"] if key else "",
                algorithms=["RS256"],
                audience="https://oauth2.googleapis.com/token",
            )
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, TypeError, ValueError) as error:
            raise oauth_error("invalid_grant", "Invalid JWT Signature.") from error
        if key is None or claims["iss"] != key["email"]:
            raise oauth_error("invalid_grant", "Invalid JWT Signature.")
        token = self.issue(key["email"], claims["scope"])
        return Answer(200, {"access_token": token, "expires_in": _LIFE, "token_type": "Bearer"})

    def impersonate(self, asked: Asked, email: str) -> Answer:
        body = {key: value for key, value in json.loads(asked.body).items() if value is not None}
        self._account(email)
        caller = f"serviceAccount:{self.caller(asked).principal}"
        if not any(caller in self.members(email, role) for role in _MAY_CREATE_TOKENS):
            raise api_error(
                403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource"
            )
        seconds = int(body.get("lifetime", "3600s")[:-1])
        end = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(200, {"accessToken": self.issue(email, body["scope"][0], seconds), "expireTime": end})

    def limit(self, asked: Asked) -> Answer:
        form = dict(parse_qsl(asked.body.decode()))
        source = self.tokens.get(form["subject_token"])
        if source is None or source.scope != PLATFORM:
            raise oauth_error("invalid_grant", "The provided subject_token is expired or invalid.")
        token = self.issue(source.principal, source.scope, source.expires_at - time.time())
        self.tokens[token].boundary = boundary_of(form)
        kind = "urn:ietf:params:oauth:token-type:access_token"
        answer = {
            "access_token": token,
            "issued_token_type": kind,
            "token_type": "Bearer",
            "expires_in": _LIFE,
        }
        return Answer(200, answer)


def _as_asked(policy: Body, asked: Asked) -> Body:
    """Conditions are told to who asks for policies of version 3 alone; others get roles of another name.

    https://cloud.google.com/iam/docs/troubleshooting-withcond
    """
    version = asked.query.get(
        "options.requestedPolicyVersion", asked.query.get("optionsRequestedPolicyVersion")
    )
    if version == "3" or asked.method == "PUT" or asked.path.endswith(":setIamPolicy"):
        return policy
    hidden = [
        {"role": f"{binding['role']}_withcond_0123456789abcdef", "members": binding["members"]}
        if "condition" in binding
        else binding
        for binding in policy["bindings"]
    ]
    return {**policy, "version": 1, "bindings": hidden}


def _key_name(email: str, key_id: str) -> str:
    return f"projects/{PROJECT}/serviceAccounts/{email}/keys/{key_id}"


def policy_sent(asked: Asked) -> Body:
    policy: Body = json.loads(asked.body)["policy"]
    return policy
