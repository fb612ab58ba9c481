"""Test that calls stay below a limit, the most urgent first, whichever process makes them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from notifiers.limits import Limit
from tests.support.databases import Clock
from webhooks.event import parse
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.tables import jobs
from webhooks.job import OPEN_STATES, Job, NewJob

# 0.8 of a call a second: one every 1.25 s.
LIMIT = Limit("channel", 1, 1.0)
# 40 a minute, ten of them at once.
TIER = Limit("tier", 50, 60.0)
START = 1_795_600_000.0
OPEN, CLOSE, ACKNOWLEDGE, COUNT = 0, 2, 3, 5


@dataclass
class Caller:
    """A job in one of the processes that asks for its call at its time."""

    inbox: Inbox
    job: Job
    rank: int
    limits: tuple[Limit, ...]
    spare: bool
    attempts: int = 0
    called_at: float | None = None


@dataclass
class Queue:
    """Jobs that call by the clock, in two processes that take turns."""

    boxes: tuple[Inbox, Inbox]
    clock: Clock
    callers: list[Caller] = field(default_factory=list)

    def add(self, rank: int, *limits: Limit, number: int = 1, spare: bool = False) -> list[Caller]:
        """Add jobs that want to call now, and let them ask."""
        box = self.boxes[0]
        added = []
        for _ in range(number):
            event = parse(b'{"event_type":"WorkbookCreated","resource_luid":"%d"}' % len(self.callers))
            assert event is not None
            box.events.receive(event)
            box.events.plan(lambda _: [NewJob("job", "notify")])
            job = self._claim()[-1]
            one = Caller(self.boxes[len(self.callers) % 2], job, rank, limits or (LIMIT,), spare)
            self.callers.append(one)
            added.append(one)
            self.ask(one)
        return added

    def ask(self, one: Caller) -> None:
        """Let a job ask, which is due again when its call can be made."""
        one.attempts += 1
        wait = one.inbox.budgets.reserve(one.limits, one.job, rank=one.rank, spare=one.spare)
        if wait is None:
            one.called_at = self.seconds
            one.inbox.jobs.finish(one.job)
        else:
            one.inbox.jobs.postpone(one.job, wait.total_seconds(), "limited", free=True)

    def run(self, seconds: float, late: Callable[[], float] = lambda: 0.0, absent: Caller | None = None) -> None:
        """Let the jobs ask when they are due, or a little later; `absent` is one whose process was killed."""
        end = self.clock.seconds + seconds
        query = select(func.min(jobs.c.due_at)).where(jobs.c.state.in_(OPEN_STATES))
        while (due_at := self.boxes[0].store.scalar(query)) is not None and due_at < end:
            self.clock.seconds = max(self.clock.seconds, due_at) + late()
            self._claim(absent)
        self.clock.seconds = max(self.clock.seconds, end)

    def _claim(self, absent: Caller | None = None) -> list[Job]:
        """Claim the due jobs, let those that are known ask, and return the new ones."""
        new = []
        by_id = {one.job.id: one for one in self.callers}
        for job in self.boxes[0].jobs.claim("a worker", 50, 30.0):
            one = by_id.get(job.id)
            if one is None:
                new.append(job)
            elif one is not absent:
                one.job = job
                self.ask(one)
        return new

    @property
    def seconds(self) -> float:
        """Return the seconds since START."""
        return self.clock.seconds - START

    @property
    def calls(self) -> list[Caller]:
        """Return the jobs that have called, in that order."""
        return sorted((one for one in self.callers if one.called_at is not None), key=lambda one: one.called_at or 0)


@pytest.fixture
def queue(url: str, opened: Callable[..., Inbox], clock: Clock, box: Inbox) -> Queue:
    """Return no jobs and two processes with one inbox."""
    clock.seconds = START
    return Queue((box, opened(url, clock=clock)), clock)


def test_each_call_waits_once_and_no_time_is_lost(queue: Queue) -> None:
    """Of twelve messages to a channel, each is attempted at most twice, one at each time that the limit allows."""
    queue.add(OPEN, number=12)
    assert [one.attempts for one in queue.callers] == [1] * 12
    queue.run(15)
    assert [one.attempts for one in queue.callers] == [1] + [2] * 11
    assert [one.job.id for one in queue.calls] == [one.job.id for one in queue.callers]
    assert [one.called_at for one in queue.calls] == pytest.approx([1.25 * number for number in range(12)], abs=0.01)


def test_most_urgent_call_that_waits_is_next(queue: Queue) -> None:
    """An opening goes before a closing, that before an acknowledgement, that before a count, with few more attempts."""
    queue.add(OPEN)
    for rank in (COUNT, ACKNOWLEDGE, CLOSE, OPEN, COUNT, CLOSE, OPEN):
        queue.add(rank, spare=rank == COUNT)
    queue.run(20)
    assert [one.rank for one in queue.calls] == [OPEN, OPEN, OPEN, CLOSE, CLOSE, ACKNOWLEDGE, COUNT, COUNT]
    assert max(one.attempts for one in queue.callers) == 2


def test_call_that_has_waited_for_a_minute_keeps_its_place(queue: Queue) -> None:
    """More openings than the limit allows do not keep a closing waiting for more than a minute and their queue."""
    slow = Limit("slow", 1, 5.0)
    queue.add(OPEN, slow, number=3)
    (closing,) = queue.add(CLOSE, slow)
    for _ in range(20):
        queue.add(OPEN, slow)
        queue.run(6)
    assert closing.called_at is not None
    assert 55 < closing.called_at < 90
    assert closing.attempts == 2


def test_counts_that_have_waited_for_a_minute_keep_no_act_waiting(queue: Queue) -> None:
    """An acknowledgement has the next slot, however many counts wait and however long they have waited."""
    queue.add(OPEN, number=2)
    queue.add(COUNT, number=80, spare=True)
    queue.run(70)
    (act,) = queue.add(ACKNOWLEDGE)
    asked_at = queue.seconds
    queue.run(10)
    assert act.called_at is not None
    assert act.called_at - asked_at < 3
    assert act.attempts <= 2


def test_slot_of_a_killed_process_is_lost_and_nothing_else(queue: Queue) -> None:
    """The others call at their times; two seconds later the limit is free for new calls, also without their jobs."""
    queue.add(OPEN, number=4)
    queue.run(10, absent=queue.callers[1])
    assert [one.called_at is not None for one in queue.callers] == [True, False, True, True]
    assert [one.attempts for one in queue.callers] == [1, 1, 2, 2]
    queue.run(40)
    assert queue.callers[1].called_at is not None


def test_late_calls_do_not_delay_the_others(queue: Queue) -> None:
    """On a slow machine jobs are up to a quarter of a second late; the average rate and the attempts are the same."""
    numbers = random.Random(1)
    queue.add(OPEN, number=30)
    queue.run(60, late=lambda: numbers.random() / 4)
    times = [one.called_at for one in queue.calls if one.called_at is not None]
    assert len(times) == 30
    assert times[-1] < 29 * 1.25 + 1
    assert min(after - before for before, after in pairwise(times)) > 0.75
    assert max(one.attempts for one in queue.callers) == 2


def test_jobs_that_stood_still_do_not_call_at_once(queue: Queue, clock: Clock) -> None:
    """After ten seconds in which the machine slept, the calls that were missed are made one after the other."""
    queue.add(OPEN, number=12)
    clock.forward(10)
    queue.run(30)
    times = [one.called_at for one in queue.calls if one.called_at is not None]
    assert len(times) == 12
    assert min(after - before for before, after in pairwise(times)) > 0.74
    assert times[-1] < 10 + 12 * 1.25 + 2


def test_calls_of_one_channel_do_not_use_up_what_all_share(queue: Queue) -> None:
    """A message to a channel in which none waits is sent at once, however many wait for another one."""
    queue.add(OPEN, LIMIT, TIER, number=8)
    (elsewhere,) = queue.add(COUNT, Limit("other", 1, 1.0), TIER)
    assert elsewhere.called_at == 0
    queue.run(12)
    assert max(one.attempts for one in queue.callers) == 2


def test_counts_leave_what_can_be_made_at_once_to_acts(queue: Queue) -> None:
    """Edits that only count wait for each other; the edit for which a person waits is made at once between them."""
    queue.add(COUNT, TIER, number=6, spare=True)
    queue.run(2)
    (act,) = queue.add(ACKNOWLEDGE, TIER)
    assert act.attempts == 1
    assert act.called_at is not None
    queue.run(20)
    assert len(queue.calls) == 7


def test_call_outside_a_job_waits_and_keeps_no_place(queue: Queue) -> None:
    """The time is returned, and a call that is not made delays no other one."""
    queue.add(OPEN)
    waits = [queue.boxes[1].budgets.take([LIMIT]) for _ in range(5)]
    assert [wait and wait.timestamp() - START for wait in waits] == pytest.approx([1.25] * 5)
    queue.run(1.3)
    assert queue.boxes[1].budgets.take([LIMIT]) is None
