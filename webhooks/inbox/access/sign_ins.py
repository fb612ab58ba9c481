"""Sign-ins to the pages: sessions of people, tokens of programs, and failures, for all processes."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    delete,
    false,
    insert,
    or_,
    select,
    update,
)

from webhooks.clock import from_timestamp
from webhooks.errors import StoreUnavailable
from webhooks.inbox.access.session_keys import ID_LENGTH, has_id, is_usable, key_of, mark_of
from webhooks.inbox.access.tables import api_tokens, page_sessions, sign_in_failures
from webhooks.inbox.databases.store import Store
from webhooks.inbox.inbound.presses import forget_old
from webhooks.inbox.inbound.tables import presses

SESSION_SECONDS = 12 * 3600.0
# Seconds within which the use of a session is stored once, because an open page asks every few seconds.
SEEN_SECONDS = 300.0
# Seconds without another attempt after the use could not be stored.
SEEN_PAUSE_SECONDS = 60.0
# After so many failures of one address it has to wait for the end of the period.
MAX_FAILURES = 10
PERIOD_SECONDS = 900.0
# After so many failures of one account from all addresses together, those that no one is signed in from have to wait:
# guesses from many addresses are slow, and do not lock out the people who work with the pages.
MAX_OF_ACCOUNT = 100
# Failures of accounts are stored beside those of addresses, which have no spaces.
ACCOUNT = "account "
TOKEN_BYTES = 32
# What tokens begin with, so that programs that search for leaked secrets find them.
TOKEN_PREFIX = "twh_"  # noqa: S105 - the beginning of every token


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person or a program that is signed in; `expires_at` is the end of the session or of the token.

    `session` is the id of a person's session, and `subject` identifies the person at the identity provider.
    """

    name: str
    role: str
    scope: str
    expires_at: datetime
    session: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """The person of a session; without a `subject` only this session is known to be theirs."""

    session: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """A session as lists show it. `id` is the beginning of its key, with which no one can sign in."""

    id: str
    name: str
    role: str
    scope: str
    address: str
    browser: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """A token as lists show it."""

    id: int
    name: str
    role: str
    scope: str
    by: str
    created_at: datetime
    expires_at: datetime


