"""Test that each dead job is announced once, and can be requeued."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.inbox.conftest import Plan
from tests.support.databases import Clock
from webhooks.inbox import Inbox
from webhooks.job import DEAD_LETTERS, Job, NewJob

ANNOUNCEMENT = NewJob("dead letters", DEAD_LETTERS, rule="dead letters", params={"to": ("slack",)})


@pytest.fixture
def jobs(box: Inbox, planned: Plan) -> list[Job]:
    """Return three claimed jobs in an inbox that announces dead ones."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    planned(3)
    return box.jobs.claim("me", 3, 30)


def claim(box: Inbox) -> Job:
    """Claim the only job that is due."""
    (job,) = box.jobs.claim("me", 5, 30)
    return job


def announced(box: Inbox, announcement: Job) -> list[str | None]:
    """Return the errors of the dead jobs that the announcement includes."""
    return [record.job.error for record in box.dead_letters.announce(announcement)]


def unannounced(box: Inbox) -> list[str | None]:
    """Return the errors of the dead jobs that no announcement includes."""
    return [record.job.error for record in box.dead_letters.unannounced(except_handler=DEAD_LETTERS)]


def test_deaths_share_the_announcement_that_waits(box: Inbox, jobs: list[Job]) -> None:
    """Several deaths add one announcement while it waits; one that runs is followed by another."""
    box.dead_letters.dead_letter(jobs[0], "first")
    box.dead_letters.dead_letter(jobs[1], "second")
    announcement = claim(box)
    assert (announcement.handler, announcement.event.id) == (DEAD_LETTERS, jobs[0].event.id)
    assert announcement.params == {"to": ["slack"]}
    assert unannounced(box) == ["first", "second"]
    box.dead_letters.dead_letter(jobs[2], "third")
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
    box.jobs.postpone(announcement, 10, "Slack answered status 503")
    box.dead_letters.dead_letter(jobs[1], "second")
    assert box.jobs.claim("me", 5, 30) == []
    clock.forward(10)
    announcement = claim(box)
    assert announced(box, announcement) == ["first", "second"]
    box.checkpoints.set(announcement, "notify slack 1", {"ts": "1"})
    box.jobs.postpone(announcement, 10, "Twilio answered status 503")
    box.dead_letters.dead_letter(jobs[2], "third")
    assert announced(box, claim(box)) == ["third"]
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


def test_second_death_is_announced_again(box: Inbox, planned: Plan) -> None:
    """A job that was requeued and has died again is announced again."""
    box.dead_letters.announcements = [ANNOUNCEMENT]
    planned()
    for _ in range(2):
        job = claim(box)
        box.dead_letters.dead_letter(job, "channel_not_found")
        announcement = claim(box)
        assert [record.job.id for record in box.dead_letters.unannounced()] == [job.id]
        assert [record.job.id for record in box.dead_letters.announce(announcement)] == [job.id]
        box.jobs.finish(announcement)
        assert box.dead_letters.requeue() == 1


def test_requeue_of_some_events(filled: Inbox) -> None:
    """Only dead jobs of the given events run again."""
    assert filled.dead_letters.requeue(event_ids=[1, 3]) == 0
    assert filled.dead_letters.requeue(event_ids=[2]) == 1


def test_requeue_since_a_time(filled: Inbox, clock: Clock) -> None:
    """Only jobs that died at or after the given time run again."""
    assert filled.dead_letters.requeue(datetime.fromtimestamp(clock(), UTC)) == 0
    assert filled.dead_letters.requeue(datetime.fromtimestamp(clock() - 60, UTC)) == 1
    assert filled.events.list(states=["dead"]) == []
