"""The objects of a test's Google project: the bytes lie in fake-gcs-server, old versions are kept here.

fake-gcs-server deletes no single version of an object, so it only ever holds the live ones.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from google_services import api_error
from small_server import Answer, Asked

Body = dict[str, Any]
_OK = 200
_JSON = {"Content-Type": "application/json"}


@dataclass
class Objects:
    """The objects of all buckets; ``address`` is fake-gcs-server's, ``shown`` is what clients know."""

    address: str = ""
    shown: str = ""
    versioned: set[str] = field(default_factory=set)
    old: dict[str, list[Body]] = field(default_factory=dict)
    """Noncurrent versions by bucket, as the API describes them."""
    uploads: dict[str, Body | None] = field(default_factory=dict)
    """What lay there when an upload in parts began, by the upload's id."""

    def add_bucket(self, bucket: str) -> None:
        """A new bucket."""
        self._behind("POST", "/storage/v1/b?project=p", json.dumps({"name": bucket}).encode(), _JSON)
        self.old[bucket] = []

    def drop_bucket(self, bucket: str) -> None:
        """A bucket without objects goes."""
        self._behind("DELETE", f"/storage/v1/b/{bucket}", b"", {})
        del self.old[bucket]
        self.versioned.discard(bucket)

    def names(self, bucket: str) -> list[str]:
        """The names of the objects in a bucket, one for each version."""
        return [item["name"] for item in (*self._live(bucket), *self.old[bucket])]

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """An object."""
        query = urlencode({"uploadType": "media", "name": name})
        self._behind("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", content, {})

    def forget(self, bucket: str, name: str) -> None:
        """An object and its old versions go, as if they had never been."""
        self._behind("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", b"", {})
        self.old[bucket] = [item for item in self.old[bucket] if item["name"] != name]

    # --- requests --------------------------------------------------------------------------------------

    def listed(self, asked: Asked, bucket: str) -> Answer:
        """Live objects; old versions too, where they are asked for."""
        if asked.query.get("versions", "").lower() != "true":
            return self._passed_on(asked)
        prefix = asked.query.get("prefix", "")
        items = [*self._live(bucket), *self.old[bucket]]
        found = sorted(
            (item for item in items if item["name"].startswith(prefix)),
            key=lambda item: (item["name"], int(item["generation"])),
        )
        return Answer(_OK, {"kind": "storage#objects", "items": found})

    def read(self, asked: Asked) -> Answer:
        """An object, or its description."""
        return self._passed_on(asked)

    def delete(self, asked: Asked, bucket: str, name: str) -> Answer:
        """The live object becomes an old version; a version that is named is gone for good."""
        live, generation = self._described(bucket, name), asked.query.get("generation")
        if generation is not None and (live is None or live["generation"] != generation):
            kept = [
                item for item in self.old[bucket] if (item["name"], item["generation"]) != (name, generation)
            ]
            if len(kept) == len(self.old[bucket]):
                raise api_error(404, "NOT_FOUND", f"No such object: {bucket}/{name}#{generation}")
            self.old[bucket] = kept
            return Answer(204, None)
        if live is None:
            raise api_error(404, "NOT_FOUND", f"No such object: {bucket}/{name}")
        if generation is None:
            self._outdate(bucket, live)
        return self._passed_on(asked)

    def upload(self, asked: Asked, bucket: str, name: str) -> Answer:
        """A new object, or the beginning of one that comes in parts."""
        before = self._described(bucket, name)
        answer = self._passed_on(asked)
        started = re.search(r"upload_id=([^&]+)", answer.headers.get("Location", ""))
        if started:
            self.uploads[started[1]] = before
        elif answer.status == _OK:
            self._outdate(bucket, before)
        return answer

    def go_on(self, asked: Asked, bucket: str) -> Answer:
        """A further part; with the last one the object is there."""
        answer = self._passed_on(asked)
        if answer.status == _OK:
            self._outdate(bucket, self.uploads.pop(asked.query["upload_id"], None))
        return answer

    def _outdate(self, bucket: str, before: Body | None) -> None:
        if before is not None and bucket in self.versioned:
            ended = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self.old[bucket].append({**before, "timeDeleted": ended})

    def _described(self, bucket: str, name: str) -> Body | None:
        path = f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        status, body, _ = self._behind("GET", path, b"", {})
        found: Body | None = json.loads(body) if status == _OK else None
        return found

    def _live(self, bucket: str) -> list[Body]:
        _, body, _ = self._behind("GET", f"/storage/v1/b/{bucket}/o", b"", {})
        return [*json.loads(body).get("items", ())]

    def _passed_on(self, asked: Asked) -> Answer:
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        hidden = {"host", "authorization", "content-length", "connection", "accept-encoding"}
        sent = {name: value for name, value in asked.headers.items() if name not in hidden}
        status, body, headers = self._behind(asked.method, f"{asked.path}{query}", asked.body, sent)
        kept = {
            name: value.replace(self.address, self.shown)
            for name, value in headers.items()
            if name.lower() not in {"content-length", "date", "connection", "transfer-encoding"}
        }
        return Answer(status, body, kept)

    def _behind(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()
