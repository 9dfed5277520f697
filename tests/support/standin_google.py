"""What a stand-in for hashicorp/google does for the types in use: the calls that the real provider makes.

Settings travel in the API's own words, to the endpoints and with the credentials that the real provider would
take from the environment.
"""

from __future__ import annotations

from urllib.parse import quote

from standin.api import Api
from standin.resources import Resource
from standin.values import UNKNOWN, Values
from standin_google_calls import ATTRIBUTION, ask, delete, get, one, said
from standin_google_members import AccountMember, BucketMember, KeyMember


class Bucket(Resource):
    """google_storage_bucket, as resource_storage_bucket.go has it."""

    volatile = frozenset({"updated"})
    computed_blocks = frozenset({"soft_delete_policy"})
    defaults = {  # noqa: RUF012  # a class variable by its declaration
        "lifecycle_rule.condition.with_state": "ANY",
    }

    def known(self, api: Api, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **ATTRIBUTION}
        name = planned["name"]
        if name is UNKNOWN:
            return {}
        return {"url": f"gs://{name}", "effective_labels": labels, "terraform_labels": labels}

    def plan(self, api: Api, prior: Values | None, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **ATTRIBUTION}
        planned = {**planned, "effective_labels": labels, "terraform_labels": labels}
        if prior is not None and str(prior["location"]).upper() == str(planned["location"]).upper():
            planned["location"] = prior["location"]
        return planned

    def create(self, api: Api, planned: Values) -> Values:
        body = self._body(planned) | {"name": planned["name"], "location": planned["location"]}
        project = planned.get("project") or api.config["project"]
        made = ask(api, "POST", "STORAGE", "b", body, query={"project": project})
        return self._state({**planned, "project": project}, made)

    def read(self, api: Api, state: Values) -> Values | None:
        found = get(api, "STORAGE", f"b/{quote(state['id'], safe='')}")
        return None if found is None else self._state({"project": api.config.get("project"), **state}, found)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        body = self._body(planned)
        gone = (prior.get("effective_labels") or {}).keys() - body["labels"].keys()
        body["labels"] |= dict.fromkeys(gone)
        changed = ask(api, "PATCH", "STORAGE", f"b/{quote(prior['name'], safe='')}", body)
        return self._state(planned, changed)

    def delete(self, api: Api, state: Values) -> None:
        delete(api, "STORAGE", f"b/{quote(state['name'], safe='')}")

    def _body(self, planned: Values) -> Values:
        key = one(planned["encryption"]).get("default_kms_key_name")
        logging = one(planned["logging"])
        retention = one(planned["soft_delete_policy"]).get("retention_duration_seconds")
        body = {
            "storageClass": planned["storage_class"],
            "labels": {**(planned.get("labels") or {}), **ATTRIBUTION},
            "versioning": {"enabled": bool(one(planned["versioning"]).get("enabled"))},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": bool(planned["uniform_bucket_level_access"])},
                "publicAccessPrevention": planned["public_access_prevention"] or "inherited",
            },
            "encryption": {"defaultKmsKeyName": key} if key else None,
            "logging": said(
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
        own = {key: value for key, value in labels.items() if key not in ATTRIBUTION}
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
    action, condition = one(rule["action"]), one(rule["condition"])
    return {
        "action": said({"type": action["type"], "storageClass": action["storage_class"] or None}),
        "condition": said(
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
            "serviceAccount": said({"displayName": planned["display_name"]}),
        }
        made = ask(api, "POST", "IAM", f"projects/{planned['project']}/serviceAccounts", body)
        return self._state(planned, made)

    def read(self, api: Api, state: Values) -> Values | None:
        found = get(api, "IAM", quote(state["id"], safe="/@"))
        return None if found is None else self._state(state, found)

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        body = {"serviceAccount": {"displayName": planned["display_name"]}, "updateMask": "displayName"}
        return self._state(planned, ask(api, "PATCH", "IAM", quote(prior["id"], safe="/@"), body))

    def delete(self, api: Api, state: Values) -> None:
        delete(api, "IAM", quote(state["id"], safe="/@"))

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


class KeyRing(Resource):
    """google_kms_key_ring: never deleted, only forgotten."""

    force_new = frozenset({"name", "location", "project"})

    def create(self, api: Api, planned: Values) -> Values:
        parent = f"projects/{planned['project']}/locations/{planned['location']}"
        query = {"keyRingId": planned["name"]}
        made = ask(api, "POST", "KMS", f"{parent}/keyRings", {}, query=query)
        return {**planned, "id": made["name"]}

    def read(self, api: Api, state: Values) -> Values | None:
        return state if get(api, "KMS", state["id"]) is not None else None

    def delete(self, api: Api, state: Values) -> None:
        """A key ring stays: Google has no way to delete one."""


class CryptoKey(Resource):
    """google_kms_crypto_key; deleting one destroys its versions."""

    force_new = frozenset({"name", "key_ring", "purpose", "version_template"})

    def plan(self, api: Api, prior: Values | None, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **ATTRIBUTION}
        return {**planned, "effective_labels": labels, "terraform_labels": labels}

    def create(self, api: Api, planned: Values) -> Values:
        template = one(planned["version_template"])
        body = {
            "purpose": planned["purpose"],
            "rotationPeriod": planned["rotation_period"],
            "labels": {**(planned.get("labels") or {}), **ATTRIBUTION},
            "versionTemplate": {
                "algorithm": template["algorithm"],
                "protectionLevel": template["protection_level"],
            },
        }
        query = {"cryptoKeyId": planned["name"]}
        made = ask(api, "POST", "KMS", f"{planned['key_ring']}/cryptoKeys", body, query=query)
        computed = {"import_only": False, "destroy_scheduled_duration": "2592000s", "primary": []}
        kept = {name: value for name, value in planned.items() if value is not None}
        return {**planned, **computed, **kept, "id": made["name"], "effective_labels": body["labels"]}

    def read(self, api: Api, state: Values) -> Values | None:
        found = get(api, "KMS", state["id"])
        return None if found is None else {**state, "rotation_period": found.get("rotationPeriod")}

    def update(self, api: Api, prior: Values, planned: Values) -> Values:
        labels = {**(planned.get("labels") or {}), **ATTRIBUTION}
        ask(
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
