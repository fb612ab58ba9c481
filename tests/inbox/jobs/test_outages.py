"""Test that jobs which wait for a service are due once it works again, and that its outage changes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from bench.postgres import Server
from tests.support.databases import Clock, some_event
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.outages import Outage
from webhooks.inbox.jobs.tables import jobs, outage_jobs, outages
from webhooks.job import OPEN_STATES, Job, NewJob

START = 1_795_600_000.0
LEASE = 100.0
WAITS = (1.0, 5.0, 30.0, 180.0, 900.0, 1800.0, 7200.0)


@dataclass
class Service:
    """Jobs of two processes that each call a service once; it fails until `fails_until`, in seconds since START."""

    boxes: tuple[Inbox, Inbox]
    clock: Clock
    fails_until: float = 0.0
    # The ids of jobs whose calls always fail, and of those whose process is killed during a call.
    poisoned: set[int] = field(default_factory=set)
    killed: set[int] = field(default_factory=set)
    calls: list[tuple[float, int]] = field(default_factory=list)
    done: dict[int, float] = field(default_factory=dict)
    dead: dict[int, float] = field(default_factory=dict)
    # Failed attempts that count, by job.
    failures: dict[int, list[float]] = field(default_factory=dict)
    added: int = 0

    def add(self, number: int, max_attempts: int = 20) -> None:
        """Add events with a job each, due now; the ids of the jobs are consecutive."""
        for _ in range(number):
            self.added += 1
            self.boxes[0].events.receive(some_event(self.added))
        self.boxes[0].events.plan(lambda _: [NewJob("job", "notify", max_attempts=max_attempts)])

    def run(self, seconds: float, *, tick: float = 1.0) -> None:
        """Let jobs run when they are due, and the processes look for ends of outages every `tick` seconds."""
        end, next_tick = self.clock.seconds + seconds, self.clock.seconds
        due = select(func.min(jobs.c.due_at)).where(jobs.c.state.in_(OPEN_STATES))
        while True:
            due_at = self.boxes[0].store.scalar(due)
            moment = min(next_tick, end if due_at is None else max(due_at, self.clock.seconds))
            if moment >= end:
                break
            self.clock.seconds = max(self.clock.seconds, moment)
            if moment == next_tick:
                next_tick += tick
                for box in self.boxes:
                    box.outages.wake()
            for job in self.boxes[0].jobs.claim("a worker", 8, LEASE):
                self._call(job)
        self.clock.seconds = end

    def _call(self, job: Job) -> None:
        box = self.boxes[job.id % 2]
        self.calls.append((self.seconds, job.id))
        if job.id in self.killed:
            self.killed.remove(job.id)
        elif self.seconds >= self.fails_until and job.id not in self.poisoned:
            self.done[job.id] = self.seconds
            box.outages.responded("slack")
            box.jobs.finish(job)
        elif early := box.outages.early("slack", job):
            box.outages.postpone("slack", job, early, "unavailable", free=True)
        else:
            failures = self.failures.setdefault(job.id, [])
            failures.append(self.seconds)
            if job.attempts >= job.max_attempts:
                self.dead[job.id] = self.seconds
                box.dead_letters.dead_letter(job, "unavailable")
            else:
                wait = max(WAITS[min(len(failures), len(WAITS)) - 1], box.outages.shortest_wait("slack"))
                box.outages.postpone("slack", job, wait, "unavailable", free=False)

    @property
    def seconds(self) -> float:
        """Return the seconds since START."""
        return self.clock.seconds - START

    @property
    def known(self) -> bool:
        """Return whether an outage is stored, whether confirmed or not."""
        return bool(self.boxes[0].store.scalar(select(func.count()).select_from(outages)))


@pytest.fixture
def service(url: str, opened: Callable[..., Inbox], clock: Clock, box: Inbox) -> Service:
    """Return a service without jobs."""
    clock.seconds = START
    return Service((box, opened(url, clock=clock)), clock)


def test_trials_become_rarer_up_to_a_bound() -> None:
    """A trial follows after a fifth of the time so far, at least 1 s and at most 30 s; 5 min for one message alone."""
    outage = Outage.begin(7, now=0.0, failing_since=0.0)
    assert outage == Outage(since=0.0, trial_at=1.0, first_job=7)
    assert Outage.begin(7, now=100.0, failing_since=0.0) == Outage(since=100.0, trial_at=120.0, first_job=7)
    confirmed = outage.confirm(0.1)
    assert confirmed == Outage(since=0.0, trial_at=1.0, first_job=7, confirmed=True)
    table = [
        (1, 2, 2),
        (5, 6, 6),
        (10, 12, 12),
        (100, 120, 120),
        (150, 180, 180),
        (1000, 1030, 1200),
        (9e4, 90030, 90300),
    ]
    for now, trial_at, trial_of_one_at in table:
        assert (confirmed.after_trial(now).trial_at, outage.after_trial(now).trial_at) == (trial_at, trial_of_one_at)
    assert outage.after_trial(5000).confirm(5010).trial_at == 5040


@pytest.mark.parametrize(
    ("outage", "tick", "longest"),
    [(10.0, 1.0, 3.1), pytest.param(1800.0, 5.0, 36.0, marks=pytest.mark.second_stage)],
)
def test_all_messages_are_sent_soon_after_the_end(service: Service, outage: float, tick: float, longest: float) -> None:
    """Of twelve messages the last is sent some seconds after the outage; attempts made in addition are not counted."""
    service.fails_until = outage
    service.add(12)
    service.run(outage + longest, tick=tick)
    assert len(service.done) == 12
    # The schedule alone would be at its third attempt, or at its seventh.
    for failures in service.failures.values():
        waits = [later - earlier for earlier, later in pairwise(failures)]
        # They are longer while the outage is known.
        for wait, scheduled in zip(waits, WAITS, strict=False):
            assert scheduled <= wait + 0.1
            assert wait <= max(scheduled, 30) + 0.1
    trials = len(service.calls) - len(service.done) - sum(map(len, service.failures.values()))
    assert 1 <= trials <= 10 + outage / 30
    service.run(40)
    assert not service.known


def test_schedule_of_a_job_is_kept_if_the_outage_does_not_end(service: Service) -> None:
    """Trials use up no attempts, and the last scheduled attempt still dead-letters the job."""
    service.fails_until = 1e9
    service.add(3, max_attempts=6)
    service.run(300, tick=5.0)
    (record,) = service.boxes[1].outages.list()
    assert (record.service, record.since.timestamp(), record.waiting) == ("slack", START, 3)
    service.run(1000, tick=5.0)
    assert set(service.dead) == {1, 2, 3}
    for job, died_at in service.dead.items():
        # Two waits of 1 s and 5 s are longer while the outage is known.
        assert 0 <= died_at - sum(WAITS[:5]) <= 54.1
        assert len(service.failures[job]) == 6
    assert len(service.calls) > 18 + 20
    assert not service.known


def test_first_waits_are_longer_while_the_outage_is_known(service: Service) -> None:
    """Trials are made more often than a job retries by itself, so the schedule's wait of 5 s lasts 30 s."""
    service.fails_until = 1e9
    service.add(3)
    service.run(40)
    for failures in service.failures.values():
        assert [later - earlier for earlier, later in pairwise(failures)] == pytest.approx([1, 30], abs=0.2)