class SignIns:
    """Sessions, tokens and failures. The database contains digests of what browsers and programs send."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen_pause_until = 0.0

    def start(
        self,
        *,
        name: str,
        role: str,
        address: str,
        password: str,
        scope: str = "{}",
        subject: str = "",
        browser: str = "",
        seconds: float = SESSION_SECONDS,
    ) -> str:
        """Store a session that ends after some seconds, and return the value for the cookie.

        The session ends with another `password` as well: its key is computed from both.
        """
        value, mark = secrets.token_urlsafe(TOKEN_BYTES), mark_of(password)

        def start(connection: Connection) -> None:
            wall = self._store.to_wall(self._store.now(connection))
            connection.execute(delete(page_sessions).where(page_sessions.c.expires_at <= wall))
            times = {"created_at": wall, "seen_at": wall, "expires_at": wall + seconds}
            row = {"key": key_of(value, password), "name": name, "role": role, "scope": scope, "address": address}
            person = {"subject": subject, "browser": browser, "password_mark": mark}
            connection.execute(insert(page_sessions).values(**row, **person, **times))
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.address == address))

        self._store.write(start)
        return value

    def find(self, value: str, password: str) -> SignedIn | None:
        """Return the session of a cookie's value, or None if it has ended. Store that it is in use."""
        key = key_of(value, password)
        row, wall = self._find(page_sessions, key)
        if row is None:
            return None
        if wall - (row["seen_at"] or 0.0) >= SEEN_SECONDS and time.monotonic() >= self._seen_pause_until:
            try:
                self._store.execute(update(page_sessions).where(page_sessions.c.key == key).values(seen_at=wall))
            except StoreUnavailable:
                # Pages can be read while nothing can be stored, and must not wait for it each time.
                self._seen_pause_until = time.monotonic() + SEEN_PAUSE_SECONDS
        return _signed_in(row, session=key[:ID_LENGTH], subject=row["subject"])

    def find_token(self, value: str) -> SignedIn | None:
        """Return what a token is for, or None if it is unknown or has expired."""
        row = self._find(api_tokens, key_of(value, ""))[0] if value.startswith(TOKEN_PREFIX) else None
        return None if row is None else _signed_in(row)

    def use_once(self, key: str) -> bool:
        """Return whether this key, such as the state of a sign-in, is used for the first time within a day."""
        new = self._store.upsert(presses).on_conflict_do_nothing()

        def use(connection: Connection) -> bool:
            wall = self._store.to_wall(self._store.now(connection))
            forget_old(connection, wall)
            return connection.execute(new.values(key=key_of(key, "sign-in"), received_at=wall)).rowcount > 0

        return self._store.write(use)

    def end(self, value: str, password: str) -> None:
        """End the session of a cookie's value."""
        self._store.execute(delete(page_sessions).where(page_sessions.c.key == key_of(value, password)))

    def end_all(self, password: str | None) -> int:
        """End all sessions, and return how many could be used."""
        number = len(self.sessions(password))
        self._store.execute(delete(page_sessions))
        return number

    def sessions(self, password: str | None, owner: Owner | None = None) -> list[Session]:
        """Return the sessions that can be used, of all people or of one; those used last come first.

        Those that were started with another `password` have ended. With None, which is unknown: all are returned.
        """
        usable = is_usable(password)

        def read(connection: Connection) -> list[RowMapping]:
            wall = self._store.to_wall(self._store.now(connection))
            valid = select(page_sessions).where(page_sessions.c.expires_at > wall, usable, *_theirs(owner))
            return list(connection.execute(valid).mappings())

        found = [
            Session(
                id=row["key"][:ID_LENGTH],
                name=row["name"],
                role=row["role"],
                scope=row["scope"],
                address=row["address"],
                browser=row["browser"],
                created_at=from_timestamp(row["created_at"]),
                seen_at=from_timestamp(row["seen_at"] or row["created_at"]),
                expires_at=from_timestamp(row["expires_at"]),
            )
            for row in self._store.read(read)
        ]
        return sorted(found, key=lambda session: session.seen_at, reverse=True)

    def any_sessions(self) -> bool:
        """Return whether a session is stored; one that has expired is stored until the next sign-in."""
        return self._store.scalar(select(page_sessions.c.key).limit(1)) is not None

    def end_session(self, session_id: str, owner: Owner | None = None) -> bool:
        """End the session with that id if it is the owner's, and return whether there was one."""
        return self._store.execute(delete(page_sessions).where(has_id(session_id), *_theirs(owner))) > 0

    def end_others(self, session_id: str, password: str | None, owner: Owner | None = None) -> int:
        """End all sessions but the one with that id, of all people or of one, and return how many could be used."""
        number = len([one for one in self.sessions(password, owner) if one.id != session_id])
        self._store.execute(delete(page_sessions).where(~has_id(session_id), *_theirs(owner)))
        return number

    def create_token(self, *, name: str, role: str, by: str, seconds: float, scope: str = "{}") -> str:
        """Store a token that expires after some seconds, and return its value, which cannot be read again."""
        value = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)

        def create(connection: Connection) -> None:
            wall = self._store.to_wall(self._store.now(connection))
            times = {"created_at": wall, "expires_at": wall + seconds}
            row = {"key": key_of(value, ""), "name": name, "role": role, "scope": scope, "author": by}
            connection.execute(insert(api_tokens).values(**row, **times))

        self._store.write(create)
        return value

    def tokens(self) -> list[Token]:
        """Return all tokens, also those that have expired."""
        rows = self._store.rows(select(api_tokens).order_by(api_tokens.c.id))
        return [
            Token(
                id=row["id"],
                name=row["name"],
                role=row["role"],
                scope=row["scope"],
                by=row["author"],
                created_at=from_timestamp(row["created_at"]),
                expires_at=from_timestamp(row["expires_at"]),
            )
            for row in rows
        ]

    def revoke_token(self, token_id: int) -> bool:
        """Delete a token, and return whether there was one with that number."""
        return self._store.execute(delete(api_tokens).where(api_tokens.c.id == token_id)) > 0

    def wait_seconds(self, address: str, account: str = "", *, password: str | None = None) -> float:
        """Return for how long this address may not try to sign in to the account; 0 if it may.

        Failures at the account from elsewhere do not count for an address with a session of this `password`.
        """
        most = {address: MAX_FAILURES, f"{ACCOUNT}{account}": MAX_OF_ACCOUNT}

        def wait(connection: Connection) -> float:
            wall = self._store.to_wall(self._store.now(connection))
            query = select(sign_in_failures).where(sign_in_failures.c.address.in_(most))
            rows = [row for row in connection.execute(query).mappings() if row["number"] >= most[row["address"]]]
            own = (page_sessions.c.address == address, page_sessions.c.expires_at > wall, is_usable(password))
            if rows and connection.execute(select(page_sessions.c.key).where(*own).limit(1)).first():
                rows = [row for row in rows if row["address"] == address]
            # A beginning in the future comes from a clock that was wrong.
            left = (row["since"] + PERIOD_SECONDS - wall for row in rows)
            return max((seconds for seconds in left if 0 < seconds <= PERIOD_SECONDS), default=0.0)

        return self._store.read(wait)

    def record_failure(self, address: str, account: str = "") -> None:
        """Count a failed sign-in of an address, to an account if one is given."""

        def record(connection: Connection) -> None:
            wall = self._store.to_wall(self._store.now(connection))
            connection.execute(delete(sign_in_failures).where(sign_in_failures.c.since <= wall - PERIOD_SECONDS))
            more = {"number": sign_in_failures.c.number + 1}
            for key in filter(None, (address, account and f"{ACCOUNT}{account}")):
                row = self._store.upsert(sign_in_failures).values(address=key, since=wall, number=1)
                connection.execute(row.on_conflict_do_update(index_elements=["address"], set_=more))

        self._store.write(record)

    def _find(self, table: Table, key: str) -> tuple[RowMapping | None, float]:
        """Return the row with that key unless it has expired, and the time."""

        def find(connection: Connection) -> tuple[RowMapping | None, float]:
            wall = self._store.to_wall(self._store.now(connection))
            query = select(table).where(table.c.key == key, table.c.expires_at > wall)
            return connection.execute(query).mappings().first(), wall

        return self._store.read(find)


def _signed_in(row: RowMapping, *, session: str = "", subject: str = "") -> SignedIn:
    end = from_timestamp(row["expires_at"])
    return SignedIn(row["name"], row["role"], row["scope"], end, session=session, subject=subject)


def _theirs(owner: Owner | None) -> list[ColumnElement[bool]]:
    """Return the condition for the sessions of a person; none for those of all people."""
    if owner is None:
        return []
    same_person = page_sessions.c.subject == owner.subject if owner.subject else false()
    return [or_(has_id(owner.session), same_person)]
