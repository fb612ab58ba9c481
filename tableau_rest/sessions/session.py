"""A signed-in session, and how all users of a credential share one: re-read it, renew it under a lock."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tableau_rest import errors
from tableau_rest.forks import Lock
from tableau_rest.sessions.store import LOCK_SECONDS, SessionStore

if TYPE_CHECKING:
    from tableau_rest.sessions.encryption import SessionCipher

# Tokens remembered for redaction: those of calls that may still be under way.
_RECENT_TOKENS = 8


class Session(NamedTuple):
    """A session on one site.

    `server` is the base URL where it is valid, which may differ from the configured one. `first_used_at` is when this
    credential was first used here.
    """

    token: str
    site_luid: str
    user_luid: str
    server: str
    version: str
    signed_in_at: datetime
    expires_at: datetime
    first_used_at: datetime

    def __repr__(self) -> str:
        return f"Session(user {self.user_luid} at {self.server}, until {self.expires_at:%Y-%m-%d %H:%M} UTC)"

    def to_bytes(self) -> bytes:
        """Return the session as JSON."""
        return json.dumps(self._asdict(), default=datetime.isoformat).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Session | None:
        """Return the session, or None for other bytes, such as those of an older release."""
        try:
            data = json.loads(value)
            times = {name: datetime.fromisoformat(data[name]) for name in data if name.endswith("_at")}
            return cls(**data | times)
        except (ValueError, TypeError, AttributeError):
            return None


class Renewal(NamedTuple):
    """The session that replaces another. `signed_in`: it is new, so if it is refused, another one would be as well."""

    session: Session
    signed_in: bool


class SharedSession:
    """The one session of a credential on a site; thread-safe.

    `sign_in(server)` makes a new session, at that server or, for None, at the configured one.
    """

    def __init__(
        self,
        sign_in: Callable[[str | None], Session],
        store: SessionStore,
        *,
        identity: str,
        secret: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._sign_in, self._store, self._secret, self._clock = sign_in, store, secret, clock
        self._key = "tableau-session-" + hashlib.sha256(identity.encode()).hexdigest()[:40]
        self._lock = Lock()
        self._session: Session | None = None
        self._failure: tuple[float, errors.TableauError] | None = None
        self.tokens: deque[str] = deque(maxlen=_RECENT_TOKENS)

    def current(self) -> Session:
        """Return the session to use now; sign in only if the store has no valid one."""
        session = self._session
        if session is not None and self._clock() < session.expires_at:
            return session
        return self.renewed("").session

    def renewed(self, ended: str, server: str | None = None) -> Renewal:
        """Return another session than the one with the ended token: a newer one from the store, or a new one.

        Raises SignInFailed, SignInBusy, or the error that kept Tableau from being asked.
        """
        requested_at = time.monotonic()
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise errors.SignInBusy(f"Another thread has been signing in for {LOCK_SECONDS:g} s")
        try:
            if self._session is not None and self._is_valid(self._session, ended):
                return Renewal(self._session, signed_in=False)
            # Threads that waited while a sign-in failed fail with it: each trying again would lock the account.
            if self._failure and self._failure[0] > requested_at:
                raise copy.copy(self._failure[1]) from self._failure[1]
            renewal = self._stored_or_new(ended, server)
        except errors.TableauError as error:
            self._failure = time.monotonic(), error
            raise
        else:
            self._session = renewal.session
            self.tokens.append(renewal.session.token)
            return renewal
        finally:
            self._lock.release()

    def _stored_or_new(self, ended: str, server: str | None) -> Renewal:
        stored = self._load()
        if stored and self._is_valid(stored, ended):
            return Renewal(stored, signed_in=False)
        try:
            with self._store.lock(self._key):
                stored = self._load()  # another process may have signed in meanwhile
                if stored and self._is_valid(stored, ended):
                    return Renewal(stored, signed_in=False)
                session = self._sign_in(server)
                if stored:
                    session = session._replace(first_used_at=min(stored.first_used_at, session.first_used_at))
                self._store.save(self._key, self._cipher.encrypt(session.to_bytes()))
                return Renewal(session, signed_in=True)
        except TimeoutError as error:
            raise errors.SignInBusy("Another process holds the sign-in lock", detail=str(error)) from error

    def _is_valid(self, session: Session, ended: str) -> bool:
        return session.token != ended and self._clock() < session.expires_at

    def _load(self) -> Session | None:
        value = self._store.load(self._key)
        decrypted = self._cipher.decrypt(value) if value else None
        return Session.from_bytes(decrypted) if decrypted else None

    @cached_property
    def _cipher(self) -> SessionCipher:
        from tableau_rest.sessions.encryption import SessionCipher  # noqa: PLC0415 - cryptography is slow to import

        return SessionCipher(self._secret, self._key)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
