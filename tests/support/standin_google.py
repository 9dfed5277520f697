"""What a stand-in for hashicorp/google does for the types in use: the calls that the real provider makes.

Settings travel in the API's own words, to the endpoints and with the credentials that the real provider would
take from the environment.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from urllib.parse import quote

from standin.api import Api, ApiError
from standin.resources import Resource
from standin.values import UNKNOWN, Values

_TRIES = 20
_OK, _CONFLICT = 200, 409
_ATTRIBUTION = {"goog-terraform-provisioned": "true"}


@cache
def _credentials() -> Any:
    import google.auth

    return google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])[0]


def _headers() -> dict[str, str]:
    from google.auth.transport.requests import Request

    held = _credentials()
    if not held.valid:
        held.refresh(Request())
    return {"Authorization": f"Bearer {held.token}"}


def _url(service: str, path: str) -> str:
    return f"{os.environ[f'GOOGLE_{service}_CUSTOM_ENDPOINT']}{path}"


def _ask(api: Api, method: str, service: str, path: str, body: Any = None, **options: Any) -> Any:
    return api.ask(method, _url(service, path), body, headers=_headers(), **options).body


def _get(api: Api, service: str, path: str) -> Any:
    return api.get(_url(service, path), headers=_headers())


def _delete(api: Api, service: str, path: str) -> None:
    _ask(api, "DELETE", service, path, expect=(200, 204, 404))


def _one(items: Any) -> Values:
    """The only element of a block that there is at most once."""
    return (items or [{}])[0] or {}


def _said(values: Values) -> Values:
    return {name: value for name, value in values.items() if value is not None}


class Bucket(Resource):
    """google_storage_bucket, as resource_storage_bucket.go has it."""

    volatile = frozenset({"updated"})
    computed_blocks = frozenset({"soft_delete_policy"})
    defaults = {  # noqa: RUF012  # a class variable by its declaration
        "lifecycle_rule.condition.with_state": "ANY",
    }

    def known(self, api: Api, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **_ATTRIBUTION}
        name = planned["name"]
        if name is UNKNOWN:
            return {}
        return {"url": f"gs://{name}", "effective_labels": labels, "terraform_labels": labels}

    def plan(self, api: Api, prior: Values | None, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **_ATTRIBUTION}
        planned = {**planned, "effective_labels": labels, "terraform_labels": labels}
        if prior is not None and str(prior["location"]).upper() == str(planned["location"]).upper():
            planned["location"] = prior["location"]
        return planned

    def create(self, api: Api, planned: Values) -> Values:
        body = self._body(planned) | {"name": planned["name"], "location": planned["location"]}
        project = planned.get("project") or api.config["project"]
        made = _ask(api, "POST", "STORAGE", "b", body, query={"project": project})
        return self._state({**planned, "project": project}, made)

    def read(self, api: Api, state: Values) -> Values | None:
        found = _get(api, "STORAGE", f"b/{quote(state['id'], safe='')}")
        return None if found is None else self._state({"project": api.config.get("project"), **state}, found)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        body = self._body(planned)
        gone = (prior.get("effective_labels") or {}).keys() - body["labels"].keys()
        body["labels"] |= dict.fromkeys(gone)
        changed = _ask(api, "PATCH", "STORAGE", f"b/{quote(prior['name'], safe='')}", body)
        return self._state(planned, changed)

    def delete(self, api: Api, state: Values) -> None:
        _delete(api, "STORAGE", f"b/{quote(state['name'], safe='')}")

    def _body(self, planned: Values) -> Values:
        key = _one(planned["encryption"]).get("default_kms_key_name")
        logging = _one(planned["logging"])
        retention = _one(planned["soft_delete_policy"]).get("retention_duration_seconds")
        body = {
            "storageClass": planned["storage_class"],
            "labels": {**(planned.get("labels") or {}), **_ATTRIBUTION},
            "versioning": {"enabled": bool(_one(planned["versioning"]).get("enabled"))},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": bool(planned["uniform_bucket_level_access"])},
                "publicAccessPrevention": planned["public_access_prevention"] or "inherited",
            },
            "encryption": {"defaultKmsKeyName": key} if key else None,
            "logging": _said(
                {"logBucket": logging.get("log_bucket"), "logObjectPrefix": logging.get("log_object_prefix")}
            )
            or None,
            "lifecycle": {"rule": [_rule(rule) for rule in planned["lifecycle_rule"]]},
        }
        if retention is not None:
            body["softDeletePolicy"] = {"retentionDurationSeconds": str(retention)}
        return body

    def _state(self, planned: Values, found: Values) -> Values:
        access = found["iamConfiguration"]
        labels = found.get("labels") or {}
        location = planned.get("location")
        kept = str(location).upper() == found["location"]
        soft = found["softDeletePolicy"]
        own = {key: value for key, value in labels.items() if key not in _ATTRIBUTION}
        logging = found.get("logging")
        return {
            **planned,
            "id": found["name"],
            "name": found["name"],
            "location": location if kept else found["location"],
            "storage_class": found["storageClass"],
            "force_destroy": bool(planned.get("force_destroy")),
            "project_number": int(found["projectNumber"]),
            "self_link": found["selfLink"],
            "url": f"gs://{found['name']}",
            "time_created": found["timeCreated"],
            "updated": found["updated"],
            "rpo": found["rpo"],
            "labels": own or (planned.get("labels") and own),
            "effective_labels": labels,
            "terraform_labels": labels,
            "uniform_bucket_level_access": access["uniformBucketLevelAccess"]["enabled"],
            "public_access_prevention": access["publicAccessPrevention"],
            "versioning": [{"enabled": found["versioning"]["enabled"]}],
            "soft_delete_policy": [
                {
                    "retention_duration_seconds": int(soft["retentionDurationSeconds"]),
                    "effective_time": soft.get("effectiveTime", found["timeCreated"]),
                }
            ],
            "encryption": [{"default_kms_key_name": found["encryption"]["defaultKmsKeyName"]}]
            if found.get("encryption")
            else [],
            "logging": [
                {"log_bucket": logging["logBucket"], "log_object_prefix": logging.get("logObjectPrefix")}
            ]
            if logging
            else [],
            "lifecycle_rule": [_as_rule(rule) for rule in (found.get("lifecycle") or {}).get("rule", ())],
        }


_STATES = {"LIVE": True, "ARCHIVED": False}


def _rule(rule: Values) -> Values:
    action, condition = _one(rule["action"]), _one(rule["condition"])
    return {
        "action": _said({"type": action["type"], "storageClass": action["storage_class"] or None}),
        "condition": _said(
            {
                "age": condition["age"],
                "daysSinceNoncurrentTime": condition["days_since_noncurrent_time"],
                "isLive": _STATES.get(condition["with_state"]),
            }
        ),
    }


def _as_rule(rule: Values) -> Values:
    condition = rule["condition"]
    state = next((name for name, live in _STATES.items() if live == condition.get("isLive")), "ANY")
    return {
        "action": [{"type": rule["action"]["type"], "storage_class": rule["action"].get("storageClass")}],
        "condition": [
            {
                "age": condition.get("age"),
                "days_since_noncurrent_time": condition.get("daysSinceNoncurrentTime"),
                "with_state": state,
            }
        ],
    }


class ServiceAccount(Resource):
    """google_service_account; the provider knows its email before it is there."""

    def known(self, api: Api, planned: Values) -> Values:
        project = planned.get("project")
        if planned["account_id"] is UNKNOWN or project in (None, UNKNOWN):
            return {}
        email = f"{planned['account_id']}@{project}.iam.gserviceaccount.com"
        name = f"projects/{project}/serviceAccounts/{email}"
        return {"email": email, "member": f"serviceAccount:{email}", "name": name, "id": name}

    def create(self, api: Api, planned: Values) -> Values:
        body = {
            "accountId": planned["account_id"],
            "serviceAccount": _said({"displayName": planned["display_name"]}),
        }
        made = _ask(api, "POST", "IAM", f"projects/{planned['project']}/serviceAccounts", body)
        return self._state(planned, made)

    def read(self, api: Api, state: Values) -> Values | None:
        found = _get(api, "IAM", quote(state["id"], safe="/@"))
        return None if found is None else self._state(state, found)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        body = {"serviceAccount": {"displayName": planned["display_name"]}, "updateMask": "displayName"}
        return self._state(planned, _ask(api, "PATCH", "IAM", quote(prior["id"], safe="/@"), body))

    def delete(self, api: Api, state: Values) -> None:
        _delete(api, "IAM", quote(state["id"], safe="/@"))

    def _state(self, planned: Values, found: Values) -> Values:
        email = found["email"]
        return {
            **planned,
            "id": found["name"],
            "name": found["name"],
            "account_id": email.partition("@")[0],
            "project": found["projectId"],
            "email": email,
            "member": f"serviceAccount:{email}",
            "unique_id": found["uniqueId"],
            "display_name": found.get("displayName"),
            "disabled": bool(planned.get("disabled")),
        }


class _Member(Resource):
    """One member of one binding of a policy; the rest of the policy is left as it is."""

    of = ""

    def create(self, api: Api, planned: Values) -> Values:
        def add(bindings: list[Values]) -> None:
            held = self._binding(bindings, planned)
            if held is None:
                held = {"role": planned["role"], "members": []}
                if planned.get("condition"):
                    held["condition"] = _expression(planned)
                bindings.append(held)
            if planned["member"] not in held["members"]:
                held["members"].append(planned["member"])

        policy = self._changed(api, planned, add)
        return {**planned, "id": self._id(planned), "etag": policy["etag"]}

    def read(self, api: Api, state: Values) -> Values | None:
        policy = self._policy(api, state)
        held = self._binding(policy["bindings"], state) if policy else None
        if policy is None or held is None or state["member"] not in held["members"]:
            return None
        return {**state, "etag": policy["etag"]}

    def delete(self, api: Api, state: Values) -> None:
        def drop(bindings: list[Values]) -> None:
            held = self._binding(bindings, state)
            if held is not None and state["member"] in held["members"]:
                held["members"].remove(state["member"])

        if self._policy(api, state) is not None:
            self._changed(api, state, drop)

    def _changed(self, api: Api, state: Values, change: Any) -> Values:
        for _ in range(_TRIES):  # somebody else may have changed the policy since it was read
            policy = self._policy(api, state)
            if policy is None:
                raise LookupError(f"{state[self.of]} is not there")
            change(policy["bindings"])
            policy["version"] = 3 if any("condition" in item for item in policy["bindings"]) else 1
            try:
                changed: Values = self._set(api, state, policy)
            except ApiError as error:
                if error.status != _CONFLICT:
                    raise
            else:
                return changed
        raise TimeoutError(f"the policy of {state[self.of]} changes all the time")

    def _binding(self, bindings: list[Values], state: Values) -> Values | None:
        wanted = _expression(state) if state.get("condition") else None
        return next(
            (item for item in bindings if item["role"] == state["role"] and item.get("condition") == wanted),
            None,
        )

    def _id(self, state: Values) -> str:
        tail = f"/{_one(state['condition'])['title']}" if state.get("condition") else ""
        return f"{state[self.of]}/{state['role']}/{state['member']}{tail}"

    def _policy(self, api: Api, state: Values) -> Values | None:
        raise NotImplementedError

    def _set(self, api: Api, state: Values, policy: Values) -> Values:
        raise NotImplementedError


def _expression(state: Values) -> Values:
    condition = _one(state["condition"])
    return {"expression": condition["expression"], "title": condition["title"]}


class BucketMember(_Member):
    """google_storage_bucket_iam_member."""

    of = "bucket"
    force_new = frozenset({"bucket", "role", "member", "condition"})

    def _id(self, state: Values) -> str:
        return f"b/{super()._id(state)}"

    def _policy(self, api: Api, state: Values) -> Values | None:
        path = f"b/{quote(state['bucket'], safe='')}/iam?optionsRequestedPolicyVersion=3"
        found: Values | None = _get(api, "STORAGE", path)
        return found

    def _set(self, api: Api, state: Values, policy: Values) -> Values:
        changed: Values = _ask(api, "PUT", "STORAGE", f"b/{quote(state['bucket'], safe='')}/iam", policy)
        return changed


class AccountMember(_Member):
    """google_service_account_iam_member."""

    of = "service_account_id"
    force_new = frozenset({"service_account_id", "role", "member", "condition"})
    service = "IAM"

    def _policy(self, api: Api, state: Values) -> Values | None:
        path = f"{quote(state[self.of], safe='/@')}:getIamPolicy"
        reply = api.ask("POST", _url(self.service, path), {}, headers=_headers(), expect=(200, 404))
        return reply.body if reply.status == _OK else None

    def _set(self, api: Api, state: Values, policy: Values) -> Values:
        path = f"{quote(state[self.of], safe='/@')}:setIamPolicy"
        changed: Values = _ask(api, "POST", self.service, path, {"policy": policy})
        return changed


class KeyMember(AccountMember):
    """google_kms_crypto_key_iam_member."""

    of = "crypto_key_id"
    force_new = frozenset({"crypto_key_id", "role", "member", "condition"})
    service = "KMS"


class KeyRing(Resource):
    """google_kms_key_ring: never deleted, only forgotten."""

    force_new = frozenset({"name", "location", "project"})

    def create(self, api: Api, planned: Values) -> Values:
        parent = f"projects/{planned['project']}/locations/{planned['location']}"
        query = {"keyRingId": planned["name"]}
        made = _ask(api, "POST", "KMS", f"{parent}/keyRings", {}, query=query)
        return {**planned, "id": made["name"]}

    def read(self, api: Api, state: Values) -> Values | None:
        return state if _get(api, "KMS", state["id"]) is not None else None

    def delete(self, api: Api, state: Values) -> None:
        """A key ring stays: Google has no way to delete one."""


class CryptoKey(Resource):
    """google_kms_crypto_key; deleting one destroys its versions."""

    force_new = frozenset({"name", "key_ring", "purpose", "version_template"})

    def plan(self, api: Api, prior: Values | None, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **_ATTRIBUTION}
        return {**planned, "effective_labels": labels, "terraform_labels": labels}

    def create(self, api: Api, planned: Values) -> Values:
        template = _one(planned["version_template"])
        body = {
            "purpose": planned["purpose"],
            "rotationPeriod": planned["rotation_period"],
            "labels": {**(planned.get("labels") or {}), **_ATTRIBUTION},
            "versionTemplate": {
                "algorithm": template["algorithm"],
                "protectionLevel": template["protection_level"],
            },
        }
        query = {"cryptoKeyId": planned["name"]}
        made = _ask(api, "POST", "KMS", f"{planned['key_ring']}/cryptoKeys", body, query=query)
        computed = {"import_only": False, "destroy_scheduled_duration": "2592000s", "primary": []}
        kept = {name: value for name, value in planned.items() if value is not None}
        return {**planned, **computed, **kept, "id": made["name"], "effective_labels": body["labels"]}

    def read(self, api: Api, state: Values) -> Values | None:
        found = _get(api, "KMS", state["id"])
        return None if found is None else {**state, "rotation_period": found.get("rotationPeriod")}

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **_ATTRIBUTION}
        _ask(
            api, "PATCH", "KMS", prior["id"], {"rotationPeriod": planned["rotation_period"], "labels": labels}
        )
        return planned

    def delete(self, api: Api, state: Values) -> None:
        """The name stays, its versions are destroyed."""


RESOURCES = {
    "google_storage_bucket": Bucket,
    "google_storage_bucket_iam_member": BucketMember,
    "google_service_account": ServiceAccount,
    "google_service_account_iam_member": AccountMember,
    "google_kms_key_ring": KeyRing,
    "google_kms_crypto_key": CryptoKey,
    "google_kms_crypto_key_iam_member": KeyMember,
}
