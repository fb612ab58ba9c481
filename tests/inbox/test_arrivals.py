"""Events come in: each kept once, each planned once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.databases import NOTIFY
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.job import NewJob

ROOT = Path(__file__).parents[2]

RECEIVE_TEN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from tests.support.databases import some_event
from webhooks.inbox import Inbox
inbox = Inbox.open(sys.argv[1])
sys.stdin.readline()
with ThreadPoolExecutor(5) as pool:
    receipts = list(pool.map(lambda _: inbox.events.receive(some_event(7)), range(5)))
print(sum(not receipt.duplicate for receipt in receipts), *{receipt.id for receipt in receipts})
inbox.close()
"""


def test_receive_keeps_event_unchanged(inbox: Inbox) -> None:
    """What came in comes out: empty stays empty, null stays null, and the bytes are the same bytes."""
    body = b'{"event_type": "WorkbookCreated", "resource_name": "", "site_luid": null, "text": "\\u0000 \xc3\xa9"}'
    sent = parse(body)
    assert sent
    receipt = inbox.events.receive(sent)
    record = inbox.events.get(receipt.id)
    assert record
    assert (record.event.body, record.event.payload) == (body, json.loads(body))
    assert record.event.fingerprint == sent.fingerprint
    assert (record.state, record.duplicates) == ("received", 0)


def test_receive_counts_duplicate(inbox: Inbox, event: Callable[..., Event]) -> None:
    """The same event again gets the id of the first and is counted, not kept."""
    sent = event()
    first, second, third = (inbox.events.receive(sent) for _ in range(3))
    assert (first.duplicate, second.duplicate, third.duplicate) == (False, True, True)
    assert first.id == second.id == third.id
    (record,) = inbox.events.list()
    assert record.duplicates == 2


def test_receive_ten_at_once_keeps_one(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Ten threads with the same event: one is new, nine are duplicates."""
    sent = event()
    with ThreadPoolExecutor(10) as pool:
        receipts = list(pool.map(lambda _: inbox.events.receive(sent), range(10)))
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    assert inbox.events.list()[0].duplicates == 9


def test_receive_ten_at_once_across_processes_keeps_one(url: str, opened: Callable[..., Inbox]) -> None:
    """Two processes that have five threads each with the same event: one is new."""
    command = [sys.executable, "-c", RECEIVE_TEN, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    outcomes = [process.communicate("go\n", timeout=60)[0].split() for process in processes]
    assert sum(int(new) for new, *_ in outcomes) == 1
    assert len({event_id for _, *ids in outcomes for event_id in ids}) == 1
    assert opened(url).events.list()[0].duplicates == 9


def test_plan_makes_jobs_once(inbox: Inbox, event: Callable[..., Event]) -> None:
    """An event is planned once; planning again finds nothing to do."""
    inbox.events.receive(event())
    assert inbox.events.plan(lambda _: [NOTIFY]) == 1
    assert inbox.events.plan(lambda _: [NOTIFY]) == 0
    (record,) = inbox.events.list()
    assert record.state == "planned"
    assert [(job.job.key, job.job.handler, job.job.params) for job in record.jobs] == [
        ("R/notify/slack", "notify", {"to": "slack"})
    ]


def test_plan_marks_ignored(inbox: Inbox, event: Callable[..., Event]) -> None:
    """An event that matches nothing is visible as ignored."""
    inbox.events.receive(event())
    assert inbox.events.plan(lambda _: []) == 1
    assert inbox.events.list()[0].state == "ignored"


def test_plan_many_at_once_makes_each_job_once(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Planners that run into each other make no twins and leave nothing out."""
    for _ in range(40):
        inbox.events.receive(event())
    with ThreadPoolExecutor(6) as pool:
        planned = sum(pool.map(lambda _: inbox.events.plan(lambda _: [NOTIFY, NewJob("x", "x")]), range(6)))
    assert planned == 40
    assert {len(record.jobs) for record in inbox.events.list()} == {2}


def test_news_is_set_by_new_events_only(inbox: Inbox, event: Callable[..., Event]) -> None:
    """The worker is woken by an event, not by its duplicate."""
    sent = event()
    inbox.events.receive(sent)
    assert inbox.news.is_set()
    inbox.news.clear()
    inbox.events.receive(sent)
    assert not inbox.news.is_set()
