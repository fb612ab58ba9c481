"""The log has the same ids from the event to the message, whatever way it takes, in both formats."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.databases import opened, some_event, sqlite_url
from webhooks.event import RECONCILED
from webhooks.event_types import WEBHOOKS_DRIFTED
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.monitor.alerts import SUBJECTS, Alert, Alerts
from webhooks.observability.logs import configuration
from webhooks.worker.attempt import Attempts

__all__ = ["opened", "sqlite_url"]

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def inbox(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """Return an empty inbox."""
    return opened(sqlite_url)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """Return a function that returns the lines since its last call, as the server writes them."""
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(configuration(debug=False, secrets=[], as_json=True)["formatters"]["line"]["()"]())

    def read() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in caplog.text.splitlines()]
        caplog.clear()
        return found

    return read


def test_retries_and_replays_of_a_reconciled_event_have_its_id(inbox: Inbox, lines: Lines) -> None:
    """So do lines of libraries that know nothing of it."""
    receipt = inbox.synthetic_events.add(some_event(1, "WorkbookRefreshFailed"), RECONCILED, NOW)
    failures = iter((ConnectionError("no route"), None, None))

    def run(_job: Job, _still_mine: Callable[[], bool]) -> None:
        logging.getLogger("library").warning("Calling")
        if (failure := next(failures)) is not None:
            raise failure

    attempts = Attempts(inbox, run, threading.Event())

    def attempt() -> list[dict[str, Any]]:
        inbox.events.plan(lambda _: [NewJob("R/notify/slack", "notify", rule="R")])
        (job,) = inbox.jobs.claim("tests", 10, 60)
        ending = attempts.run(job, lambda: True)
        assert ending is not None
        attempts.settle(job, ending)
        return lines()

    failed = attempt()
    inbox.events.replay([receipt.id])
    again = attempt()
    inbox.events.replay([receipt.id])
    third = attempt()
    for found, word in ((failed, "failed, retrying"), (again, "done"), (third, "done")):
        assert [line["message"].startswith("Calling") for line in found] == [True, False]
        assert word in found[1]["message"]
        assert {(line["event"], line["job"]) for line in found} == {(receipt.id, 1)}


def test_alerts_have_the_ids_of_their_event_and_incident(inbox: Inbox, lines: Lines) -> None:
    """All lines have them, from the one that reports a problem to the one that says that it is solved."""
    alerts = Alerts(inbox)
    alerts.send(Alert(WEBHOOKS_DRIFTED, "2 webhooks are missing", "Run flask webhooks sync."), NOW)
    (reported,) = lines()
    assert reported["message"].startswith("WebhooksDrifted: 2 webhooks are missing")
    (stored,) = inbox.events.list()
    assert reported["event"] == stored.event.id
    inbox.events.plan(lambda _: ())
    alerts.close(SUBJECTS[WEBHOOKS_DRIFTED], NOW + timedelta(minutes=5), "they are there")
    (solved,) = lines()
    (record,) = inbox.incidents.list()
    assert solved["message"].startswith("Problem solved: kind=webhook")
    assert (solved["event"], solved["incident"]) == (stored.event.id, record.id)
