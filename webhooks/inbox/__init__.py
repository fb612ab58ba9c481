"""The inbox: all received events and all jobs, in one database. All SQL is in this package."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Self

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from webhooks.errors import StoreUnavailable, UnknownIncident
from webhooks.inbox.databases.known_database import KnownDatabase
from webhooks.inbox.databases.store import Clock, Store
from webhooks.inbox.events import insert_event
from webhooks.inbox.migrate import Migrate, prepare
from webhooks.inbox.records import Attempt, EventRecord, EventSummary, JobRecord, Receipt
from webhooks.job import MISSING, Namespace

# The parts are imported with their first use: a command uses one or two of them.
if TYPE_CHECKING:
    from webhooks.inbox.access.audit import Audit, AuditEntry
    from webhooks.inbox.access.sign_ins import SignIns
    from webhooks.inbox.events.events import Events, JobPlanner
    from webhooks.inbox.events.lists import EventLists
    from webhooks.inbox.events.synthetic import SyntheticEvents
    from webhooks.inbox.inbound.presses import Presses
    from webhooks.inbox.inbound.sms_replies import SmsReplies
    from webhooks.inbox.inbound.sms_status import SmsStatus
    from webhooks.inbox.incidents.dead_letter_groups import DeadLetterGroups
    from webhooks.inbox.incidents.findings import Findings
    from webhooks.inbox.incidents.incidents import Incidents
    from webhooks.inbox.incidents.records import IncidentRecord
    from webhooks.inbox.jobs.checkpoints import Checkpoints
    from webhooks.inbox.jobs.dead_letters import DeadLetters
    from webhooks.inbox.jobs.jobs import Jobs
    from webhooks.inbox.jobs.outages import Outages
    from webhooks.inbox.jobs.turns import Turns
    from webhooks.inbox.limits.action_uses import ActionUses
    from webhooks.inbox.limits.budgets import Budgets
    from webhooks.inbox.limits.quotas import Quotas
    from webhooks.inbox.notices.groups import GroupRecord, NoticeGroups
    from webhooks.inbox.notices.notices import NoticeRecord, Notices
    from webhooks.inbox.notices.silences import Silences
    from webhooks.inbox.resources.downstream import Downstream
    from webhooks.inbox.resources.lists import ResourceLists
    from webhooks.inbox.resources.resources import Resource, Resources
    from webhooks.inbox.retention import Retention
    from webhooks.inbox.runs.expected import ExpectedRuns
    from webhooks.inbox.runs.history import RunHistory
    from webhooks.inbox.runs.overviews import Overviews
    from webhooks.inbox.runs.runs import Runs
    from webhooks.inbox.server.counters import Counters
    from webhooks.inbox.server.locks import Locks
    from webhooks.inbox.server.rule_versions import RuleVersion, RuleVersions
    from webhooks.inbox.server.sessions import Sessions
    from webhooks.inbox.server.state import State
    from webhooks.incidents import ResourceDetails

__all__ = [
    "MISSING",
    "Attempt",
    "AuditEntry",
    "EventRecord",
    "EventSummary",
    "GroupRecord",
    "Inbox",
    "IncidentRecord",
    "JobPlanner",
    "JobRecord",
    "Migrate",
    "Namespace",
    "NoticeRecord",
    "Receipt",
    "Resource",
    "ResourceDetails",
    "RuleVersion",
    "UnknownIncident",
]

# A successful write check is valid for this long.
CHECK_SECONDS = 1.0

# The parts: the module of each in this package, and what it is built from.
PARTS: dict[str, tuple[str, ...]] = {
    "action_uses": ("limits.action_uses", "store"),
    "audit": ("access.audit", "store"),
    "budgets": ("limits.budgets", "store"),
    "checkpoints": ("jobs.checkpoints", "store"),
    "counters": ("server.counters",),
    "dead_letter_groups": ("incidents.dead_letter_groups", "store", "findings"),
    "dead_letters": ("jobs.dead_letters", "store"),
    "downstream": ("resources.downstream", "store"),
    "event_lists": ("events.lists", "store"),
    "events": ("events.events", "store", "news"),
    "expected_runs": ("runs.expected", "store"),
    "findings": ("incidents.findings", "store", "news", "incidents"),
    "incidents": ("incidents.incidents", "store", "news"),
    "jobs": ("jobs.jobs", "store", "events", "dead_letters"),
    "locks": ("server.locks", "store"),
    "notice_groups": ("notices.groups", "store"),
    "notices": ("notices.notices", "store"),
    "outages": ("jobs.outages", "store"),
    "overviews": ("runs.overviews", "store"),
    "presses": ("inbound.presses", "store", "incidents"),
    "quotas": ("limits.quotas", "store"),
    "resource_lists": ("resources.lists", "store"),
    "resources": ("resources.resources", "store"),
    "retention": ("retention", "store"),
    "rule_versions": ("server.rule_versions", "store"),
    "run_history": ("runs.history", "store"),
    "runs": ("runs.runs", "store"),
    "sessions": ("server.sessions", "store"),
    "sign_ins": ("access.sign_ins", "store"),
    "silences": ("notices.silences", "store"),
    "sms_replies": ("inbound.sms_replies", "store", "incidents"),
    "sms_status": ("inbound.sms_status", "store"),
    "state": ("server.state", "store"),
    "synthetic_events": ("events.synthetic", "store", "news"),
    "turns": ("jobs.turns", "store"),
}
# The modules of the other names that this package exports.
EXPORTED = {
    "AuditEntry": "webhooks.inbox.access.audit",
    "GroupRecord": "webhooks.inbox.notices.groups",
    "IncidentRecord": "webhooks.inbox.incidents.records",
    "JobPlanner": "webhooks.inbox.events.events",
    "NoticeRecord": "webhooks.inbox.notices.notices",
    "Resource": "webhooks.inbox.resources.resources",
    "ResourceDetails": "webhooks.incidents",
    "RuleVersion": "webhooks.inbox.server.rule_versions",
}


class Inbox:
    """One database with its parts; safe for many threads, processes and machines.

    `news` is set after each commit that adds work.
    """

    action_uses: ActionUses
    audit: Audit
    budgets: Budgets
    checkpoints: Checkpoints
    counters: Counters
    dead_letter_groups: DeadLetterGroups
    dead_letters: DeadLetters
    downstream: Downstream
    event_lists: EventLists
    events: Events
    expected_runs: ExpectedRuns
    findings: Findings
    incidents: Incidents
    jobs: Jobs
    locks: Locks
    notice_groups: NoticeGroups
    notices: Notices
    outages: Outages
    overviews: Overviews
    presses: Presses
    quotas: Quotas
    resource_lists: ResourceLists
    resources: Resources
    retention: Retention
    rule_versions: RuleVersions
    run_history: RunHistory
    runs: Runs
    sessions: Sessions
    sign_ins: SignIns
    silences: Silences
    sms_replies: SmsReplies
    sms_status: SmsStatus
    state: State
    synthetic_events: SyntheticEvents
    turns: Turns

    def __init__(self, store: Store) -> None:
        self.store = store
        self.news = threading.Event()
        self._building = threading.RLock()
        self._checked_at = -CHECK_SECONDS

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Build a part when it is used first."""
            if name not in PARTS:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            with self._building:
                if name not in self.__dict__:
                    module, *needed = PARTS[name]
                    build = getattr(import_module(f"webhooks.inbox.{module}"), name.title().replace("_", ""))
                    self.__dict__[name] = build(*(getattr(self, other) for other in needed))
                return self.__dict__[name]

    @classmethod
    def open(
        cls,
        url: str,
        clock: Clock | None = None,
        *,
        migrate: Migrate = Migrate.ALWAYS,
        known: KnownDatabase | None = None,
    ) -> Self:
        """Open `sqlite:///FILE` or `postgresql+psycopg://…` and migrate its schema if `migrate` allows it.

        A database that cannot be reached now is migrated as soon as it can be; until then everything else raises
        StoreUnavailable. `clock` (seconds since 1970) is for tests; the default is this machine's clock for SQLite and
        the database's for PostgreSQL. `known` is what other processes of the same server know about a SQLite file.
        Raises RuntimeError for any other URL, for a schema newer than this server, and for one that is older and may
        not be migrated.
        """
        store = _store(url, clock, known)
        store.prepare = partial(prepare, store, migrate)
        store.may_start_clock = migrate in {Migrate.ALWAYS, Migrate.EXISTING}
        store.may_create = migrate in {Migrate.ALWAYS, Migrate.IF_EMPTY}
        try:
            with suppress(StoreUnavailable):
                store.ensure_ready()
        except BaseException:
            store.close()
            raise
        return cls(store)

    def check_writable(self) -> None:
        """Store an event and roll it back, then commit a few bytes, at most once a second. Raises StoreUnavailable.

        Both are done on the acknowledgement path. A read would succeed while another process holds the database's
        lock, on a full disk, and without the right to insert events.
        """
        if time.monotonic() < self._checked_at + CHECK_SECONDS:
            return
        now, values = self.store.wall_sql()
        mark = self.store.placeholder
        # A negative id and a random fingerprint, so that two processes that check do not wait for each other.
        row = (-1 - secrets.randbelow(2**62), secrets.token_bytes(32), b"{}", "Check", None, None, None)
        self.store.rehearse(insert_event.probe(mark, self.store.given_id, now), (*row, *values))
        self.store.acknowledge(
            f"INSERT INTO state (key, value, updated_at) VALUES ({mark}, {mark}, {now}) ON CONFLICT (key) "  # noqa: S608 - no values
            "DO UPDATE SET updated_at = excluded.updated_at RETURNING key",
            ("written", "true", *values),
        )
        self._checked_at = time.monotonic()

    def counts(self) -> dict[str, float]:
        """Return figures for metrics, see `figures.count`."""
        from webhooks.inbox import figures  # noqa: PLC0415 - as for the parts

        return figures.count(self.store)

    def mark(self) -> str:
        """Return a text that differs after a change, see `change_mark`."""
        from webhooks.inbox.change_mark import read_mark  # noqa: PLC0415 - as for the parts

        return read_mark(self.store)

    def close(self) -> None:
        """Close all connections."""
        self.store.close()


