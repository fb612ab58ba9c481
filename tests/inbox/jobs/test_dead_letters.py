"""Test that each dead job is announced once, and can be requeued."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.inbox.conftest import Plan
from tests.support.databases import Clock
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.announcement_pace import INTERVALS, Pace, hasten, next_announcement
from webhooks.job import DEAD_LETTERS, Job, NewJob

ANNOUNCEMENT = NewJob("dead letters", DEAD_LETTERS, rule="dead letters", params={"to": ("slack",)})


@pytest.fixture
def jobs(box: Inbox, planned: Plan) -> list[Job]:
    """Return three claimed jobs in an inbox that announces dead ones."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    planned(3)
    return box.jobs.claim("me", 3, 3000)


def claim(box: Inbox) -> Job:
    """Claim the only job that is due."""
    (job,) = box.jobs.claim("me", 5, 3000)
    return job


def announced(box: Inbox, announcement: Job) -> list[str | None]:
    """Return the errors of the dead jobs that the announcement includes."""
    return [record.job.error for record in box.dead_letters.announce(announcement)]


def unannounced(box: Inbox) -> list[str | None]:
    """Return the errors of the dead jobs that no announcement includes."""
    return [record.job.error for record in box.dead_letters.unannounced(except_handler=DEAD_LETTERS)]


def test_deaths_share_the_announcement_that_waits(box: Inbox, jobs: list[Job], clock: Clock) -> None:
    """Several deaths add one announcement while it waits; one that runs is followed by another."""
    box.dead_letters.dead_letter(jobs[0], "first")
    box.dead_letters.dead_letter(jobs[1], "second")
    announcement = claim(box)
    assert (announcement.handler, announcement.event.id) == (DEAD_LETTERS, jobs[0].event.id)
    assert announcement.params == {"to": ["slack"]}
    assert unannounced(box) == ["first", "second"]
    box.dead_letters.dead_letter(jobs[2], "third")
    clock.forward(INTERVALS[0])
    following = claim(box)
    assert len(box.dead_letters.announce(announcement)) == 3
    assert unannounced(box) == []
    box.jobs.finish(announcement)
    box.jobs.finish(following)


def test_each_death_is_in_one_announcement(box: Inbox, jobs: list[Job], clock: Clock) -> None:
    """While one announcement runs, the next one includes later deaths only; a retry includes the same as before."""
    box.dead_letters.dead_letter(jobs[0], "first")
    slow = claim(box)
    assert announced(box, slow) == ["first"]
    announced_at = box.dead_letters.announce(slow)[0].announced_at
    clock.forward(5)
    box.dead_letters.dead_letter(jobs[1], "second")
    box.dead_letters.dead_letter(jobs[2], "third")
    clock.forward(INTERVALS[0])
    assert announced(box, claim(box)) == ["second", "third"]
    (record,) = box.dead_letters.announce(slow)
    assert (record.job.error, record.announced_at) == ("first", announced_at)


def test_waiting_announcement_includes_later_deaths_until_it_has_sent_a_message(
    box: Inbox, jobs: list[Job], clock: Clock
) -> None:
    """During an outage of Slack one announcement collects all deaths; after its first message a new one is added."""
    box.dead_letters.dead_letter(jobs[0], "first")
    announcement = claim(box)
    assert announced(box, announcement) == ["first"]
    box.jobs.postpone(announcement, 10, "Slack: status 503")
    box.dead_letters.dead_letter(jobs[1], "second")
    assert box.jobs.claim("me", 5, 30) == []
    clock.forward(10)
    announcement = claim(box)
    assert announced(box, announcement) == ["first", "second"]
    box.checkpoints.set(announcement, "notify slack 1", {"ts": "1"})
    box.jobs.postpone(announcement, 10, "Twilio: status 503")
    box.dead_letters.dead_letter(jobs[2], "third")
    clock.forward(INTERVALS[0])
    following = next(job for job in box.jobs.claim("me", 5, 3000) if job.id != announcement.id)
    assert announced(box, following) == ["third"]
    assert announced(box, announcement) == ["first", "second"]


def test_deaths_of_a_dead_announcement_are_unannounced_again(box: Inbox, jobs: list[Job]) -> None:
    """They are in the next announcement, without those that were replayed meanwhile."""
    box.dead_letters.dead_letter(jobs[0], "first")
    box.dead_letters.dead_letter(jobs[1], "second")
    announcement = claim(box)
    assert len(box.dead_letters.announce(announcement)) == 2
    box.events.replay([jobs[1].event.id or 0])
    assert announced(box, announcement) == ["first"]
    box.dead_letters.dead_letter(announcement, "channel_not_found")
    assert unannounced(box) == ["first"]