def test_old_job_makes_no_trial(service: Service, clock: Clock) -> None:
    """After a day, a limit of the service would cost it an attempt, so a younger one tries the service."""
    service.add(2)
    box = service.boxes[0]
    for job in box.jobs.claim("a worker", 2, 30.0):
        box.outages.postpone("slack", job, 100_000, "unavailable", free=False)
    clock.forward(86_401)
    assert box.outages.wake() == 0
    service.add(1)
    (young,) = box.jobs.claim("a worker", 1, 30.0)
    box.outages.postpone("slack", young, 100, "unavailable", free=False)
    clock.forward(31)
    assert box.outages.wake() == 1
    (tried,) = box.jobs.claim("a worker", 3, 30.0)
    assert tried.id == young.id


def test_one_message_that_the_service_cannot_handle_changes_little(service: Service) -> None:
    """It is tried a few times more, while others are sent; these are not delayed, and no outage is shown."""
    service.poisoned.add(1)
    service.add(1)
    for _ in range(40):
        service.run(9)
        service.add(2)
        service.run(1)
        assert service.boxes[0].outages.list() == []
    assert len(service.done) == 80
    assert all(seconds % 10 == pytest.approx(9, abs=0.01) for seconds in service.done.values())
    # The schedule, trials while it is not known whether others fail as well, and one when twice the time has passed.
    assert len(service.failures[1]) == 5
    calls = [at for at, job in service.calls if job == 1]
    assert len(calls) <= 40
    assert len([at for at in calls if at >= 300]) <= 3


