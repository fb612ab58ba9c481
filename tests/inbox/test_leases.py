"""Jobs are claimed by one worker at a time; whoever lost the lease changes nothing."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.databases import NOTIFY, Clock
from webhooks.errors import LeaseLost
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.jobs import MAX_LOSSES
from webhooks.job import Job, JobState, NewJob

ANNOUNCE = NewJob("dead letters", "dead_letters", rule="dead letters", params={"to": ("slack",)})


@pytest.fixture
def box(url: str, opened: Callable[..., Inbox], clock: Clock) -> Inbox:
    """An inbox whose clock stands still."""
    return opened(url, clock=clock)


@pytest.fixture
def planned(box: Inbox, event: Callable[..., Event]) -> Callable[..., None]:
    """Puts so many events with a job each into the inbox."""

    def put(count: int = 1, job: NewJob = NOTIFY) -> None:
        for _ in range(count):
            box.events.receive(event())
        box.events.plan(lambda _: [job])

    return put


def only(box: Inbox) -> Job:
    (record,) = box.events.list()
    return record.jobs[0].job


def outcomes(box: Inbox) -> list[str]:
    (record,) = box.events.list()
    return [attempt.outcome for attempt in record.jobs[0].attempts_made]


def test_claim_gives_job_with_its_event(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """A claimed job says whose it is, until when, and which attempt this is."""
    planned()
    (job,) = box.jobs.claim("me", 5, 30)
    assert (job.owner, job.attempts, job.state) == ("me", 1, JobState.RUNNING)
    assert job.due_at.timestamp() == clock() + 30
    assert job.event.resource_name == "Sales 1"
    assert box.jobs.claim("other", 5, 30) == []


def test_claim_takes_oldest_first(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """What is due for longest runs first, and no more than asked for."""
    for _ in range(3):
        planned()
        clock.forward(1)
    assert [job.event.resource_name for job in box.jobs.claim("me", 2, 30)] == ["Sales 1", "Sales 2"]


def test_claim_many_at_once_is_exclusive(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Eight workers that claim at once share the jobs; none is given twice, none is left."""
    for _ in range(60):
        inbox.events.receive(event())
    inbox.events.plan(lambda _: [NOTIFY])
    barrier = threading.Barrier(8)

    def claim_all(number: int) -> list[int]:
        barrier.wait()
        rounds = iter(lambda: inbox.jobs.claim(f"worker {number}", 4, 30), [])
        return [job.id for jobs in rounds for job in jobs]

    with ThreadPoolExecutor(8) as pool:
        claimed = list(itertools.chain(*pool.map(claim_all, range(8))))
    claimed += [job.id for job in inbox.jobs.claim("last", 60, 30)]
    assert len(claimed) == len(set(claimed)) == 60


