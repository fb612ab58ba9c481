"""Test how events are received, planned, listed and replayed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event, parse
from webhooks.inbox import MISSING, Inbox
from webhooks.job import JobState, NewJob

ROOT = Path(__file__).parents[3]

RECEIVE_FIVE = """
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


def ids(box: Inbox, **filters: object) -> list[int | None]:
    """Return the ids of the events that match the filters."""
    return [record.event.id for record in box.events.list(**filters)]  # type: ignore[arg-type]


def test_event_is_stored_unchanged(inbox: Inbox) -> None:
    """Empty stays empty, null stays null, and the bytes are the same bytes."""
    body = b'{"event_type": "WorkbookCreated", "resource_name": "", "site_luid": null, "text": "\\u0000 \xc3\xa9"}'
    sent = parse(body)
    assert sent
    receipt = inbox.events.receive(sent)
    record = inbox.events.get(receipt.id)
    assert record
    assert (record.event.body, record.event.payload) == (body, json.loads(body))
    assert record.event.fingerprint == sent.fingerprint
    assert (record.state, record.duplicates, record.event.origin) == ("received", 0, None)


def test_duplicate_is_counted(inbox: Inbox, event: Callable[..., Event]) -> None:
    """The same event again gets the id of the first and is counted, not stored."""
    sent = event()
    first, second, third = (inbox.events.receive(sent) for _ in range(3))
    assert (first.duplicate, second.duplicate, third.duplicate) == (False, True, True)
    assert first.id == second.id == third.id
    (record,) = inbox.events.list()
    assert record.duplicates == 2


def test_ten_threads_with_the_same_event_store_one(inbox: Inbox, event: Callable[..., Event]) -> None:
    """One of ten concurrent copies is new, nine are duplicates."""
    sent = event()
    with ThreadPoolExecutor(10) as pool:
        receipts = list(pool.map(lambda _: inbox.events.receive(sent), range(10)))
    assert sum(not receipt.duplicate for receipt in receipts) == 1
    assert inbox.events.list()[0].duplicates == 9


def test_two_processes_with_the_same_event_store_one(url: str, opened: Callable[..., Inbox]) -> None:
    """Of the copies that two processes receive in five threads each, one is new."""
    command = [sys.executable, "-c", RECEIVE_FIVE, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": ROOT, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    results = [process.communicate("go\n", timeout=60)[0].split() for process in processes]
    assert sum(int(new) for new, *_ in results) == 1
    assert len({event_id for _, *event_ids in results for event_id in event_ids}) == 1
    assert opened(url).events.list()[0].duplicates == 9


def test_news_is_set_by_new_events_only(inbox: Inbox, event: Callable[..., Event]) -> None:
    """An event wakes the worker, its duplicate does not."""
    sent = event()
    inbox.events.receive(sent)
    assert inbox.news.is_set()
    inbox.news.clear()
    inbox.events.receive(sent)
    assert not inbox.news.is_set()


def test_event_is_planned_once(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Planning again finds nothing to do."""
    inbox.events.receive(event())
    assert inbox.events.plan(lambda _: [NOTIFY]) == 1
    assert inbox.events.plan(lambda _: [NOTIFY]) == 0
    (record,) = inbox.events.list()
    assert record.state == "planned"
    assert [(job.job.key, job.job.handler, job.job.params) for job in record.jobs] == [
        ("R/notify/slack", "notify", {"to": "slack"})
    ]


def test_event_without_jobs_is_ignored(inbox: Inbox, event: Callable[..., Event]) -> None:
    """An event that matches nothing is listed as ignored."""
    inbox.events.receive(event())
    assert inbox.events.plan(lambda _: []) == 1
    assert inbox.events.list()[0].state == "ignored"


def test_concurrent_planners_add_each_job_once(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Six planners at once add no job twice and leave none out."""
    for _ in range(40):
        inbox.events.receive(event())
    with ThreadPoolExecutor(6) as pool:
        planned = sum(pool.map(lambda _: inbox.events.plan(lambda _: [NOTIFY, NewJob("x", "x")]), range(6)))
    assert planned == 40
    assert {len(record.jobs) for record in inbox.events.list()} == {2}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"limit": 2}, [6, 5]),
        ({"event_types": ["WorkbookDeleted"]}, [5]),
        ({"resources": ["sales"]}, [4, 1]),
        ({"resources": ["Sales*"]}, [4, 2, 1]),
        ({"resources": ["Sales_EU"]}, [2]),
        ({"resources": ["100% ?inance"]}, [3]),
        ({"resources": ["e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"], "limit": 1}, [6]),
        ({"states": ["received"]}, [6]),
        ({"states": ["ignored"]}, [5]),
        ({"states": ["planned"]}, [4, 3, 2, 1]),
        ({"states": ["done"]}, [1]),
        ({"states": ["dead"]}, [2]),
        ({"states": ["ready"]}, [3]),
        ({"states": ["running"]}, [4]),
        ({"states": ["skipped"]}, []),
        ({"after": 3}, [4, 5, 6]),
        ({"after": 1, "limit": 2}, [2, 3]),
        ({"since": datetime.fromtimestamp(1_800_000_006, UTC)}, [6, 5, 4]),
        ({"states": ["dead"], "resources": ["Sales*"]}, [2]),
        ({"states": ["dead", "done", "ignored"]}, [5, 2, 1]),
        ({"resources": ["sales", "Sales_EU"]}, [4, 2, 1]),
        ({"event_types": ["WorkbookDeleted", "NoSuchType"]}, [5]),
        ({"before": 3}, [2, 1]),
        ({"before": 6, "limit": 2}, [5, 4]),
    ],
)
def test_filters_narrow_the_list(filled: Inbox, filters: dict[str, object], found: list[int]) -> None:
    """Each filter narrows the list to one of its values; `*` and `?` are wildcards, `%` and `_` are not."""
    assert ids(filled, **filters) == found


