"""A project of Google Cloud of the tests' own: buckets, service accounts, their policies, keys, and tokens.

Settings are kept here; the bytes of objects lie in fake-gcs-server behind it. Whoever is not the project's
owner may do what the policies and a token's boundary leave, and nothing else.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jsonschema
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from fake_gcs import running_gcs
from google_forms import BUCKET, CRYPTO_KEY, POLICY, SERVICE_ACCOUNT
from google_rules import BOUNDARY, CREATE_KEY, GENERATE, PLATFORM, ROLES, SCOPES, within
from google_services import RefusedError, Token, api_error, oauth_error
from small_server import Answer, Asked, serving

PROJECT = "acme-ml-prod"
NUMBER = "100200300"
OWNER = f"deployer@{PROJECT}.iam.gserviceaccount.com"
_LIFE = 3599
_MAY_CREATE_TOKENS = {"roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"}

Body = dict[str, Any]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Project:
    """What there is, by name; tests look into it and change it behind Terraform's back."""

    url: str = ""
    objects: str = ""
    """The address of fake-gcs-server."""
    buckets: dict[str, Body] = field(default_factory=dict)
    accounts: dict[str, Body] = field(default_factory=dict)
    keys: dict[str, Body] = field(default_factory=dict)
    """The keys of service accounts, by their id: email, public key."""
    kms: dict[str, Body] = field(default_factory=dict)
    """Key rings and keys by their full name; they are never deleted."""
    policies: dict[str, Body] = field(default_factory=dict)
    """By what they are of: the name of a bucket, a service account's email, a key's full name."""
    tokens: dict[str, Token] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    """How often requests of a method and path begin to be answered 503."""

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

    def names(self, bucket: str) -> list[str]:
        """The names of the objects in a bucket, one for each version."""
        _, body, _ = self._behind("GET", f"/storage/v1/b/{bucket}/o?versions=true", b"", {})
        return [item["name"] for item in json.loads(body).get("items", ())]

    def add_bucket(self, body: Body) -> None:
        """A bucket that somebody else made."""
        token = {"authorization": f"Bearer {self.issue(OWNER)}"}
        asked = Asked("POST", "/storage/v1/b", {"project": PROJECT}, token, json.dumps(body).encode())
        answer = self._insert_bucket(asked)
        if answer.status != 200:
            raise ValueError(answer.body)

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """An object."""
        query = urlencode({"uploadType": "media", "name": name})
        self._behind("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", content, {})

    # --- requests --------------------------------------------------------------------------------------

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        self.asked.append(asked)
        for prefix, left in self.failing.items():
            if f"{asked.method} {asked.path}".startswith(prefix) and left:
                self.failing[prefix] = left - 1
                return Answer(503, {"error": {"code": 503, "message": "Backend Error"}})
        for method, pattern, route in _ROUTES:
            match = re.fullmatch(pattern, asked.path)
            if match and asked.method in method.split("|"):
                try:
                    return route(self, asked, *(unquote(part) for part in match.groups()))
                except RefusedError as refused:
                    return refused.answer
        return Answer(404, {"error": {"code": 404, "message": f"no such route: {asked.method} {asked.path}"}})

    def _caller(self, asked: Asked) -> Token:
        token = self.tokens.get(asked.headers.get("authorization", "").removeprefix("Bearer "))
        if token is None or token.expires_at < time.time():
            raise api_error(401, "UNAUTHENTICATED", "Invalid Credentials")
        return token

    def _own(self, asked: Asked) -> None:
        """Settings are the owner's alone."""
        token = self._caller(asked)
        if token.principal != OWNER or token.boundary is not None:
            raise api_error(403, "PERMISSION_DENIED", f"{token.principal} may not do this")

    def _allow(self, asked: Asked, permission: str, bucket: str, name: str = "", prefix: str = "") -> None:
        token = self._caller(asked)
        scope = SCOPES.get(token.scope, set())
        held = token.principal == OWNER or any(
            f"serviceAccount:{token.principal}" in binding["members"]
            and binding["role"] in ROLES
            and within(_as_boundary(bucket, binding), permission, bucket, name, prefix)
            for binding in self.policies.get(bucket, {}).get("bindings", ())
        )
        limited = within(token.boundary, permission, bucket, name, prefix)
        if not held or not limited or (scope is not None and permission not in scope):
            raise api_error(
                403,
                "PERMISSION_DENIED",
                f"{token.principal} does not have {permission} access to {bucket}/{name}",
            )

    # --- buckets ---------------------------------------------------------------------------------------

    def _list_buckets(self, asked: Asked) -> Answer:
        self._own(asked)
        if asked.query["project"] != PROJECT:
            raise api_error(403, "PERMISSION_DENIED", f"no access to the project {asked.query['project']}")
        return Answer(200, {"kind": "storage#buckets", "items": [*self.buckets.values()]})

    def _insert_bucket(self, asked: Asked) -> Answer:
        self._own(asked)
        body = _checked(asked, BUCKET)
        name = body["name"]
        if name in self.buckets:
            raise api_error(
                409, "ALREADY_EXISTS", "Your previous request to create the named bucket succeeded."
            )
        self._require_key(body)
        made = {
            "kind": "storage#bucket",
            "id": name,
            "selfLink": f"{self.url}/storage/v1/b/{name}",
            "projectNumber": NUMBER,
            "timeCreated": _now(),
            "updated": _now(),
            "metageneration": "1",
            "storageClass": "STANDARD",
            "rpo": "DEFAULT",
            "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": _now()},
            **{key: value for key, value in body.items() if value is not None},
            "location": body.get("location", "US").upper(),
        }
        self.buckets[name] = made
        stored = {"name": name, "versioning": body.get("versioning", {"enabled": False})}
        self._behind("POST", "/storage/v1/b?project=p", json.dumps(stored).encode(), _JSON)
        return Answer(200, made)

    def _require_key(self, body: Body) -> None:
        key = (body.get("encryption") or {}).get("defaultKmsKeyName")
        agent = f"serviceAccount:{_agent()}"
        if key and agent not in self.members(key, "roles/cloudkms.cryptoKeyEncrypterDecrypter"):
            raise api_error(
                403, "PERMISSION_DENIED", f"Permission denied on Cloud KMS key. {agent} needs access."
            )

    def _get_bucket(self, asked: Asked, name: str) -> Answer:
        self._allow(asked, "storage.buckets.get", name)
        return Answer(200, self._bucket(name))

    def _patch_bucket(self, asked: Asked, name: str) -> Answer:
        self._own(asked)
        body = _checked(asked, BUCKET)
        bucket = self._bucket(name)
        self._require_key(body)
        for key, value in body.items():
            if value is None:
                bucket.pop(key, None)
            elif key == "labels":
                labels = {**bucket.get("labels", {}), **value}
                bucket["labels"] = {label: text for label, text in labels.items() if text is not None}
            else:
                bucket[key] = value
        bucket |= {"updated": _now(), "metageneration": str(int(bucket["metageneration"]) + 1)}
        return Answer(200, bucket)

    def _delete_bucket(self, asked: Asked, name: str) -> Answer:
        self._own(asked)
        self._bucket(name)
        if self.names(name):
            raise api_error(409, "FAILED_PRECONDITION", "The bucket you tried to delete is not empty.")
        del self.buckets[name]
        self.policies.pop(name, None)
        self._behind("DELETE", f"/storage/v1/b/{name}", b"", {})
        return Answer(204, None)

    def _bucket(self, name: str) -> Body:
        if name not in self.buckets:
            raise api_error(404, "NOT_FOUND", "The specified bucket does not exist.")
        return self.buckets[name]

    def _agent_of(self, asked: Asked, project: str) -> Answer:
        self._own(asked)
        return Answer(200, {"kind": "storage#serviceAccount", "email_address": _agent(), "project": project})

    # --- policies --------------------------------------------------------------------------------------

    def _bucket_policy(self, asked: Asked, name: str) -> Answer:
        self._bucket(name)
        return self._policy(asked, name, _checked(asked, POLICY) if asked.method == "PUT" else None)

    def _account_policy(self, asked: Asked, _project: str, email: str, verb: str) -> Answer:
        self._account(email)
        return self._policy(asked, email, _policy_sent(asked) if verb == "setIamPolicy" else None)

    def _key_policy(self, asked: Asked, name: str, verb: str) -> Answer:
        self._ring_or_key(asked, name)
        return self._policy(asked, name, _policy_sent(asked) if verb == "setIamPolicy" else None)

    def _policy(self, asked: Asked, of: str, new: Body | None) -> Answer:
        self._own(asked)
        policy = self.policies.setdefault(of, {"version": 1, "etag": "0", "bindings": []})
        if new is not None:
            if new.get("etag", policy["etag"]) != policy["etag"]:
                raise api_error(409, "ABORTED", "There were concurrent policy changes.")
            conditional = any("condition" in binding for binding in new["bindings"])
            if conditional and new.get("version") != 3:
                raise api_error(400, "INVALID_ARGUMENT", "A policy with conditions is of version 3.")
            bindings = [binding for binding in new["bindings"] if binding["members"]]
            policy |= {"bindings": bindings, "version": new.get("version", 1), "etag": secrets.token_hex(4)}
        return Answer(200, policy)

    # --- service accounts and their keys ---------------------------------------------------------------

    def _create_account(self, asked: Asked, project: str) -> Answer:
        self._own(asked)
        body = _checked(asked, SERVICE_ACCOUNT)
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

    def _account_itself(self, asked: Asked, _project: str, email: str) -> Answer:
        self._own(asked)
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

    def _account_keys(self, asked: Asked, _project: str, email: str) -> Answer:
        self._own(asked)
        self._account(email)
        if asked.method == "GET":
            found = [
                {"name": _key_name(email, key)} for key, held in self.keys.items() if held["email"] == email
            ]
            return Answer(200, {"keys": found} if found else {})
        _checked(asked, CREATE_KEY)
        key_id, document = self._new_key(email)
        data = base64.b64encode(document.encode()).decode()
        return Answer(200, {"name": _key_name(email, key_id), "privateKeyData": data})

    def _account_key(self, asked: Asked, _project: str, email: str, key_id: str) -> Answer:
        self._own(asked)
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

    # --- keys for encryption ---------------------------------------------------------------------------

    def _create_ring(self, asked: Asked, parent: str) -> Answer:
        return self._create(asked, f"{parent}/keyRings/{asked.query['keyRingId']}", {})

    def _create_key(self, asked: Asked, ring: str) -> Answer:
        return self._create(
            asked, f"{ring}/cryptoKeys/{asked.query['cryptoKeyId']}", _checked(asked, CRYPTO_KEY)
        )

    def _create(self, asked: Asked, name: str, body: Body) -> Answer:
        self._own(asked)
        if name in self.kms:
            raise api_error(409, "ALREADY_EXISTS", f"{name} already exists.")
        self.kms[name] = {"name": name, "createTime": _now(), **body}
        return Answer(200, self.kms[name])

    def _ring_or_key(self, asked: Asked, name: str) -> Answer:
        self._own(asked)
        if name not in self.kms:
            raise api_error(404, "NOT_FOUND", f"{name} not found.")
        if asked.method == "PATCH":
            self.kms[name] |= _checked(asked, CRYPTO_KEY)
        return Answer(200, self.kms[name])

    # --- tokens ----------------------------------------------------------------------------------------

    def issue(self, principal: str, scope: str = PLATFORM, seconds: float = _LIFE) -> str:
        """A token of ``principal``."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.tokens[token] = Token(principal, scope, time.time() + seconds)
        return token

    def _by_key(self, asked: Asked) -> Answer:
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

    def _impersonate(self, asked: Asked, email: str) -> Answer:
        body = {key: value for key, value in json.loads(asked.body).items() if value is not None}
        jsonschema.validate(body, GENERATE)
        self._account(email)
        caller = f"serviceAccount:{self._caller(asked).principal}"
        if not any(caller in self.members(email, role) for role in _MAY_CREATE_TOKENS):
            raise api_error(
                403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource"
            )
        seconds = int(body.get("lifetime", "3600s")[:-1])
        end = datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(200, {"accessToken": self.issue(email, body["scope"][0], seconds), "expireTime": end})

    def _limit(self, asked: Asked) -> Answer:
        form = dict(parse_qsl(asked.body.decode()))
        source = self.tokens.get(form["subject_token"])
        if source is None or source.scope != PLATFORM:
            raise oauth_error("invalid_grant", "The provided subject_token is expired or invalid.")
        limits = json.loads(unquote(form["options"]))
        jsonschema.validate(limits, BOUNDARY)
        token = self.issue(source.principal, source.scope, source.expires_at - time.time())
        self.tokens[token].boundary = limits["accessBoundary"]
        kind = "urn:ietf:params:oauth:token-type:access_token"
        answer = {
            "access_token": token,
            "issued_token_type": kind,
            "token_type": "Bearer",
            "expires_in": _LIFE,
        }
        return Answer(200, answer)

    # --- objects ---------------------------------------------------------------------------------------

    def _objects(self, asked: Asked, bucket: str) -> Answer:
        self._bucket(bucket)
        self._allow(asked, "storage.objects.list", bucket, prefix=asked.query.get("prefix", ""))
        return self._passed_on(asked)

    def _object(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._bucket(bucket)
        verbs = {"GET": "get", "DELETE": "delete"}
        self._allow(asked, f"storage.objects.{verbs.get(asked.method, 'update')}", bucket, name)
        return self._passed_on(asked)

    def _upload(self, asked: Asked, bucket: str) -> Answer:
        self._bucket(bucket)
        if "upload_id" not in asked.query:  # which is the right to go on with one upload
            name = asked.query.get("name") or _name_in(asked)
            self._allow(asked, "storage.objects.create", bucket, name)
        return self._passed_on(asked)

    def _passed_on(self, asked: Asked) -> Answer:
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        hidden = {"host", "authorization", "content-length", "connection", "accept-encoding"}
        sent = {name: value for name, value in asked.headers.items() if name not in hidden}
        status, body, headers = self._behind(asked.method, f"{asked.path}{query}", asked.body, sent)
        kept = {
            name: value.replace(self.objects, self.url)
            for name, value in headers.items()
            if name.lower() not in {"content-length", "date", "connection", "transfer-encoding"}
        }
        return Answer(status, body, kept)

    def _behind(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(urlsplit(self.objects).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()


_JSON = {"Content-Type": "application/json"}


def _agent() -> str:
    return f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"


def _key_name(email: str, key_id: str) -> str:
    return f"projects/{PROJECT}/serviceAccounts/{email}/keys/{key_id}"


def _as_boundary(bucket: str, binding: Body) -> Body:
    """A binding in the words of a boundary, whose conditions are of the same language."""
    rule: Body = {
        "availablePermissions": [f"inRole:{binding['role']}"],
        "availableResource": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
    }
    if "condition" in binding:
        rule["availabilityCondition"] = {"expression": binding["condition"]["expression"]}
    return {"accessBoundaryRules": [rule]}


def _checked(asked: Asked, form: Body) -> Body:
    body: Body = json.loads(asked.body)
    try:
        jsonschema.validate(body, form)
    except jsonschema.ValidationError as error:
        raise api_error(400, "INVALID_ARGUMENT", f"Invalid JSON payload: {error.message}") from error
    return body


def _policy_sent(asked: Asked) -> Body:
    policy: Body = json.loads(asked.body)["policy"]
    jsonschema.validate(policy, POLICY)
    return policy


def _name_in(asked: Asked) -> str:
    """The name of an object that is uploaded with its description."""
    text = asked.body.decode("latin-1")
    found = re.search(r"\{.*?\}", text, flags=re.DOTALL)
    return str(json.loads(found[0])["name"]) if found else ""


_A = r"([^/]+)"
_ACCOUNTS = rf"/v1/projects/{_A}/serviceAccounts"
_LOCATION = rf"projects/{PROJECT}/locations/[^/]+"
_RING = rf"{_LOCATION}/keyRings/[^/:]+"
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", r"/token", Project._by_key),
    ("POST", r"/v1/token", Project._limit),
    ("POST", r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken", Project._impersonate),
    ("GET", r"/storage/v1/b", Project._list_buckets),
    ("POST", r"/storage/v1/b", Project._insert_bucket),
    ("GET", rf"/storage/v1/projects/{_A}/serviceAccount", Project._agent_of),
    ("GET|PUT", rf"/storage/v1/b/{_A}/iam", Project._bucket_policy),
    ("GET", rf"/storage/v1/b/{_A}", Project._get_bucket),
    ("PATCH", rf"/storage/v1/b/{_A}", Project._patch_bucket),
    ("DELETE", rf"/storage/v1/b/{_A}", Project._delete_bucket),
    ("GET", rf"/storage/v1/b/{_A}/o", Project._objects),
    ("GET|DELETE|PATCH", rf"(?:/download)?/storage/v1/b/{_A}/o/{_A}", Project._object),
    ("POST|PUT", rf"(?:/resumable)?/upload/(?:resumable/)?storage/v1/b/{_A}/o", Project._upload),
    ("POST", _ACCOUNTS, Project._create_account),
    ("GET|PATCH|DELETE", rf"{_ACCOUNTS}/([^/:]+)", Project._account_itself),
    ("POST|GET", rf"{_ACCOUNTS}/([^/:]+):(getIamPolicy|setIamPolicy)", Project._account_policy),
    ("POST|GET", rf"{_ACCOUNTS}/{_A}/keys", Project._account_keys),
    ("GET|DELETE", rf"{_ACCOUNTS}/{_A}/keys/{_A}", Project._account_key),
    ("POST", rf"/v1/({_LOCATION})/keyRings", Project._create_ring),
    ("POST", rf"/v1/({_RING})/cryptoKeys", Project._create_key),
    ("GET|PATCH", rf"/v1/({_RING}(?:/cryptoKeys/[^/:]+)?)", Project._ring_or_key),
    ("GET|POST", rf"/v1/({_RING}/cryptoKeys/[^/:]+):(getIamPolicy|setIamPolicy)", Project._key_policy),
)


@contextmanager
def running_project(folder: Path) -> Iterator[Project]:
    """Starts one on a free port with nothing in it but its owner, and stops it."""
    project = Project()
    with running_gcs(folder) as objects, serving(project.handle) as url:
        project.url, project.objects = url, objects
        project.accounts[OWNER] = {"name": f"projects/{PROJECT}/serviceAccounts/{OWNER}", "email": OWNER}
        yield project