def test_dead_announcement_does_not_announce_itself(box: Inbox, planned: Plan) -> None:
    """An announcement that cannot be sent adds no other announcement."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    planned()
    box.dead_letters.dead_letter(claim(box), "channel_not_found")
    box.dead_letters.dead_letter(claim(box), "account_inactive")
    assert box.jobs.claim("me", 5, 30) == []
    assert len(unannounced(box)) == 1


def test_second_death_is_announced_again(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A job that was requeued and has died again is announced again."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    planned()
    for _ in range(2):
        job = claim(box)
        box.dead_letters.dead_letter(job, "channel_not_found")
        clock.forward(INTERVALS[0])
        announcement = claim(box)
        assert [record.job.id for record in box.dead_letters.unannounced()] == [job.id]
        assert [record.job.id for record in box.dead_letters.announce(announcement)] == [job.id]
        box.jobs.finish(announcement)
        assert box.dead_letters.requeue() == 1


@pytest.mark.parametrize(
    ("deaths", "announcements"),
    [
        ([0], [0]),
        # A faulty handler: one message, and a summary of what died in the five minutes after it.
        ([0, 1, 5, 46], [0, 300]),
        ([0, 310, 320], [0, 310, 1210]),
        # A fault that lasts: after three announcements one an hour.
        (range(0, 7200, 10), [0, 300, 1200, 4800, 8400]),
        (range(0, 7200, 360), [0, 360, 1260, 4860, 8460]),
        # After an hour without any, the next one is announced at once again.
        ([0, 10, 3900, 3910], [0, 300, 3900, 4200]),
        ([0, 10, 3600, 3610], [0, 300, 3600, 7200]),
    ],
)
def test_announcements_are_due_at_growing_intervals(deaths: Iterable[float], announcements: list[float]) -> None:
    """The first at once, then kept to few, and every dead job has one that is due after its death."""
    due: list[float] = []
    pace = None
    for death in deaths:
        if not due or due[-1] < death:
            pace = next_announcement(death, pace)
            due.append(pace.due_at)
    assert due == announcements


@pytest.mark.parametrize(
    ("deaths", "announcements"),
    [
        # Another handler is announced within a minute of the last announcement, although a summary waits for longer.
        ([(0, "a"), (1, "a"), (2, "b"), (3, "a"), (4, "b")], [0, 60]),
        ([(0, "a"), (200, "b")], [0, 200]),
        ([(0, "a"), (10, "a"), (200, "b"), (210, "a")], [0, 200, 1100]),
        # It does not change when the next summary is due.
        ([(0, "a"), (10, "b"), (70, "b"), (80, "a")], [0, 60, 360]),
        # In the next run, every handler is new.
        ([(0, "a"), (5000, "a"), (5001, "a")], [0, 5000, 5300]),
        # Many handlers that fail at once are no flood.
        ([(second, f"h{second}") for second in range(300)], [0, 60, 360]),
    ],
)
def test_another_handler_is_announced_within_a_minute(
    deaths: list[tuple[float, str]], announcements: list[float]
) -> None:
    """A waiting announcement is brought forward, once for each handler in a run."""
    due: list[float] = []
    pace: Pace | None = None
    for death, cause in deaths:
        if pace is not None and due[-1] >= death:
            pace = hasten(death, pace, cause)
            due[-1] = pace.due_at
        else:
            pace = next_announcement(death, pace, cause)
            due.append(pace.due_at)
    assert due == announcements


def test_faulty_handler_makes_one_message_in_its_first_minutes(box: Inbox, planned: Plan, clock: Clock) -> None:
    """Nine jobs that die in 46 seconds are one message and one summary; another handler brings the summary forward."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    planned(10)
    first, *others, last = box.jobs.claim("me", 10, 90_000)
    box.dead_letters.dead_letter(first, "broken handler")
    announcement = claim(box)
    box.dead_letters.announce(announcement)
    box.jobs.finish(announcement)
    for job in others:
        clock.forward(5)
        box.dead_letters.dead_letter(job, "broken handler")
    assert box.jobs.claim("me", 1, 30) == []
    box.dead_letters.dead_letter(replace(last, handler="another"), "broken, too")
    clock.forward(20)
    (summary,) = box.jobs.claim("me", 1, 30)
    box.dead_letters.announce(summary)
    assert box.dead_letters.count(summary) == 9
    assert unannounced(box) == []


def test_announcement_is_never_more_than_an_hour_away() -> None:
    """A clock that was wrong cannot silence the reports."""
    assert next_announcement(100.0, Pace(1e9, 3)).due_at == 100.0 + INTERVALS[-1]


def test_many_deaths_make_few_announcements(box: Inbox, planned: Plan, clock: Clock) -> None:
    """300 jobs that die in ten minutes make three announcements, which include each of them once."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    for _ in range(3):
        planned(100)
    jobs = box.jobs.claim("me", 300, 90_000)
    sizes = []
    for second in range(0, 7200, 2):
        if jobs:
            box.dead_letters.dead_letter(jobs.pop(), "broken handler")
        if second % 30 == 0 and (due := box.jobs.claim("me", 1, 3000)):
            box.dead_letters.announce(due[0])
            sizes.append(box.dead_letters.count(due[0]))
            box.checkpoints.set(due[0], "notify slack 1", {"ts": "1"})
            box.jobs.finish(due[0])
        clock.forward(2)
    assert unannounced(box) == []
    assert (len(sizes), sum(sizes)) == (3, 300)


def test_more_dead_jobs_than_one_announcement_includes_are_in_the_next(
    box: Inbox, jobs: list[Job], clock: Clock
) -> None:
    """An announcement with a limit is followed by another, without any further death."""
    for job in jobs:
        box.dead_letters.dead_letter(job, f"error {job.id}")
    first = claim(box)
    assert [record.job.id for record in box.dead_letters.announce(first, limit=2)] == [jobs[0].id, jobs[1].id]
    box.jobs.finish(first)
    clock.forward(INTERVALS[0])
    following = claim(box)
    assert [record.job.id for record in box.dead_letters.announce(following, limit=2)] == [jobs[2].id]
    assert (box.dead_letters.count(first), box.dead_letters.count(following)) == (2, 1)


def test_requeue_of_some_events(filled: Inbox) -> None:
    """Only dead jobs of the given events run again."""
    assert filled.dead_letters.requeue(event_ids=[1, 3]) == 0
    assert filled.dead_letters.requeue(event_ids=[2]) == 1


def test_requeue_since_a_time(filled: Inbox, clock: Clock) -> None:
    """Only jobs that died at or after the given time run again."""
    assert filled.dead_letters.requeue(datetime.fromtimestamp(clock(), UTC)) == 0
    assert filled.dead_letters.requeue(datetime.fromtimestamp(clock() - 60, UTC)) == 1
    assert filled.events.list(states=["dead"]) == []