@pytest.mark.second_stage
def test_one_message_alone_is_tried_more_and_more_rarely(service: Service) -> None:
    """If no other message is sent, a service that refuses one is called every five minutes at most after a while."""
    service.poisoned.add(1)
    service.add(1)
    service.run(3600, tick=10.0)
    calls = [at for at, _ in service.calls]
    assert len(service.failures[1]) == 7
    assert len([at for at in calls if at >= 1800]) <= 8
    assert len(calls) <= 45
    service.poisoned.clear()
    service.run(320, tick=10.0)
    assert list(service.done) == [1]
    service.run(20)
    assert not service.known


@pytest.mark.second_stage
def test_failures_about_one_resource_are_no_outage(box: Inbox) -> None:
    """Two jobs of one event, and one of a later event of the same workbook, fail because Tableau cannot render it."""
    for number in range(2):
        box.events.receive(some_event(number))
    box.events.receive(some_event(2, resource_luid=None))
    box.events.receive(some_event(3, resource_luid="another"))
    box.events.plan(lambda _: [NewJob(key, "notify") for key in "ab"])
    known = []
    for job in box.jobs.claim("a worker", 8, LEASE):
        box.outages.postpone("tableau", job, 600, "status 500", free=False, about_resource=True)
        known.append(bool(box.outages.list()))
    assert known == [False, False, False, False, True, True, True, True]


def test_messages_that_fail_for_reasons_of_their_own_do_not_hide_the_end(service: Service) -> None:
    """After the outage, those that the service cannot handle are not the only ones that are tried."""
    service.fails_until = 600
    service.poisoned = {1, 2, 3}
    service.add(6)
    service.run(600 + 4 * 31, tick=5.0)
    assert set(service.done) == {4, 5, 6}
    service.add(1)
    service.run(2)
    assert 7 in service.done


def test_process_that_is_killed_during_a_trial_stops_no_other(service: Service) -> None:
    """The next trial is made by another job, and the interrupted one is sent once its lease has ended."""
    service.fails_until = 400
    service.add(3)
    service.run(395, tick=5.0)
    before = len(service.calls)
    service.killed = {1, 2, 3}
    while len(service.killed) == 3:
        service.run(1)
    (victim,) = {1, 2, 3} - service.killed
    assert len(service.calls) == before + 1
    service.killed.clear()
    service.run(32)
    assert set(service.done) == {1, 2, 3} - {victim}
    service.run(LEASE)
    assert service.done[victim] == pytest.approx(service.calls[before][0] + LEASE, abs=1)


def test_only_what_waits_for_the_service_is_woken(service: Service, clock: Clock) -> None:
    """A job that waits for something else meanwhile, or for another service, keeps its time."""
    service.add(4)
    box, other = service.boxes
    for job in box.jobs.claim("a worker", 3, 30.0):
        box.outages.postpone("slack", job, 100, "unavailable", free=False)
    (fourth,) = box.jobs.claim("a worker", 1, 30.0)
    box.outages.postpone("teams bi", fourth, 100, "unavailable", free=False)
    assert [(one.service, one.waiting) for one in box.outages.list()] == [("slack", 3)]
    clock.forward(30)
    # A trial of each service, of which the one of Slack has to wait for its limit of messages.
    assert other.outages.wake() == 2
    tried, of_teams = box.jobs.claim("a worker", 9, 30.0)
    assert (tried.id, of_teams.id) == (1, 4)
    box.jobs.postpone(tried, 50, "limit", free=True)
    box.jobs.finish(of_teams)
    box.outages.responded("slack")
    assert box.outages.wake() == 2
    woken = box.jobs.claim("a worker", 9, 30.0)
    assert {job.id for job in woken} == {2, 3}
    for job in woken:
        box.jobs.finish(job)
    assert box.outages.list() == []
    # No job waits for Teams any more.
    clock.forward(100)
    assert other.outages.wake() == 0
    assert not service.known
    clock.forward(50)
    (last,) = box.jobs.claim("a worker", 9, 30.0)
    assert last.id == 1
    box.jobs.finish(last)


