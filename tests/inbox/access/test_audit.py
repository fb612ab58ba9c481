"""Test the audit log: it is append-only, and a change of it is found."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.incidents import Act


def record(inbox: Inbox, number: int, **values: str) -> None:
    inbox.audit.record(**{"by": "Ann", "origin": "page", "act": "note", "subject": f"incident {number}", **values})


def test_rows_are_chained_and_verified(inbox: Inbox) -> None:
    """Rows come back newest first, also by subject and page by page; the chain is intact, and has a noted digest."""
    for number in range(3):
        record(inbox, number, details=f"Größe {number} \0 \n é")
    entries = inbox.audit.list()
    assert [entry.subject for entry in entries] == ["incident 2", "incident 1", "incident 0"]
    assert (entries[0].by, entries[0].origin, entries[0].act) == ("Ann", "page", "note")
    assert inbox.audit.list(before=entries[0].id, limit=1) == [entries[1]]
    assert inbox.audit.list(subject="incident 1") == [entries[1]]
    result = inbox.audit.verify(entries[1].digest)
    assert (result.rows, result.digest, result.broken, result.found) == (3, entries[0].digest, None, True)
    assert inbox.audit.verify("0" * 64).found is False


def test_rows_cannot_be_changed_or_deleted(inbox: Inbox) -> None:
    """The database refuses both."""
    record(inbox, 1)
    for statement in ("UPDATE audit SET author = 'Bob'", "DELETE FROM audit"):
        with pytest.raises((DBAPIError, StoreUnavailable), match="append-only"):
            inbox.store.execute(text(statement))
    assert inbox.audit.verify().rows == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET details = 'nothing' WHERE id = 2",
        "UPDATE audit SET acted_at = acted_at + 1 WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
        "UPDATE audit SET digest = 'a' WHERE id = 2",
    ],
)
def test_a_change_behind_the_triggers_is_found(sqlite_url: str, opened: Callable[..., Inbox], statement: str) -> None:
    """A change of a row whose triggers were removed breaks the chain at that row or at the next one."""
    inbox = opened(sqlite_url)
    for number in range(4):
        record(inbox, number)
    for trigger in ("audit_no_UPDATE", "audit_no_DELETE"):
        inbox.store.execute(text(f"DROP TRIGGER {trigger}"))
    inbox.store.execute(text(statement))
    result = inbox.audit.verify()
    assert result.broken in {2, 3}
    assert result.rows == 1


def test_simultaneous_rows_follow_each_other(inbox: Inbox) -> None:
    """Threads that record at the same moment do not fork the chain."""
    threads = [threading.Thread(target=record, args=(inbox, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inbox.audit.verify().rows, inbox.audit.verify().broken) == (8, None)


def test_every_act_about_an_incident_leaves_a_row(inbox: Inbox, event: Callable[..., Event]) -> None:
    """It is written in the transaction of the act, with its origin, end and note; secrets are masked."""
    inbox.store.redact = lambda given: given.replace("s3cret", "***")  # type: ignore[assignment]
    inbox.events.receive(event("WorkbookRefreshFailed"))
    inbox.events.plan(lambda _: ())
    (incident,) = inbox.incidents.list()
    until = utc_now() + timedelta(hours=2)
    act = Act("", "acknowledge", "", utc_now(), "Ann", until, "on it, s3cret")
    inbox.incidents.act(incident.id, act, origin="page 10.0.0.7")
    (entry,) = inbox.audit.list()
    assert (entry.by, entry.origin, entry.act) == ("Ann", "page 10.0.0.7", "acknowledge")
    assert entry.subject == f"incident {incident.id}"
    assert entry.details == f"until {until:%Y-%m-%d %H:%M} UTC; on it, ***"
