"""A signed-in session, and the one that everybody shares: re-read, renew under a lock, never sign in twice."""

from __future__ import annotations

import copy
import hashlib
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from tableau_rest import errors
from tableau_rest.sessions.store import LOCK_SECONDS, SessionStore

if TYPE_CHECKING:
    from tableau_rest.sessions.encryption import SessionCipher


class Session(NamedTuple):
    """A session on one site. `server` is where it lives, which may be another host than the one configured."""

    token: str
    site_luid: str
    user_luid: str
    server: str
    version: str
    signed_in_at: datetime
    expires_at: datetime
    first_used_at: datetime  # when this credential was first seen here

    def __repr__(self) -> str:
        return f"Session(user {self.user_luid} at {self.server}, until {self.expires_at:%Y-%m-%d %H:%M} UTC)"

    def to_bytes(self) -> bytes:
        return json.dumps(self._asdict(), default=datetime.isoformat).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Session | None:
        """None for bytes that are no session, such as those of an older release."""
        try:
            data = json.loads(value)
            times = {name: datetime.fromisoformat(data[name]) for name in data if name.endswith("_at")}
            return cls(**data | times)
        except (ValueError, TypeError, AttributeError):
            return None


class Renewal(NamedTuple):
    """The session after another one died. `signed_in`: we made it, so if it dies at once there is no use in another."""

    session: Session
    signed_in: bool


class SharedSession:
    """The one session of a credential on a site. Thread-safe; shared with whoever shares the store.

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
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._failure: tuple[float, errors.TableauError] | None = None

    def current(self) -> Session:
        """The session to use now; signs in only when nobody who shares the store has a live one."""
        session = self._session
        if session is not None and self._clock() < session.expires_at:
            return session
        return self._obtain("", None).session

    def renewed(self, dead: str, server: str | None = None) -> Renewal:
        """Another session than the one with the dead token: somebody else's newer one, or a new one."""
        return self._obtain(dead, server)

    def _obtain(self, dead: str, server: str | None) -> Renewal:
        asked = time.monotonic()
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise errors.SignInBusy(f"another thread has been signing in for {LOCK_SECONDS:g} s")
        try:
            if self._session is not None and self._alive(self._session, dead):
                return Renewal(self._session, signed_in=False)
            self._share_failure(asked)
            renewal = self._shared_or_new(dead, server)
        except errors.TableauError as error:
            self._failure = time.monotonic(), error
            raise
        else:
            self._session = renewal.session
            return renewal
        finally:
            self._lock.release()

    def _share_failure(self, asked: float) -> None:
        """Whoever waited while a sign-in failed fails with it; two hundred more tries would lock the account."""
        if self._failure and self._failure[0] > asked:
            raise copy.copy(self._failure[1]) from self._failure[1]

    def _shared_or_new(self, dead: str, server: str | None) -> Renewal:
        stored = self._load()
        if stored and self._alive(stored, dead):
            return Renewal(stored, signed_in=False)
        try:
            with self._store.lock(self._key):
                return self._under_lock(dead, server)
        except TimeoutError as exc:
            raise errors.SignInBusy("the lock for signing in is held by somebody else", detail=str(exc)) from exc

    def _under_lock(self, dead: str, server: str | None) -> Renewal:
        stored = self._load()
        if stored and self._alive(stored, dead):
            return Renewal(stored, signed_in=False)
        session = self._sign_in(server)
        if stored:
            session = session._replace(first_used_at=min(stored.first_used_at, session.first_used_at))
        self._store.save(self._key, self._cipher.encrypt(session.to_bytes()))
        return Renewal(session, signed_in=True)

    def _alive(self, session: Session, dead: str) -> bool:
        return session.token != dead and self._clock() < session.expires_at

    def _load(self) -> Session | None:
        value = self._store.load(self._key)
        opened = self._cipher.decrypt(value) if value else None
        return Session.from_bytes(opened) if opened else None

    @cached_property
    def _cipher(self) -> SessionCipher:
        from tableau_rest.sessions.encryption import SessionCipher  # noqa: PLC0415  cryptography is slow to import

        return SessionCipher(self._secret, self._key)


def utc_now() -> datetime:
    """The clock, where no other is given."""
    return datetime.now(UTC)