def test_lease_ends_other_takes_over(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """A worker that is gone keeps its job until the lease ends; then another has it, and the loss is on record."""
    planned()
    box.jobs.claim("gone", 1, 30)
    clock.forward(29.9)
    assert box.jobs.claim("other", 1, 30) == []
    clock.forward(0.2)
    (job,) = box.jobs.claim("other", 1, 30)
    assert (job.owner, job.attempts) == ("other", 2)
    assert outcomes(box) == ["lost"]


def test_lease_renewed_stays_with_its_owner(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """A renewed lease is as long as a new one; renewing tells which jobs are lost."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    clock.forward(20)
    assert box.jobs.renew("me", [job.id], 30) == set()
    clock.forward(20)
    assert box.jobs.claim("other", 1, 30) == []
    clock.forward(20)
    box.jobs.claim("other", 1, 30)
    assert box.jobs.renew("me", [job.id], 30) == {job.id}


@pytest.mark.parametrize(
    "ending",
    [
        lambda box, job: box.jobs.finish(job),
        lambda box, job: box.jobs.skip(job, "nothing to do"),
        lambda box, job: box.jobs.postpone(job, 1.0, "later"),
        lambda box, job: box.dead_letters.dead_letter(job, "no use"),
        lambda box, job: box.jobs.release(job),
    ],
    ids=["finish", "skip", "postpone", "bury", "release"],
)
def test_ending_after_lease_was_taken_is_refused(
    box: Inbox, planned: Callable[..., None], clock: Clock, ending: Callable[[Inbox, Job], None]
) -> None:
    """A worker that slept through its lease cannot end the job in any way, also when the taker has ended it."""
    planned()
    (slept,) = box.jobs.claim("slept", 1, 30)
    clock.forward(31)
    (taken,) = box.jobs.claim("taker", 1, 30)
    with pytest.raises(LeaseLost):
        ending(box, slept)
    assert only(box).owner == "taker"
    box.jobs.finish(taken)
    with pytest.raises(LeaseLost):
        ending(box, slept)
    assert only(box).state is JobState.DONE
    assert outcomes(box) == ["lost", "done"]


def test_ending_after_same_owner_claimed_again_is_refused(
    box: Inbox, planned: Callable[..., None], clock: Clock
) -> None:
    """The attempt counts as well as the owner: an old thread of the same worker is fenced off too."""
    planned()
    (old,) = box.jobs.claim("me", 1, 30)
    clock.forward(31)
    (new,) = box.jobs.claim("me", 1, 30)
    with pytest.raises(LeaseLost):
        box.jobs.finish(old)
    box.jobs.finish(new)
    assert only(box).state is JobState.DONE


def test_ending_late_but_not_taken_counts(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """If nobody took the job over, a late end is an end: running it again would help nobody."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    clock.forward(300)
    box.jobs.finish(job)
    assert only(box).state is JobState.DONE


def test_poison_dies_after_its_losses(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """A job that kills every process that runs it ends as a dead job, not in a circle."""
    planned()
    runs = 0
    for _ in range(200):
        runs += len(box.jobs.claim("victim", 1, 10))
        clock.forward(10.1)
    assert runs == MAX_LOSSES
    dead = only(box)
    assert dead.state is JobState.DEAD
    assert "died (lease expired)" in (dead.error or "")
    assert outcomes(box) == ["lost"] * MAX_LOSSES
    assert [record.job.id for record in box.dead_letters.unannounced()] == [dead.id]


def test_poison_does_not_kill_its_neighbours(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """A process that dies takes along all it held; jobs that were only in bad company end well."""
    planned(4)
    poison, finished = 1, set()
    for round_number in range(400):
        jobs = box.jobs.claim(f"worker {round_number}", 4, 10)
        if not any(job.id == poison for job in jobs):
            for job in jobs:
                box.jobs.finish(job)
                finished.add(job.id)
        clock.forward(0.5)
    assert finished == {2, 3, 4}
    assert {record.job.state for entry in box.events.list() for record in entry.jobs} == {JobState.DONE, JobState.DEAD}


def test_poison_replayed_gets_all_its_losses_again(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """What happened before a replay does not count after it."""
    planned()
    for _ in range(200):
        box.jobs.claim("victim", 1, 10)
        clock.forward(10.1)
    box.dead_letters.requeue()
    runs = 0
    for _ in range(200):
        runs += len(box.jobs.claim("victim", 1, 10))
        clock.forward(10.1)
    assert runs == MAX_LOSSES


def test_postpone_waits_and_counts(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """A postponed job is due when it was told, and remembers why."""
    planned()
    box.jobs.postpone(box.jobs.claim("me", 1, 30)[0], 12.5, "Slack is away")
    assert (only(box).state, only(box).error) == (JobState.READY, "Slack is away")
    clock.forward(12)
    assert box.jobs.claim("me", 1, 30) == []
    clock.forward(0.6)
    (again,) = box.jobs.claim("me", 1, 30)
    assert (again.attempts, again.max_attempts) == (2, 20)
    assert outcomes(box) == ["later"]


def test_postpone_free_costs_no_attempt(box: Inbox, planned: Callable[..., None]) -> None:
    """A free attempt may be made once more; so may one that was given back."""
    planned()
    box.jobs.postpone(box.jobs.claim("me", 1, 30)[0], 0, "busy", free=True)
    (again,) = box.jobs.claim("me", 1, 30)
    assert again.max_attempts - again.attempts == 20 - 1
    box.jobs.release(again)
    (third,) = box.jobs.claim("other", 1, 30)
    assert third.max_attempts - third.attempts == 20 - 1
    assert outcomes(box) == ["later", "released"]


def test_skip_says_why(box: Inbox, planned: Callable[..., None]) -> None:
    """A skipped job has ended, with its reason."""
    planned()
    box.jobs.skip(box.jobs.claim("me", 1, 30)[0], "project Sales, not Finance")
    assert (only(box).state, only(box).error) == (JobState.SKIPPED, "project Sales, not Finance")


def test_bury_announces_once(box: Inbox, planned: Callable[..., None]) -> None:
    """Several deaths make one announcement as long as it waits; one that runs is followed by another."""
    box.dead_letters.announcements = [ANNOUNCE]
    planned(3)
    jobs = box.jobs.claim("me", 3, 30)
    box.dead_letters.dead_letter(jobs[0], "first")
    box.dead_letters.dead_letter(jobs[1], "second")
    (announcement,) = box.jobs.claim("me", 5, 30)
    assert (announcement.handler, announcement.event.id) == ("dead_letters", jobs[0].event.id)
    assert announcement.params == {"to": ["slack"]}
    assert [record.job.error for record in box.dead_letters.unannounced()] == ["first", "second"]
    box.dead_letters.dead_letter(jobs[2], "third")
    (following,) = box.jobs.claim("me", 5, 30)
    assert len(box.dead_letters.announce(announcement)) == 3
    assert box.dead_letters.unannounced() == []
    box.jobs.finish(announcement)
    box.jobs.finish(following)


def test_tell_gives_each_dead_job_to_one_announcement(box: Inbox, planned: Callable[..., None], clock: Clock) -> None:
    """While one announcement is under way, those of further deaths tell of these alone; a retry tells of its own."""
    box.dead_letters.announcements = [ANNOUNCE]
    planned(3)
    jobs = box.jobs.claim("me", 3, 30)
    box.dead_letters.dead_letter(jobs[0], "first")
    (slow,) = box.jobs.claim("me", 5, 30)
    assert [record.job.error for record in box.dead_letters.announce(slow)] == ["first"]
    told_at = box.dead_letters.announce(slow)[0].announced_at
    clock.forward(5)
    box.dead_letters.dead_letter(jobs[1], "second")
    box.dead_letters.dead_letter(jobs[2], "third")
    (following,) = box.jobs.claim("me", 5, 30)
    assert [record.job.error for record in box.dead_letters.announce(following)] == ["second", "third"]
    assert [(record.job.error, record.announced_at) for record in box.dead_letters.announce(slow)] == [
        ("first", told_at)
    ]


def test_waiting_announcement_includes_later_deaths_until_it_has_sent_a_message(
    box: Inbox, planned: Callable[..., None], clock: Clock
) -> None:
    """During an outage of Slack one announcement collects all deaths; after its first message a new one is added."""
    box.dead_letters.announcements = [ANNOUNCE]
    planned(3)
    jobs = box.jobs.claim("me", 3, 30)
    box.dead_letters.dead_letter(jobs[0], "first")
    (announcement,) = box.jobs.claim("me", 5, 30)
    assert len(box.dead_letters.announce(announcement)) == 1
    box.jobs.postpone(announcement, 10, "Slack answered status 503")
    box.dead_letters.dead_letter(jobs[1], "second")
    assert box.jobs.claim("me", 5, 30) == []
    clock.forward(10)
    (announcement,) = box.jobs.claim("me", 5, 30)
    assert [record.job.error for record in box.dead_letters.announce(announcement)] == ["first", "second"]
    box.checkpoints.set(announcement, "notify slack 1", {"ts": "1"})
    box.jobs.postpone(announcement, 10, "Twilio answered status 503")
    box.dead_letters.dead_letter(jobs[2], "third")
    (following,) = box.jobs.claim("me", 5, 30)
    assert [record.job.error for record in box.dead_letters.announce(following)] == ["third"]
    assert len(box.dead_letters.announce(announcement)) == 2


def test_tell_is_taken_back_if_the_announcement_dies(box: Inbox, planned: Callable[..., None]) -> None:
    """What nobody could be told of is in the next announcement; what was replayed meanwhile is not."""
    box.dead_letters.announcements = [ANNOUNCE]
    planned(3)
    jobs = box.jobs.claim("me", 3, 30)
    box.dead_letters.dead_letter(jobs[0], "first")
    box.dead_letters.dead_letter(jobs[1], "second")
    (announcement,) = box.jobs.claim("me", 5, 30)
    assert len(box.dead_letters.announce(announcement)) == 2
    box.events.replay([jobs[1].event.id])
    assert [record.job.error for record in box.dead_letters.announce(announcement)] == ["first"]
    box.dead_letters.dead_letter(announcement, "Slack is gone")
    assert [record.job.error for record in box.dead_letters.unannounced(except_handler="dead_letters")] == ["first"]


def test_bury_announcement_that_dies_is_not_announced(box: Inbox, planned: Callable[..., None]) -> None:
    """An announcement that cannot be made does not announce itself."""
    box.dead_letters.announcements = [ANNOUNCE]
    planned()
    box.dead_letters.dead_letter(box.jobs.claim("me", 1, 30)[0], "no use")
    box.dead_letters.dead_letter(box.jobs.claim("me", 1, 30)[0], "Slack is gone")
    assert box.jobs.claim("me", 5, 30) == []
    assert len(box.dead_letters.unannounced(except_handler="dead_letters")) == 1


def test_bury_again_announces_again(box: Inbox, planned: Callable[..., None]) -> None:
    """A job that was replayed and died again is announced again, and what `once` knew of the first time is gone."""
    box.dead_letters.announcements = [ANNOUNCE]
    planned()
    for _ in range(2):
        (job,) = box.jobs.claim("me", 1, 30)
        box.dead_letters.dead_letter(job, "no use")
        (announcement,) = box.jobs.claim("me", 1, 30)
        assert box.dead_letters.unannounced()[0].job.id == job.id
        assert [record.job.id for record in box.dead_letters.announce(announcement)] == [job.id]
        box.jobs.finish(announcement)
        assert box.dead_letters.requeue() == 1