def test_unknown_state_is_refused(filled: Inbox) -> None:
    """The error names the state and those that exist."""
    with pytest.raises(ValueError, match="Unknown state 'ended'"):
        filled.events.list(states=["ended"])


def test_unknown_event_is_none(filled: Inbox) -> None:
    """There is no event of that id."""
    assert filled.events.get(99) is None
    assert filled.events.replay([99]) == 0


def test_replay_runs_all_jobs_again(filled: Inbox) -> None:
    """Finished jobs are ready with all their attempts, and rules that were added since then plan their jobs."""
    assert filled.events.replay([1, 2]) == 2
    assert filled.events.plan(lambda _: [NOTIFY, NewJob("new", "tag")]) == 3
    for event_id in (1, 2):
        record = filled.events.get(event_id)
        assert record
        assert [(job.job.key, job.job.state, job.job.attempts) for job in record.jobs] == [
            ("R/notify/slack", JobState.READY, 0),
            ("new", JobState.READY, 0),
        ]
    record = filled.events.get(2)
    assert record
    assert [attempt.outcome for attempt in record.jobs[0].attempts_made] == ["dead"]


def test_replay_does_not_touch_running_jobs(filled: Inbox) -> None:
    """A running job is not run a second time at once."""
    assert filled.events.replay([4]) == 1
    record = filled.events.get(4)
    assert record
    assert record.jobs[0].job.state is JobState.RUNNING


def test_replay_makes_waiting_jobs_due(filled: Inbox, clock: Clock) -> None:
    """A replayed job does not wait for its next attempt, and is as old as the replay."""
    assert filled.jobs.claim("me", 5, 30) == []
    filled.events.replay([2, 3])
    again = {job.event.id: job for job in filled.jobs.claim("me", 5, 30)}
    assert set(again) == {2, 3}
    assert again[2].created_at is not None
    assert again[2].created_at.timestamp() == clock()


def test_replay_deletes_checkpoints(filled: Inbox) -> None:
    """A replayed job repeats what it had done."""
    record = filled.events.get(1)
    assert record
    filled.checkpoints.set(record.jobs[0].job, "sent", {"ts": "1"})
    filled.events.replay([1])
    assert filled.checkpoints.get(record.jobs[0].job, "sent") is MISSING
