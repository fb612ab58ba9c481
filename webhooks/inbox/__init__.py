"""The inbox: everything that was received and promised, in one database. All the SQL is in here."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import Self

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from webhooks.errors import StoreUnavailable
from webhooks.inbox.checkpoints import MISSING, Steps
from webhooks.inbox.databases.store import Clock, Store
from webhooks.inbox.events import Matching
from webhooks.inbox.locks import Turns
from webhooks.inbox.migrate import upgrade
from webhooks.inbox.queries import STATES, History
from webhooks.inbox.records import Attempt, EventRecord, JobRecord, Receipt
from webhooks.inbox.resources import Resource, Resources
from webhooks.inbox.retention import Retention
from webhooks.inbox.rounds import Rounds
from webhooks.inbox.sessions import Sessions
from webhooks.inbox.synthetic_events import Arrival, Made

__all__ = [
    "MISSING",
    "STATES",
    "Arrival",
    "Attempt",
    "EventRecord",
    "Inbox",
    "JobRecord",
    "Matching",
    "Receipt",
    "Resource",
]


PROOF_SECONDS = 1.0
"""Whoever asks more often than that if the inbox is well gets the answer of before."""


class Inbox(Rounds, History, Steps, Retention, Made, Resources, Turns):
    """Events, jobs, attempts, steps and sessions of one database; safe for many threads, processes and machines.

    `news` is set after each commit that brings work.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sessions = Sessions(store)
        self.news = threading.Event()
        self._proved = -PROOF_SECONDS

    @classmethod
    def open(cls, url: str, clock: Clock | None = None) -> Self:
        """Opens `sqlite:///FILE` or `postgresql+psycopg://…` and brings its schema up to date.

        A database that cannot be reached now is brought up to date when it can; until then everything else here raises
        StoreUnavailable. `clock` (seconds since 1970) is for tests; the default is this machine's on SQLite, the
        database's on PostgreSQL. Raises RuntimeError for any other URL, and for a schema newer than this server.
        """
        store = _store(url, clock)
        store.prepare = partial(upgrade, store)
        try:
            with suppress(StoreUnavailable):
                store.ensure()
        except BaseException:
            store.close()
            raise
        return cls(store)

    def prove(self) -> None:
        """Commits a few bytes on the way that events take, at most once a second. Raises StoreUnavailable within
        seconds where an event could not be kept: reading goes on where another process holds the database's lock, and
        on a full disk."""
        if time.monotonic() < self._proved + PROOF_SECONDS:
            return
        stamp, moment = self.store.stamp()
        mark = self.store.placeholder
        self.store.insert(
            f"INSERT INTO notes (key, value, noted_at) VALUES ({mark}, {mark}, {stamp}) ON CONFLICT (key) "  # noqa: S608
            "DO UPDATE SET noted_at = excluded.noted_at RETURNING key",
            ("written", "true", *moment),
        )
        self._proved = time.monotonic()

    def close(self) -> None:
        self.store.close()


def _store(url: str, clock: Clock | None) -> Store:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter for a port that is no number; both may quote the password
        raise RuntimeError("DATABASE_URL is no address such as sqlite:///FILE or postgres://HOST/NAME") from None
    if parsed.get_backend_name() == "sqlite":
        from webhooks.inbox.databases.sqlite import SqliteStore  # noqa: PLC0415 — a driver is imported where it is used

        return SqliteStore(parsed, clock)
    if parsed.get_backend_name() == "postgresql":
        from webhooks.inbox.databases.postgres import PostgresStore  # noqa: PLC0415

        return PostgresStore(parsed, clock)
    raise RuntimeError(f"DATABASE_URL: {parsed.get_backend_name()} is not supported; use sqlite:/// or postgres://")
