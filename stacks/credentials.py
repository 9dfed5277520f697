"""Credentials as values, and the rule by which they are renewed.

Credentials are asked for, not stored: whoever needs them holds a ``CredentialsProvider``, a plain function
that returns them with their own time of expiry. ``CachedCredentials`` asks it only when it has to.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from stacks.errors import CredentialsExpiredError, CredentialsWrongError
from stacks.forks import ProcessLock, undivided

logger = logging.getLogger(__name__)

# Five minutes: what AWS' and Google's own SDKs leave, and longer than any single request may take.
REFRESH_BEFORE = timedelta(minutes=5)


def _in_utc(expires_at: datetime | None) -> datetime | None:
    """The same moment in ``datetime.UTC`` itself: obstore takes no other zone, and boto3 returns its own."""
    if expires_at is None:
        return None
    if expires_at.tzinfo is None:
        raise CredentialsWrongError(
            f"expires_at {expires_at.isoformat()} has no time zone",
            hint="Return an aware datetime, for example datetime.now(UTC) + timedelta(hours=1).",
        )
    return expires_at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """What signs a request to AWS or to an S3 service; ``expires_at`` is aware, None means never.

    Raises:
        CredentialsWrongError: a key is empty, or ``expires_at`` has no time zone.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.access_key_id or not self.secret_access_key:
            raise CredentialsWrongError(
                "an AWS access key needs both its id and its secret",
                hint="Set aws_access_key_id and aws_secret_access_key together.",
            )
        object.__setattr__(self, "expires_at", _in_utc(self.expires_at))


@dataclass(frozen=True, slots=True)
class GcpToken:
    """An OAuth2 access token of Google's cloud; ``expires_at`` is aware, None means never.

    Raises:
        CredentialsWrongError: the token is empty, or ``expires_at`` has no time zone.
    """

    token: str = field(repr=False)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.token:
            raise CredentialsWrongError("an empty Google access token")
        object.__setattr__(self, "expires_at", _in_utc(self.expires_at))


@dataclass(frozen=True, slots=True)
class AzureCredentials:
    """What opens Azure Blob Storage: exactly one of a key, a SAS token or an OAuth2 token.

    Raises:
        CredentialsWrongError: none or several of the three, or ``expires_at`` has no time zone.
    """

    account_key: str | None = field(default=None, repr=False)
    sas_token: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.account_key, self.sas_token, self.token) if value]
        if len(given) != 1:
            raise CredentialsWrongError(
                f"Azure credentials are one of account_key, sas_token and token; {len(given)} were given"
            )
        object.__setattr__(self, "expires_at", _in_utc(self.expires_at))


Credentials = AwsCredentials | GcpToken | AzureCredentials
CredentialsProvider = Callable[[], Credentials]
C = TypeVar("C", bound=Credentials)


def _now() -> datetime:
    return datetime.now(UTC)


class CachedCredentials(Generic[C]):
    """Asks ``provider`` when there is nothing yet, shortly before expiry, and when told that it is time.

    Safe between threads, and in forked children: however many ask at once, the provider is called once.
    ``refresh_before`` is how long before expiry new ones are fetched; credentials that live shorter than
    twice that are renewed at half their life. When a renewal fails while the old ones still hold, they go on
    serving.
    """

    def __init__(
        self,
        provider: Callable[[], C],
        *,
        refresh_before: timedelta = REFRESH_BEFORE,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._provider = provider
        self._refresh_before = refresh_before
        self._clock = clock
        self._lock = ProcessLock()
        self._current: C | None = None
        self._renew_at: datetime | None = None

    def __call__(self) -> C:
        """The credentials in force.

        Raises:
            CredentialsExpiredError: the provider returned credentials that are already expired.
        """
        current, renew_at = self._current, self._renew_at
        if current is not None and (renew_at is None or self._clock() < renew_at):
            return current
        with self._lock.now:
            current, renew_at = self._current, self._renew_at
            if current is not None and (renew_at is None or self._clock() < renew_at):
                return current
            return self._renew(current)

    def renew(self, stale: C | None = None) -> C:
        """New credentials, because the service said that ``stale`` has expired.

        Someone else may have renewed them in between: then those are returned, and the provider is not asked.
        """
        with self._lock.now:
            if self._current is not None and stale is not None and self._current != stale:
                return self._current
            self._current = None
            return self._renew(None)

    def _renew(self, held: C | None) -> C:
        now = self._clock()
        try:
            with undivided():
                fresh = self._provider()
        except Exception:
            if held is None or held.expires_at is None or held.expires_at <= now:
                raise
            logger.warning("renewing credentials failed; the present ones hold until %s", held.expires_at)
            return held
        if fresh.expires_at is not None and fresh.expires_at <= now:
            raise CredentialsExpiredError(
                f"the provider returned credentials that expired at {fresh.expires_at.isoformat()}",
                hint="Check the provider, and that this machine's clock is right.",
            )
        self._current = fresh
        self._renew_at = None
        if fresh.expires_at is not None:
            lifetime = fresh.expires_at - now
            self._renew_at = fresh.expires_at - min(self._refresh_before, lifetime / 2)
        return fresh
