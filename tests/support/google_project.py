"""A project of Google Cloud of the tests' own: buckets, service accounts, their policies, keys, and tokens.

Settings are kept here; the bytes of objects lie in fake-gcs-server behind it. Whoever is not the project's
owner may do what the policies and a token's boundary leave, and nothing else. What is asked and what is
answered is held to Google's discovery documents: see :mod:`google_documents`.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from fake_gcs import running_gcs
from google_documents import Documents
from google_identities import NUMBER, OWNER, PROJECT, Body, Identities, now, policy_sent
from google_objects import Objects
from google_rules import ROLES, SCOPES, within
from google_services import RefusedError, api_error
from small_server import Answer, Asked, serving


@dataclass
class Project(Identities):
    """What there is, by name; tests look into it and change it behind Terraform's back."""

    objects: Objects = field(default_factory=Objects)
    buckets: dict[str, Body] = field(default_factory=dict)
    kms: dict[str, Body] = field(default_factory=dict)
    """Key rings and keys by their full name; they are never deleted."""
    asked: list[Asked] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    """How often requests that begin with a method and path are still answered 503."""
    documents: Documents = field(default_factory=lambda: Documents(_APIS, _ELSEWHERE), repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # --- what tests ask --------------------------------------------------------------------------------

    def add_bucket(self, body: Body) -> None:
        """A bucket that somebody else made."""
        token = {"authorization": f"Bearer {self.issue(OWNER)}"}
        asked = Asked("POST", "/storage/v1/b", {"project": PROJECT}, token, json.dumps(body).encode())
        answer = self.documents.held(asked, self._insert_bucket)
        if answer.status != 200:
            raise ValueError(answer.body)

    # --- requests --------------------------------------------------------------------------------------

    def handle(self, asked: Asked) -> Answer:
        """The answer to one request."""
        with self._lock:
            answer = self.documents.held(asked, self._answer)
            # Written out after the lock is given back, when others may change what it tells of.
            return replace(answer, body=copy.deepcopy(answer.body))

    def _answer(self, asked: Asked) -> Answer:
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

    def _allow(self, asked: Asked, permission: str, bucket: str, name: str = "", prefix: str = "") -> None:
        token = self.caller(asked)
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
        self.own(asked)
        if asked.query["project"] != PROJECT:
            raise api_error(403, "PERMISSION_DENIED", f"no access to the project {asked.query['project']}")
        return Answer(200, {"kind": "storage#buckets", "items": [*self.buckets.values()]})

    def _insert_bucket(self, asked: Asked) -> Answer:
        self.own(asked)
        body = json.loads(asked.body)
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
            "timeCreated": now(),
            "updated": now(),
            "metageneration": "1",
            "storageClass": "STANDARD",
            "rpo": "DEFAULT",
            "softDeletePolicy": {"retentionDurationSeconds": "604800", "effectiveTime": now()},
            **{key: value for key, value in body.items() if value is not None},
            "location": body.get("location", "US").upper(),
        }
        self.buckets[name] = made
        self.objects.add_bucket(name)
        self._note_versioning(made)
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
        self.own(asked)
        body = json.loads(asked.body)
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
        self._note_versioning(bucket)
        bucket |= {"updated": now(), "metageneration": str(int(bucket["metageneration"]) + 1)}
        return Answer(200, bucket)

    def _note_versioning(self, bucket: Body) -> None:
        on = bucket.get("versioning", {}).get("enabled", False)
        (self.objects.versioned.add if on else self.objects.versioned.discard)(bucket["name"])

    def _delete_bucket(self, asked: Asked, name: str) -> Answer:
        self.own(asked)
        self._bucket(name)
        if self.objects.names(name):
            raise api_error(409, "FAILED_PRECONDITION", "The bucket you tried to delete is not empty.")
        del self.buckets[name]
        self.policies.pop(name, None)
        self.objects.drop_bucket(name)
        return Answer(204, None)

    def _bucket(self, name: str) -> Body:
        if name not in self.buckets:
            raise api_error(404, "NOT_FOUND", "The specified bucket does not exist.")
        return self.buckets[name]

    def _agent_of(self, asked: Asked, _project: str) -> Answer:
        self.own(asked)
        return Answer(200, {"kind": "storage#serviceAccount", "email_address": _agent()})

    # --- policies --------------------------------------------------------------------------------------

    def _bucket_policy(self, asked: Asked, name: str) -> Answer:
        self._bucket(name)
        return self.policy(asked, name, json.loads(asked.body) if asked.method == "PUT" else None)

    def _key_policy(self, asked: Asked, name: str, verb: str) -> Answer:
        self._ring_or_key(asked, name)
        return self.policy(asked, name, policy_sent(asked) if verb == "setIamPolicy" else None)

    # --- keys for encryption ---------------------------------------------------------------------------

    def _create_ring(self, asked: Asked, parent: str) -> Answer:
        return self._create(asked, f"{parent}/keyRings/{asked.query['keyRingId']}", {})

    def _create_key(self, asked: Asked, ring: str) -> Answer:
        body = json.loads(asked.body)
        return self._create(asked, f"{ring}/cryptoKeys/{asked.query['cryptoKeyId']}", body)

    def _create(self, asked: Asked, name: str, body: Body) -> Answer:
        self.own(asked)
        if name in self.kms:
            raise api_error(409, "ALREADY_EXISTS", f"{name} already exists.")
        self.kms[name] = {"name": name, "createTime": now(), **body}
        return Answer(200, self.kms[name])

    def _ring_or_key(self, asked: Asked, name: str) -> Answer:
        self.own(asked)
        if name not in self.kms:
            raise api_error(404, "NOT_FOUND", f"{name} not found.")
        if asked.method == "PATCH":
            self.kms[name] |= json.loads(asked.body)
        return Answer(200, self.kms[name])

    def _key_versions(self, asked: Asked, _name: str) -> Answer:
        """None that could be destroyed: nothing is encrypted here."""
        self.own(asked)
        return Answer(200, {"cryptoKeyVersions": [], "totalSize": 0})

    # --- objects ---------------------------------------------------------------------------------------

    def _list_objects(self, asked: Asked, bucket: str) -> Answer:
        self._bucket(bucket)
        self._allow(asked, "storage.objects.list", bucket, prefix=asked.query.get("prefix", ""))
        return self.objects.listed(asked, bucket)

    def _read_object(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._bucket(bucket)
        self._allow(asked, "storage.objects.get", bucket, name)
        return self.objects.read(asked)

    def _delete_object(self, asked: Asked, bucket: str, name: str) -> Answer:
        self._bucket(bucket)
        self._allow(asked, "storage.objects.delete", bucket, name)
        return self.objects.delete(asked, bucket, name)

    def _upload(self, asked: Asked, bucket: str) -> Answer:
        self._bucket(bucket)
        if "upload_id" in asked.query:  # which is the right to go on with one upload
            return self.objects.go_on(asked, bucket)
        name = asked.query.get("name") or _name_in(asked)
        self._allow(asked, "storage.objects.create", bucket, name)
        return self.objects.upload(asked, bucket, name)


def _agent() -> str:
    return f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"


def _as_boundary(bucket: str, binding: Body) -> Body:
    """A binding in the words of a boundary, whose conditions are of the same language."""
    rule: Body = {
        "availablePermissions": [f"inRole:{binding['role']}"],
        "availableResource": f"//storage.googleapis.com/projects/_/buckets/{bucket}",
    }
    if "condition" in binding:
        rule["availabilityCondition"] = {"expression": binding["condition"]["expression"]}
    return {"accessBoundaryRules": [rule]}


def _name_in(asked: Asked) -> str:
    """The name of an object that is uploaded with its description."""
    text = asked.body.decode("latin-1")
    found = re.search(r"\{.*?\}", text, flags=re.DOTALL)
    return str(json.loads(found[0])["name"]) if found else ""


_APIS = ("storage.v1", "iam.v1", "iamcredentials.v1", "sts.v1", "cloudkms.v1")
# OAuth2's endpoint, and the XML API, which clients ask before the JSON API and do not find here.
_ELSEWHERE = ("/token", "/(?!v1/)[^/]+/[^/]+")
_A = r"([^/]+)"
_ACCOUNTS = rf"/v1/projects/{_A}/serviceAccounts"
_LOCATION = rf"projects/{PROJECT}/locations/[^/]+"
_RING = rf"{_LOCATION}/keyRings/[^/:]+"
_ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("POST", r"/token", Project.by_key),
    ("POST", r"/v1/token", Project.limit),
    ("POST", r"/v1/projects/-/serviceAccounts/([^/:]+):generateAccessToken", Project.impersonate),
    ("GET", r"/storage/v1/b", Project._list_buckets),
    ("POST", r"/storage/v1/b", Project._insert_bucket),
    ("GET", rf"/storage/v1/projects/{_A}/serviceAccount", Project._agent_of),
    ("GET|PUT", rf"/storage/v1/b/{_A}/iam", Project._bucket_policy),
    ("GET", rf"/storage/v1/b/{_A}", Project._get_bucket),
    ("PATCH", rf"/storage/v1/b/{_A}", Project._patch_bucket),
    ("DELETE", rf"/storage/v1/b/{_A}", Project._delete_bucket),
    ("GET", rf"/storage/v1/b/{_A}/o", Project._list_objects),
    ("GET", rf"(?:/download)?/storage/v1/b/{_A}/o/{_A}", Project._read_object),
    ("DELETE", rf"/storage/v1/b/{_A}/o/{_A}", Project._delete_object),
    ("POST|PUT", rf"(?:/resumable)?/upload/(?:resumable/)?storage/v1/b/{_A}/o", Project._upload),
    ("POST", _ACCOUNTS, Project.create_account),
    ("GET|PATCH|DELETE", rf"{_ACCOUNTS}/([^/:]+)", Project.account_itself),
    ("POST", rf"{_ACCOUNTS}/([^/:]+):(getIamPolicy|setIamPolicy)", Project.account_policy),
    ("POST|GET", rf"{_ACCOUNTS}/{_A}/keys", Project.account_keys),
    ("GET|DELETE", rf"{_ACCOUNTS}/{_A}/keys/{_A}", Project.account_key),
    ("POST", rf"/v1/({_LOCATION})/keyRings", Project._create_ring),
    ("POST", rf"/v1/({_RING})/cryptoKeys", Project._create_key),
    ("GET", rf"/v1/({_RING}/cryptoKeys/[^/:]+)/cryptoKeyVersions", Project._key_versions),
    ("GET|PATCH", rf"/v1/({_RING}(?:/cryptoKeys/[^/:]+)?)", Project._ring_or_key),
    ("GET|POST", rf"/v1/({_RING}/cryptoKeys/[^/:]+):(getIamPolicy|setIamPolicy)", Project._key_policy),
)


@contextmanager
def running_project(folder: Path) -> Iterator[Project]:
    """Starts one on a free port with nothing in it but its owner, and stops it."""
    project = Project()
    with running_gcs(folder) as objects, serving(project.handle) as url:
        project.url, project.objects = url, Objects(objects, url)
        project.accounts[OWNER] = {"name": f"projects/{PROJECT}/serviceAccounts/{OWNER}", "email": OWNER}
        yield project
        project.documents.settle()
