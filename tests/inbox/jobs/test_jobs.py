"""Test that one worker at a time has a job, and that a worker which lost its lease changes nothing."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, update

from tests.inbox.conftest import Plan, only_job, outcomes
from tests.support.databases import NOTIFY, Clock
from webhooks.errors import LeaseLost, StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.due_jobs import MAX_LOSSES
from webhooks.inbox.jobs.jobs import LIKE, Following, Work
from webhooks.inbox.jobs.tables import jobs
from webhooks.job import Checkpoint, Job, JobState, Namespace


def test_claimed_job_has_its_event_and_lease(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A claimed job says who owns it, until when, and which attempt this is."""
    planned()
    (job,) = box.jobs.claim("me", 5, 30)
    assert (job.owner, job.attempts, job.state) == ("me", 1, JobState.RUNNING)
    assert job.due_at.timestamp() == clock() + 30
    assert job.event.resource_name == "Sales 1"
    assert box.jobs.claim("other", 5, 30) == []


def test_claim_that_took_too_long_is_found(
    box: Inbox, planned: Plan, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was committed a second before the limit of 30 s, so its lease has just begun; after its end nothing is."""
    planned()
    write, began = box.store.write, clock.seconds
    passed = SimpleNamespace(monotonic=lambda: clock.seconds - began)
    monkeypatch.setattr("webhooks.inbox.jobs.uncertain_claims.time", passed)

    def write_late(operation: Callable[[Connection], object]) -> None:
        clock.forward(29)
        write(operation)
        clock.forward(1)
        raise StoreUnavailable("the database did not commit within 30 s")

    for ends, claimed_at in ((False, [29.0]), (True, [])):
        monkeypatch.setattr(box.store, "write", write_late)
        with pytest.raises(StoreUnavailable):
            box.jobs.claim("me", 1, 30)
        monkeypatch.setattr(box.store, "write", write)
        clock.forward(29 if ends else 1)
        assert [one.claimed_at for one in box.jobs.uncertain_claims.find("me")] == claimed_at
        clock.forward(60)


def test_oldest_job_is_claimed_first(box: Inbox, planned: Plan, clock: Clock) -> None:
    """The jobs that have been due for longest are claimed, up to the limit."""
    for _ in range(3):
        planned()
        clock.forward(1)
    assert [job.event.resource_name for job in box.jobs.claim("me", 2, 30)] == ["Sales 1", "Sales 2"]


def test_names_that_wait_are_in_the_order_of_their_jobs(box: Inbox, planned: Plan) -> None:
    """A request to Tableau that has no room for all names asks for its own one and the next ones."""
    for _ in range(30):
        planned()
    job = box.jobs.claim("me", 9, 30)[-1]
    others = [f"Sales {number}" for number in range(1, 31) if number != 9]
    assert box.jobs.waiting_names(job.event) == ["Sales 9", *others]


def test_one_query_says_what_there_is_to_do(box: Inbox, event: Callable[..., Event], clock: Clock) -> None:
    """It finds events to plan, due jobs and urgent ones; claimed jobs are due again when their lease ends."""
    assert box.jobs.work() == Work(urgent=False, due=False, unplanned=False)
    box.events.receive(event())
    assert box.jobs.work() == Work(urgent=False, due=False, unplanned=True)
    box.events.plan(lambda _: [NOTIFY])
    assert box.jobs.work() == Work(urgent=False, due=True, unplanned=False)
    box.jobs.claim("me", 1, 30, urgent=False, known_due=True)
    assert box.jobs.work() == Work(urgent=False, due=False, unplanned=False)
    clock.forward(30.1)
    assert box.jobs.work() == Work(urgent=False, due=True, unplanned=False)
    box.store.write(lambda connection: connection.execute(update(jobs).values(urgent=1)).rowcount)
    assert box.jobs.work() == Work(urgent=True, due=False, unplanned=False)


def test_concurrent_workers_share_the_jobs(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Eight workers that claim at once get each job once, and none is left."""
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


def test_expired_lease_is_taken_over(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A dead worker keeps its job until the lease ends; then another one has it, and the loss is recorded."""
    planned()
    box.jobs.claim("dead", 1, 30)
    clock.forward(29.9)
    assert box.jobs.claim("other", 1, 30) == []
    clock.forward(0.2)
    (job,) = box.jobs.claim("other", 1, 30)
    assert (job.owner, job.attempts, job.max_attempts) == ("other", 2, 20)
    assert outcomes(box) == ["lost"]


def test_renewed_lease_is_as_long_as_a_new_one(box: Inbox, planned: Plan, clock: Clock) -> None:
    """Renewing keeps the job, and returns the jobs that were lost."""
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
        lambda box, job: box.jobs.start(job),
        lambda box, job: box.jobs.finish(job),
        lambda box, job: box.jobs.skip(job, "project Sales, not Finance"),
        lambda box, job: box.jobs.postpone(job, 1.0, "later"),
        lambda box, job: box.dead_letters.dead_letter(job, "channel_not_found"),
        lambda box, job: box.jobs.release(job),
    ],
    ids=["start", "finish", "skip", "postpone", "dead_letter", "release"],
)
def test_ending_of_a_lost_job_is_refused(
    box: Inbox, planned: Plan, clock: Clock, ending: Callable[[Inbox, Job], None]
) -> None:
    """A worker that slept through its lease cannot end the job in any way, also after the other one has ended it."""
    planned()
    (slept,) = box.jobs.claim("slept", 1, 30)
    clock.forward(31)
    (taken,) = box.jobs.claim("other", 1, 30)
    with pytest.raises(LeaseLost):
        ending(box, slept)
    assert only_job(box).owner == "other"
    box.jobs.finish(taken)
    with pytest.raises(LeaseLost):
        ending(box, slept)
    assert only_job(box).state is JobState.DONE
    assert outcomes(box) == ["lost", "done"]


def test_old_thread_of_the_same_worker_is_fenced_off(box: Inbox, planned: Plan, clock: Clock) -> None:
    """The number of the attempt counts as well as the owner."""
    planned()
    (old,) = box.jobs.claim("me", 1, 30)
    clock.forward(31)
    (new,) = box.jobs.claim("me", 1, 30)
    with pytest.raises(LeaseLost):
        box.jobs.finish(old)
    box.jobs.finish(new)
    assert only_job(box).state is JobState.DONE


def test_late_ending_counts_if_the_job_was_not_taken_over(box: Inbox, planned: Plan, clock: Clock) -> None:
    """Without a takeover a late end is an end: to run the job again would help no one."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    clock.forward(300)
    box.jobs.finish(job)
    assert only_job(box).state is JobState.DONE


def test_job_that_kills_its_workers_is_dead_lettered(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A job that kills every process that runs it dies after a few losses instead of killing forever."""
    planned()
    runs = 0
    for _ in range(200):
        runs += len(box.jobs.claim("victim", 1, 10))
        clock.forward(10.1)
    assert runs == MAX_LOSSES
    dead = only_job(box)
    assert dead.state is JobState.DEAD
    assert "died (lease expired)" in (dead.error or "")
    assert outcomes(box) == ["lost"] * MAX_LOSSES
    assert [record.job.id for record in box.dead_letters.unannounced()] == [dead.id]


def test_jobs_beside_a_killer_are_done(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A process that dies loses all jobs it was running; those that did not cause it are done in the end."""
    planned(4)
    killer, finished = 1, set()
    for number in range(400):
        jobs = box.jobs.claim(f"worker {number}", 4, 10)
        if not any(job.id == killer for job in jobs):
            for job in jobs:
                box.jobs.finish(job)
                finished.add(job.id)
        clock.forward(0.5)
    assert finished == {2, 3, 4}
    assert {record.job.state for entry in box.events.list() for record in entry.jobs} == {JobState.DONE, JobState.DEAD}


def test_replay_forgets_losses(box: Inbox, planned: Plan, clock: Clock) -> None:
    """Losses before a replay do not count after it."""
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


def test_queued_jobs_are_not_blamed_for_the_death_of_their_worker(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A claimed job that was never started costs no attempt and counts no loss, however often its worker dies."""
    planned(2)
    for number in range(2 * MAX_LOSSES):
        claimed = box.jobs.claim(f"worker {number}", 2, 10, start=0)
        assert [job.started_at for job in claimed] == [None, None]
        assert {job.max_attempts - job.attempts for job in claimed} == {19}
        clock.forward(10.1)
    (first, second) = box.jobs.claim("last", 2, 10, start=1)
    assert (first.started_at is None, second.started_at is None) == (False, True)
    clock.forward(10.1)
    (first_again, second_again) = sorted(box.jobs.claim("later", 2, 10), key=lambda job: job.id)
    records = [record for entry in reversed(box.events.list()) for record in entry.jobs]
    released = ["released"] * 2 * MAX_LOSSES
    assert [[attempt.outcome for attempt in record.attempts_made] for record in records] == [
        [*released, "lost"],
        [*released, "released"],
    ]
    assert [first_again.max_attempts - first_again.attempts, second_again.max_attempts - second_again.attempts] == [
        18,
        19,
    ]
    box.jobs.finish(second_again)


def test_next_job_starts_with_the_end_of_the_previous_one(box: Inbox, planned: Plan, clock: Clock) -> None:
    """Both are one transaction; a job that was taken over meanwhile is not started."""
    planned(3)
    first, second, third = box.jobs.claim("me", 3, 30, start=1)
    clock.forward(5)
    started = box.jobs.finish(first, following=Following(second))
    assert started is not None
    assert started.started_at is not None
    assert started.started_at.timestamp() == clock()
    clock.forward(30)
    box.jobs.claim("other", 3, 30)
    with pytest.raises(LeaseLost):
        box.jobs.skip(started, "too late", following=Following(third))
    with pytest.raises(LeaseLost):
        box.jobs.start(third)


def test_next_due_job_is_claimed_with_the_end_of_the_previous_one(box: Inbox, planned: Plan, clock: Clock) -> None:
    """It is the one that is due for longest, except for urgent ones; a worker that lost its job claims none."""
    planned(4)
    first, second, third = box.jobs.claim("me", 3, 30)
    box.store.write(lambda connection: connection.execute(update(jobs).where(jobs.c.id == second.id).values(urgent=1)))
    clock.forward(5)
    box.jobs.release(second)
    box.jobs.release(third)
    claimed = box.jobs.finish(first, following=Following(lease=30))
    assert claimed is not None
    assert (claimed.id, claimed.owner, claimed.state) == (third.id + 1, "me", JobState.RUNNING)
    assert claimed.started_at is not None
    assert claimed.started_at.timestamp() == clock()
    assert claimed.due_at.timestamp() == clock() + 30
    again = box.jobs.postpone(claimed, 60, "Slack: status 503", following=Following(lease=30))
    assert again is not None
    assert (again.id, again.attempts, again.max_attempts) == (third.id, 2, 21)
    assert box.jobs.skip(again, "tested", following=Following(lease=30)) is None
    box.jobs.claim("me", 1, 30)
    # Repeated because the worker did not learn that it was committed.
    assert box.jobs.finish(first, following=Following(lease=30)) is None
    with pytest.raises(LeaseLost):
        box.jobs.skip(first, "late", following=Following(lease=30))
    clock.forward(61)
    assert box.jobs.work() == Work(urgent=True, due=True, unplanned=False)


def test_checkpoints_are_recorded_with_the_end(box: Inbox, planned: Plan, clock: Clock) -> None:
    """They are about what has happened, so a worker that has lost the job records them as well; none is replaced."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    clock.forward(31)
    (again,) = box.jobs.claim("other", 1, 30)
    sent = [Checkpoint("sent", {"id": "1"}), Checkpoint("sent", "twice"), Checkpoint("sent", 3, Namespace.HANDLER)]
    with pytest.raises(LeaseLost):
        box.jobs.finish(job, checkpoints=sent)
    assert box.checkpoints.get(job, "sent") == {"id": "1"}
    assert box.checkpoints.get(job, "sent", namespace=Namespace.HANDLER) == 3
    box.jobs.finish(again, checkpoints=[Checkpoint("sent", "again"), Checkpoint("more", None)])
    assert [box.checkpoints.get(job, key) for key in ("sent", "more")] == [{"id": "1"}, None]
    assert only_job(box).state is JobState.DONE


def test_postponed_job_is_due_later(box: Inbox, planned: Plan, clock: Clock) -> None:
    """A postponed job is due after its wait, with the error of its last attempt."""
    planned()
    box.jobs.postpone(box.jobs.claim("me", 1, 30)[0], 12.5, "Slack: status 503")
    assert (only_job(box).state, only_job(box).error) == (JobState.READY, "Slack: status 503")
    clock.forward(12)
    assert box.jobs.claim("me", 1, 30) == []
    clock.forward(0.6)
    (again,) = box.jobs.claim("me", 1, 30)
    assert (again.attempts, again.max_attempts) == (2, 20)
    assert outcomes(box) == ["later"]


def test_free_and_released_attempts_are_not_counted(box: Inbox, planned: Plan) -> None:
    """A free attempt may be repeated, and so may one that was given back."""
    planned()
    box.jobs.postpone(box.jobs.claim("me", 1, 30)[0], 0, "rate limited", free=True)
    (again,) = box.jobs.claim("me", 1, 30)
    assert again.max_attempts - again.attempts == 20 - 1
    box.jobs.release(again)
    (third,) = box.jobs.claim("other", 1, 30)
    assert third.max_attempts - third.attempts == 20 - 1
    assert outcomes(box) == ["waiting", "released"]


def test_skipped_job_has_its_reason(box: Inbox, planned: Plan) -> None:
    """A skipped job has ended, with its reason."""
    planned()
    box.jobs.skip(box.jobs.claim("me", 1, 30)[0], "project Sales, not Finance")
    assert (only_job(box).state, only_job(box).error) == (JobState.SKIPPED, "project Sales, not Finance")


def test_text_that_no_database_can_store_does_not_keep_a_job_from_ending(box: Inbox, planned: Plan) -> None:
    """An error or result may contain a name from outside with a NUL or a lone surrogate; they are replaced."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    box.jobs.postpone(job, 0, "no such name: \ud83d")
    assert only_job(box).error == "no such name: ?"
    box.dead_letters.dead_letter(box.jobs.claim("me", 1, 30)[0], "no such name: a\0b")
    assert only_job(box).error == "no such name: a\ufffdb"


def test_like_jobs_are_found_by_an_index(box: Inbox, planned: Plan) -> None:
    """A job of the same key counts if it is done, or open under one of the conditions; the search reads few rows."""
    where = {"project": ["Finance*"]}
    planned(5, replace(NOTIFY, where=where))
    own, done, skipped, dead, running = box.jobs.claim("me", 5, 30)
    box.jobs.finish(done)
    box.jobs.skip(skipped, "project is Sales")
    box.dead_letters.dead_letter(dead, "channel_not_found")

    def found(*others: Job, conditions: Sequence[dict[str, object]] = ({}, own.where), key: str = own.key) -> bool:
        return box.jobs.has_like(replace(own, key=key), [other.event.id or 0 for other in others], conditions)

    assert found(done, conditions=())
    assert found(skipped, running)
    assert not found(running, conditions=[{}])
    assert not found(skipped, dead)
    assert not found(done, running, key="another")
    assert not found()

    def plan(connection: Connection) -> str:
        options = {"compile_kwargs": {"literal_binds": True}}
        compiled = LIKE.params(event_ids=[1, 2], key=own.key, conditions=["{}"]).compile(connection, **options)
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explained = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{compiled}")
        return str(explained.mappings().all())

    explained = box.store.write(plan)
    assert re.search(r"sqlite_autoindex_jobs_1 \(event_id=\? AND key=\?|jobs_event_id_key", explained), explained