def test_message_that_may_have_arrived_is_never_sent_sooner(service: Service, clock: Clock) -> None:
    """Two lost responses are shown as an outage; neither a trial nor the end makes these jobs due."""
    service.add(3)
    box, other = service.boxes
    for job in box.jobs.claim("a worker", 2, 30.0):
        assert other.outages.list() == []
        box.outages.record_lost("slack", job)
        box.jobs.postpone(job, 1800, "lost", free=True)
    (record,) = other.outages.list()
    assert (record.since.timestamp(), record.waiting, record.uncertain) == (START, 2, 2)
    for _ in range(40):
        clock.forward(30)
        assert other.outages.wake() == 0
    assert other.outages.list() == [record]
    (third,) = box.jobs.claim("a worker", 9, 30.0)
    box.outages.postpone("slack", third, 1000, "unavailable", free=False)
    assert (other.outages.list()[0].waiting, other.outages.list()[0].uncertain) == (3, 2)
    clock.forward(1)
    box.outages.responded("slack")
    assert box.outages.wake() == 1
    assert other.outages.list() == []
    assert [job.id for job in box.jobs.claim("a worker", 9, 30.0)] == [third.id]
    # The next outage has its own jobs only.
    box.outages.postpone("slack", third, 1000, "unavailable", free=False)
    assert box.store.rows(select(outage_jobs.c.job_id)) == [{"job_id": third.id}]
    # The outage is forgotten once all its jobs have ended.
    clock.forward(1700)
    for job in box.jobs.claim("a worker", 9, 30.0):
        box.outages.record_lost("slack", job)
        box.dead_letters.dead_letter(job, "lost again")
    clock.forward(301)
    assert other.outages.wake() == 0
    assert not service.known


def test_finished_jobs_are_forgotten(service: Service, clock: Clock) -> None:
    """A replayed job has no schedule of an earlier outage, and the next outage has its own jobs only."""
    service.add(2)
    box = service.boxes[0]
    for job in box.jobs.claim("a worker", 2, 30.0):
        box.outages.postpone("slack", job, 1000, "unavailable", free=False)
    clock.forward(10)
    box.outages.responded("slack")
    assert box.outages.wake() == 2
    first, second = box.jobs.claim("a worker", 2, 30.0)
    assert box.outages.early("slack", first) == 990
    box.dead_letters.dead_letter(first, "unavailable")
    box.jobs.finish(second)
    assert box.dead_letters.requeue_jobs([first.id]) == 1
    (replayed,) = box.jobs.claim("a worker", 2, 30.0)
    box.jobs.postpone(replayed, 1, "limit")
    clock.forward(1)
    (replayed,) = box.jobs.claim("a worker", 2, 30.0)
    assert box.outages.early("slack", replayed) == 0
    box.outages.postpone("slack", replayed, 1000, "unavailable", free=False)
    assert [row["job_id"] for row in box.store.rows(select(outage_jobs.c.job_id))] == [first.id]


def test_response_from_before_the_outage_does_not_end_it(service: Service, clock: Clock) -> None:
    """A process that notices the outage late knows that its last response is older."""
    service.add(1)
    box, other = service.boxes
    other.outages.responded("slack")
    (job,) = box.jobs.claim("a worker", 1, 30.0)
    clock.forward(5)
    box.outages.postpone("slack", job, 100, "unavailable", free=False)
    assert other.outages.wake() == 0
    assert service.known


@pytest.mark.postgres
def test_end_of_an_outage_waits_for_no_attempt(
    postgres_server: Server, opened: Callable[..., Inbox], clock: Clock
) -> None:
    """A job that ends meanwhile waits for the outage: if that waited for the job as well, both would wait for ever."""
    url = postgres_server.url()
    box, other = opened(url, clock=clock), opened(url, clock=clock)
    service = Service((box, other), clock)
    service.add(2)
    for job in box.jobs.claim("a worker", 2, 30.0):
        box.outages.postpone("slack", job, 100, "unavailable", free=False)
    clock.forward(10)
    box.outages.responded("slack")
    with other.store.migrating() as connection:
        connection.execute(select(jobs.c.id).where(jobs.c.id == 1).with_for_update())
        assert box.outages.wake() == 1
    (woken,) = box.jobs.claim("a worker", 9, 30.0)
    assert woken.id == 2


def test_response_is_remembered_if_the_database_fails(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of an outage that could not be stored is stored a second later."""
    service.add(1)
    (box, _), clock = service.boxes, service.clock
    (job,) = box.jobs.claim("a worker", 1, 30.0)
    box.outages.postpone("slack", job, 100, "unavailable", free=False)
    clock.forward(10)
    box.outages.responded("slack")

    def fail(_: object) -> None:
        raise StoreUnavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(box.store, "write", fail)
        with pytest.raises(StoreUnavailable):
            box.outages.wake()
    assert box.outages.wake() == 1
    assert not service.known
