"""What is asked after the fact: lists, replay, steps, figures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event
from webhooks.inbox import MISSING, Inbox
from webhooks.job import Job, JobState, NewJob


@pytest.fixture
def box(url: str, opened: Callable[..., Inbox], clock: Clock, event: Callable[..., Event]) -> Inbox:
    """Events 1 to 6, two seconds apart: done, dead, ready, running, ignored, received."""
    inbox = opened(url, clock=clock)
    ends: dict[int, Callable[[Job], None]] = {
        1: inbox.jobs.finish,
        2: lambda job: inbox.dead_letters.dead_letter(job, "no use"),
        3: lambda job: inbox.jobs.postpone(job, 1000, "later"),
    }
    for name in ["Sales", "Sales_EU", "100% Finance", "Sales", "Other", "Late"]:
        number = inbox.events.receive(
            event("WorkbookDeleted" if name == "Other" else "WorkbookCreated", resource_name=name)
        ).id
        if name != "Late":
            inbox.events.plan(lambda planned: [] if planned.event_type == "WorkbookDeleted" else [NOTIFY])
        for job in inbox.jobs.claim("me", 1, 900):
            if number in ends:
                ends[number](job)
        clock.forward(2)
    return inbox


def ids(box: Inbox, **wanted: object) -> list[int | None]:
    return [record.event.id for record in box.events.list(**wanted)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "found"),
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
def test_events_filters(box: Inbox, wanted: dict[str, object], found: list[int]) -> None:
    """Each filter narrows the list to one of its values; `*` and `?` are wildcards, `%` and `_` are not."""
    assert ids(box, **wanted) == found


def test_events_unknown_state_is_refused(box: Inbox) -> None:
    """A state that does not exist is told together with those that do."""
    with pytest.raises(ValueError, match="Unknown state 'ended'"):
        box.events.list(states=["ended"])


def test_event_unknown_is_none(box: Inbox) -> None:
    """There is no event of that id."""
    assert box.events.get(99) is None


def test_replay_runs_everything_again(box: Inbox) -> None:
    """Ended jobs are ready anew with all their attempts, and rules that are new since then get theirs."""
    assert box.events.replay([1, 2]) == 2
    assert box.events.plan(lambda _: [NOTIFY, NewJob("new", "tag")]) == 3
    for event_id in (1, 2):
        record = box.events.get(event_id)
        assert record
        assert [(job.job.key, job.job.state, job.job.attempts) for job in record.jobs] == [
            ("R/notify/slack", JobState.READY, 0),
            ("new", JobState.READY, 0),
        ]
    record = box.events.get(2)
    assert record
    assert [attempt.outcome for attempt in record.jobs[0].attempts_made] == ["dead"]


def test_replay_leaves_running_alone(box: Inbox) -> None:
    """A job that runs now is not run beside itself."""
    assert box.events.replay([4]) == 1
    record = box.events.get(4)
    assert record
    assert record.jobs[0].job.state is JobState.RUNNING


def test_replay_ends_the_waiting(box: Inbox, clock: Clock) -> None:
    """Who replays an event wants it now, and not when its next attempt was due; and gives it new patience."""
    assert box.jobs.claim("me", 5, 30) == []
    box.events.replay([2, 3])
    again = {job.event.id: job for job in box.jobs.claim("me", 5, 30)}
    assert set(again) == {2, 3}
    assert again[2].created_at is not None
    assert again[2].created_at.timestamp() == clock()


def test_replay_dead_of_some_events(box: Inbox) -> None:
    """Only what died of these events runs again."""
    assert box.dead_letters.requeue(event_ids=[1, 3]) == 0
    assert box.dead_letters.requeue(event_ids=[2]) == 1


def test_error_with_a_nul_can_be_written_down(box: Inbox) -> None:
    """A name from outside may hold one, and PostgreSQL's text cannot."""
    box.events.replay([2])
    (job,) = box.jobs.claim("me", 1, 30)
    box.dead_letters.dead_letter(job, "no such name: a\0b")
    record = box.events.get(2)
    assert record
    assert record.jobs[0].job.error == "no such name: a\ufffdb"


def test_replay_unknown_is_none(box: Inbox) -> None:
    """Nothing to replay is no error."""
    assert box.events.replay([99]) == 0


def test_replay_forgets_steps(box: Inbox) -> None:
    """A replayed job does again what it had done."""
    record = box.events.get(1)
    assert record
    box.checkpoints.set(record.jobs[0].job, "sent", {"ts": "1"})
    assert box.checkpoints.get(record.jobs[0].job, "sent") == {"ts": "1"}
    box.events.replay([1])
    assert box.checkpoints.get(record.jobs[0].job, "sent") is MISSING


def test_replay_dead_since(box: Inbox, clock: Clock) -> None:
    """Only those that died since then."""
    assert box.dead_letters.requeue(datetime.fromtimestamp(clock(), UTC)) == 0
    assert box.dead_letters.requeue(datetime.fromtimestamp(clock() - 60, UTC)) == 1
    assert ids(box, states=["dead"]) == []


def test_steps_first_result_stays(box: Inbox) -> None:
    """A step is recorded once; null is a result too."""
    record = box.events.get(3)
    assert record
    job = record.jobs[0].job
    assert box.checkpoints.get(job, "a") is MISSING
    box.checkpoints.set(job, "a", None)
    box.checkpoints.set(job, "a", 2)
    assert box.checkpoints.get(job, "a") is None


def test_counts_are_right(box: Inbox) -> None:
    """The figures that metrics show."""
    figures = box.counts()
    assert {name: figures[name] for name in ("events", "unplanned", "ready", "running", "dead")} == {
        "events": 6,
        "unplanned": 1,
        "ready": 1,
        "running": 1,
        "dead": 1,
    }
    assert figures["newest_event"] == 1_800_000_010
    assert figures["oldest_due"] == 0
    assert figures["bytes"] > 10_000


def test_counts_age_of_oldest_due(box: Inbox, clock: Clock) -> None:
    """How long the oldest due job has been waiting."""
    box.events.replay([1])
    clock.forward(42)
    assert box.counts()["oldest_due"] == pytest.approx(42)