def import_parts(url: str) -> None:
    """Import all parts, and the driver of the database at `url`.

    A server does it before it forks, so that its processes share them and no request waits for an import.
    """
    driver = "sqlite" if url.startswith("sqlite") else "postgres"
    parts = (module for module, *_ in PARTS.values())
    for module in (*parts, "change_mark", "figures", "access.visible", f"databases.{driver}"):
        import_module(f"webhooks.inbox.{module}")


if not TYPE_CHECKING:

    def __getattr__(name):
        """Import the other names that this package exports."""
        if name not in EXPORTED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(EXPORTED[name]), name)


def _store(url: str, clock: Clock | None, known: KnownDatabase | None) -> Store:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number; both may contain the password
        raise RuntimeError("DATABASE_URL is not an address such as sqlite:///FILE or postgres://HOST/NAME") from None
    if parsed.get_backend_name() == "sqlite":
        from webhooks.inbox.databases.sqlite import SqliteStore  # noqa: PLC0415 - only the used driver is imported

        return SqliteStore(parsed, clock, known=known)
    if parsed.get_backend_name() == "postgresql":
        from webhooks.inbox.databases.postgres import PostgresStore  # noqa: PLC0415 - only the used driver is imported

        return PostgresStore(parsed, clock)
    raise RuntimeError(f"DATABASE_URL: {parsed.get_backend_name()} is not supported; use sqlite:/// or postgres://")
