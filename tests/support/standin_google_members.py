"""One member of one binding of a policy, as google_…_iam_member manages it: the rest is left as it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from standin.api import Api, ApiError
from standin.resources import Resource
from standin.values import Values
from standin_google_calls import CONFLICT, OK, TRIES, ask, get, headers, one, url

_LATEST = "options.requestedPolicyVersion=3"


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
        for _ in range(TRIES):  # somebody else may have changed the policy since it was read
            policy = self._policy(api, state)
            if policy is None:
                raise LookupError(f"{state[self.of]} is not there")
            change(policy["bindings"])
            policy["version"] = 3 if any("condition" in item for item in policy["bindings"]) else 1
            try:
                changed: Values = self._set(api, state, policy)
            except ApiError as error:
                if error.status != CONFLICT:
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
        tail = f"/{one(state['condition'])['title']}" if state.get("condition") else ""
        return f"{state[self.of]}/{state['role']}/{state['member']}{tail}"

    def _policy(self, api: Api, state: Values) -> Values | None:
        raise NotImplementedError

    def _set(self, api: Api, state: Values, policy: Values) -> Values:
        raise NotImplementedError


def _expression(state: Values) -> Values:
    condition = one(state["condition"])
    return {"expression": condition["expression"], "title": condition["title"]}


class BucketMember(_Member):
    """google_storage_bucket_iam_member."""

    of = "bucket"
    force_new = frozenset({"bucket", "role", "member", "condition"})

    def _id(self, state: Values) -> str:
        return f"b/{super()._id(state)}"

    def _policy(self, api: Api, state: Values) -> Values | None:
        path = f"b/{quote(state['bucket'], safe='')}/iam?optionsRequestedPolicyVersion=3"
        found: Values | None = get(api, "STORAGE", path)
        return found

    def _set(self, api: Api, state: Values, policy: Values) -> Values:
        changed: Values = ask(api, "PUT", "STORAGE", f"b/{quote(state['bucket'], safe='')}/iam", policy)
        return changed


class AccountMember(_Member):
    """google_service_account_iam_member."""

    of = "service_account_id"
    force_new = frozenset({"service_account_id", "role", "member", "condition"})
    service, verb = "IAM", "POST"

    def _policy(self, api: Api, state: Values) -> Values | None:
        path = f"{quote(state[self.of], safe='/@')}:getIamPolicy?{_LATEST}"
        reply = api.ask(self.verb, url(self.service, path), headers=headers(), expect=(200, 404))
        return reply.body if reply.status == OK else None

    def _set(self, api: Api, state: Values, policy: Values) -> Values:
        path = f"{quote(state[self.of], safe='/@')}:setIamPolicy"
        changed: Values = ask(api, "POST", self.service, path, {"policy": policy})
        return changed


class KeyMember(AccountMember):
    """google_kms_crypto_key_iam_member."""

    of = "crypto_key_id"
    force_new = frozenset({"crypto_key_id", "role", "member", "condition"})
    service, verb = "KMS", "GET"
