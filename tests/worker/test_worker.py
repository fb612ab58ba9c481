"""Test that the worker brings each job to an end, with a real inbox and real threads."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.databases import NOTIFY
from webhooks.errors import Permanent, RetryLater, Skip, StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox, JobRecord
from webhooks.inbox.jobs.due_jobs import DueJobs
from webhooks.inbox.jobs.jobs import NO_JOB, Following, Work
from webhooks.job import Job, JobState
from webhooks.worker.attempt import Attempts, Ending
from webhooks.worker.claims import ClaimedJob
from webhooks.worker.worker import Worker

Run = Callable[[Job, Callable[[], bool]], None]
TIMEOUT = 15.0


@pytest.fixture
def inbox(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """Return an empty inbox; the worker only uses its methods, so one kind of database is enough here."""
    return opened(sqlite_url)


@pytest.fixture
def working(inbox: Inbox) -> Iterator[Callable[..., Worker]]:
    """Start workers, and stop them after the test."""
    workers: list[Worker] = []

    def start(run: Run, *, box: Inbox = inbox, lease: float = 5.0, threads: int = 2, **more: float) -> Worker:
        workers.append(Worker(box, planner=lambda _: [NOTIFY], run=run, threads=threads, lease=lease, **more))
        workers[-1].start()
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop(0.2)


def wait_for(condition: Callable[[], bool], what: str = "") -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"waited {TIMEOUT} s for {what}"
        time.sleep(0.01)


def only_job(inbox: Inbox) -> JobRecord:
    """Return the one job of the one event."""
    (record,) = inbox.events.list()
    return record.jobs[0]


def test_worker_whose_rounds_fail_is_not_alive(
    working: Callable[..., Worker], inbox: Inbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its threads run and events can be stored, but none is planned: /readyz must say so."""
    monkeypatch.setattr("webhooks.worker.worker.ROUND_TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr("webhooks.worker.worker.POLL_SECONDS", 0.05)
    worker = working(lambda *_: None)
    assert worker.alive()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.CRITICAL), monkeypatch.context() as failing:
        failing.setattr(inbox.jobs, "work", fail)
        wait_for(lambda: not worker.alive(), "the stalled worker")
    wait_for(worker.alive, "the worker to recover")


def ended(inbox: Inbox, state: JobState) -> JobRecord:
    """Return the one job once it is in that state."""
    wait_for(
        lambda: any(record.jobs and record.jobs[0].job.state is state for record in inbox.events.list()), state.word
    )
    return only_job(inbox)


def outcomes(record: JobRecord) -> list[str]:
    """Return the outcomes of the job's attempts."""
    return [attempt.outcome for attempt in record.attempts_made]


def _raise(error: BaseException) -> None:
    raise error


def test_job_that_returns_is_done(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A handler that returns has done its job, and it ran once."""
    seen: list[Job] = []
    working(lambda job, _: seen.append(job))
    inbox.events.receive(event())
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]
    assert [job.event.resource_name for job in seen] == ["Sales 1"]


def test_many_jobs_each_run_once(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """Two workers run each of a hundred jobs once."""
    seen: list[int] = []
    for _ in range(2):
        working(lambda job, _: seen.append(job.id), threads=4)
    for _ in range(100):
        inbox.events.receive(event())
    wait_for(lambda: len(seen) >= 100)
    wait_for(lambda: inbox.counts()["running"] == 0)
    assert len(seen) == len(set(seen)) == 100


def test_backlog_of_fast_jobs_is_claimed_ahead(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """Jobs that waited in the worker's queue have started before they ran, and each ran once."""
    for _ in range(150):
        inbox.events.receive(event())
    started: list[bool] = []
    working(lambda job, _: started.append(job.started_at is not None), threads=2)
    wait_for(lambda: len(started) >= 150 and inbox.counts()["running"] == 0)
    assert started == [True] * 150
    records = [record for entry in inbox.events.list(limit=200) for record in entry.jobs]
    assert all(outcomes(record) == ["done"] for record in records)
    assert all(record.attempts_made[0].started_at == record.job.started_at for record in records)


def test_skip_ends_with_its_reason(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """The reason of a handler that skips is stored."""
    working(lambda *_: _raise(Skip("project Sales, not Finance")))
    inbox.events.receive(event())
    assert ended(inbox, JobState.SKIPPED).job.error == "project Sales, not Finance"


def test_permanent_error_dead_letters_at_once(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """An error that says that a retry would fail as well is not retried."""
    working(lambda *_: _raise(Permanent("21211 not a valid number")))
    inbox.events.receive(event())
    record = ended(inbox, JobState.DEAD)
    assert (record.job.error, outcomes(record)) == ("21211 not a valid number", ["dead"])


def test_temporary_error_is_retried(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A job that fails once and then works is done after about a second."""
    errors = [RetryLater("Slack is unavailable")]
    working(lambda *_: _raise(errors.pop()) if errors else None)
    inbox.events.receive(event())
    record = ended(inbox, JobState.DONE)
    assert outcomes(record) == ["later", "done"]
    first, second = record.attempts_made
    assert 0.8 < (second.started_at - first.finished_at).total_seconds() < 15
    assert first.error == "Slack is unavailable"


def test_requested_wait_costs_no_attempt(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """A time named by the other side is obeyed, and the job may be attempted as often as before."""
    working(lambda *_: _raise(RetryLater("rate limited", datetime.now(UTC) + timedelta(hours=1))))
    inbox.events.receive(event())
    wait_for(lambda: bool(inbox.events.list()[0].jobs and outcomes(only_job(inbox)) == ["waiting"]))
    job = only_job(inbox).job
    assert (job.state, job.attempts, job.max_attempts) == (JobState.READY, 1, 21)
    assert 3500 < (job.due_at - datetime.now(UTC)).total_seconds() < 3700


def test_unexpected_error_dead_letters_early(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in a handler is named with its type, and attempted five times instead of twenty."""
    inbox.events.receive(event())
    inbox.events.plan(lambda _: [NOTIFY])
    for _ in range(4):
        (job,) = inbox.jobs.claim("before", 1, 30)
        inbox.checkpoints.set(job, f"unexpected error {job.attempts}", None)
        inbox.jobs.postpone(job, 0, "KeyError: 'x'")
    with caplog.at_level(logging.CRITICAL):
        working(lambda *_: _raise(KeyError("x")))
        assert ended(inbox, JobState.DEAD).job.error == "KeyError: 'x'"


def test_error_with_invalid_attributes_is_retried(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """An error whose `retry_at` is not a time fails its job only; the thread runs the next one."""

    class InvalidError(Exception):
        retry_at = "tomorrow"

    def run(job: Job, _: object) -> None:
        if job.event.id == 1:
            raise InvalidError

    with caplog.at_level(logging.CRITICAL):
        working(run, threads=1, lease=60)
        inbox.events.receive(event())
        inbox.events.receive(event())
        wait_for(lambda: all(entry.jobs and entry.jobs[0].attempts_made for entry in inbox.events.list()))
    good, failed = (entry.jobs[0] for entry in inbox.events.list())
    assert (good.job.state, outcomes(failed), failed.job.error) == (JobState.DONE, ["later"], "InvalidError")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_error_that_ends_threads_is_a_failed_attempt(
    inbox: Inbox,
    event: Callable[..., Event],
    working: Callable[..., Worker],
    caplog: pytest.LogCaptureFixture,
    error: type[BaseException],
) -> None:
    """A handler that raises what usually ends a thread or a process fails; its thread runs the next job."""
    with caplog.at_level(logging.CRITICAL):
        worker = working(lambda job, _: _raise(error()) if job.event.id == 1 else None, threads=1)
        inbox.events.receive(event())
        inbox.events.receive(event())
        wait_for(lambda: all(entry.jobs and entry.jobs[0].attempts_made for entry in inbox.events.list()))
    good, failed = (entry.jobs[0] for entry in inbox.events.list())
    assert (good.job.state, outcomes(failed), failed.job.error) == (JobState.DONE, ["later"], error.__name__)
    assert worker.alive()


def test_error_that_cannot_be_shown_is_a_failed_attempt(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an error whose own text fails nor a failure of ours lets the job wait for the end of its lease."""

    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise KeyError

    settle, failures = Attempts.settle, [ZeroDivisionError()]

    def fail_once(self: Attempts, job: Job, ending: Ending, following: Following = NO_JOB) -> Job | None:
        if failures and ending.state is JobState.DONE:
            raise failures.pop()
        return settle(self, job, ending, following)

    monkeypatch.setattr(Attempts, "settle", fail_once)
    errors = [UnprintableError()]
    working(lambda *_: _raise(errors.pop()) if errors else None, lease=60.0)
    inbox.events.receive(event())
    record = ended(inbox, JobState.DONE)
    assert [(one.outcome, one.error) for one in record.attempts_made] == [
        ("later", "UnprintableError"),
        ("later", "RuntimeError: the attempt could not be ended: ZeroDivisionError"),
        ("done", None),
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_dead_thread_is_replaced_and_its_job_retried(
    inbox: Inbox,
    event: Callable[..., Event],
    working: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Readiness notices a thread that dies with its job; it is replaced, and the job ends as a failed attempt."""
    worker = working(lambda *_: None, threads=1, lease=1.5)
    process, fatal = worker._process, [SystemExit()]

    def die_once(claimed: ClaimedJob) -> ClaimedJob | None:
        if fatal:
            claimed.thread = threading.current_thread()
            raise fatal.pop()
        return process(claimed)

    monkeypatch.setattr(worker, "_process", die_once)
    with caplog.at_level(logging.CRITICAL):
        inbox.events.receive(event())
        wait_for(lambda: not worker.alive(), "the thread's end")
        record = ended(inbox, JobState.DONE)
    assert outcomes(record) == ["later", "done"]
    assert record.attempts_made[0].error == "RuntimeError: the thread that ran the job died"
    assert worker.alive()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.second_stage
def test_dead_dispatcher_is_replaced(
    inbox: Inbox,
    event: Callable[..., Event],
    working: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Readiness notices that no jobs are claimed, and the dispatcher is started again."""
    fatal = [SystemExit()]
    find_work = inbox.jobs.work

    def die_once() -> Work:
        if fatal:
            raise fatal.pop()
        return find_work()

    monkeypatch.setattr(inbox.jobs, "work", die_once)
    with caplog.at_level(logging.CRITICAL):
        # It is replaced after a third of the lease, long enough to see that it has ended.
        worker = working(lambda *_: None, lease=6)
        wait_for(lambda: not worker.alive(), "the dispatcher's end")
        inbox.events.receive(event())
        ended(inbox, JobState.DONE)
    assert worker.alive()


@pytest.mark.second_stage
def test_heartbeat_keeps_a_long_job(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A handler may take several times its lease while its process lives."""
    seen: list[bool] = []

    def run(_: Job, still_mine: Callable[[], bool]) -> None:
        time.sleep(4.5)
        seen.append(still_mine())

    for _ in range(2):
        working(run, lease=2)
    inbox.events.receive(event())
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]
    assert seen == [True]


@pytest.mark.second_stage
def test_hung_handler_loses_its_lease_and_its_thread_is_replaced(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """The job of a handler that hangs is done by another thread, and its late end changes nothing."""
    free, late = threading.Event(), threading.Event()
    mine: list[bool] = []

    def run(job: Job, still_mine: Callable[[], bool]) -> None:
        if job.attempts == 1:
            free.wait(TIMEOUT)
            mine.append(still_mine())
            late.set()

    with caplog.at_level(logging.CRITICAL):
        worker = working(run, lease=1, threads=1, max_run=0.5)
        inbox.events.receive(event())
        ended(inbox, JobState.DONE)
        free.set()
        late.wait(TIMEOUT)
    assert mine == [False]
    assert outcomes(only_job(inbox)) == ["lost", "done"]
    assert worker.alive()


def test_still_mine_ends_with_the_lease(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that cannot renew knows by its own clock that the job no longer belongs to it."""
    monkeypatch.setattr(inbox.jobs, "renew", lambda *_: _raise(StoreUnavailable("down")))
    mine: list[bool] = []

    def run(job: Job, still_mine: Callable[[], bool]) -> None:
        # The job is claimed again when its lease has ended.
        if job.attempts == 1:
            mine.append(still_mine())
            time.sleep(1.5)
            mine.append(still_mine())

    working(run, lease=1)
    inbox.events.receive(event())
    wait_for(lambda: len(mine) >= 2)
    assert mine == [True, False]


def test_stop_lets_a_running_job_finish(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """Within the grace time running jobs finish, and no new one begins."""
    began = threading.Event()

    def run(*_: object) -> None:
        began.set()
        time.sleep(0.3)

    worker = working(run, threads=1)
    inbox.events.receive(event())
    began.wait(TIMEOUT)
    inbox.events.receive(event())
    worker.stop(5)
    second, first = inbox.events.list()
    assert first.jobs[0].job.state is JobState.DONE
    assert not second.jobs or second.jobs[0].job.state is JobState.READY


def test_stop_gives_back_unfinished_jobs(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """After the grace time a job is given back at once, without waiting for its lease, and costs no attempt."""
    began, free = threading.Event(), threading.Event()

    def run(*_: object) -> None:
        began.set()
        free.wait(TIMEOUT)

    worker = working(run, lease=60)
    inbox.events.receive(event())
    began.wait(TIMEOUT)
    worker.stop(0.1)
    (job,) = inbox.jobs.claim("other", 1, 30)
    assert (job.attempts, job.max_attempts) == (2, 21)
    free.set()


def test_result_is_kept_while_the_inbox_is_unavailable(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is unavailable a finished job waits to be recorded, and does not run again."""
    finish, errors, runs = inbox.jobs.finish, [StoreUnavailable("down")], []

    def fail_once(job: Job, result: str = "", **more: Any) -> Job | None:
        if errors:
            raise errors.pop()
        return finish(job, result, **more)

    monkeypatch.setattr(inbox.jobs, "finish", fail_once)
    working(lambda job, _: runs.append(job.id))
    inbox.events.receive(event())
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]
    assert len(runs) == 1


def test_result_is_recorded_by_a_worker_that_stops_while_the_inbox_is_unavailable(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that was sent is not sent again because the signal to stop came during a moment without a database."""
    finish, failed = inbox.jobs.finish, threading.Event()
    errors = [StoreUnavailable("down"), StoreUnavailable("down")]

    def fail_at_first(job: Job, result: str = "", **more: Any) -> Job | None:
        if errors:
            worker.stop_claiming()
            failed.set()
            raise errors.pop()
        return finish(job, result, **more)

    monkeypatch.setattr(inbox.jobs, "finish", fail_at_first)
    worker = working(lambda *_: None)
    inbox.events.receive(event())
    assert failed.wait(TIMEOUT)
    worker.stop(TIMEOUT)
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]


def test_thread_claims_the_next_job_with_the_end_of_the_last_one(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While jobs wait, a thread ends one and starts the next in one transaction; each runs once."""
    plan_and_claim, dispatched, runs = inbox.jobs.plan_and_claim, list[int](), list[int]()

    def record(*arguments: Any, **more: Any) -> tuple[int, list[Job]]:
        planned, claimed = plan_and_claim(*arguments, **more)
        dispatched.extend(job.id for job in claimed)
        return planned, claimed

    monkeypatch.setattr(inbox.jobs, "plan_and_claim", record)
    for _ in range(5):
        inbox.events.receive(event())
    working(lambda job, _: runs.append(job.id), threads=1)
    wait_for(lambda: len(runs) == 5 and not inbox.counts()["running"], "all jobs")
    assert len(set(runs)) == 5
    assert dispatched == runs[:1]


def test_job_that_cannot_be_claimed_does_not_repeat_another_one(
    inbox: Inbox,
    event: Callable[..., Event],
    working: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error while the next job is claimed leaves the end of the last one as it is, and is logged."""
    claim, claims, runs = DueJobs.claim, itertools.count(1), list[int]()

    def fail_at_the_end(*arguments: Any, **more: Any) -> list[dict[str, Any]]:
        # The first claim is that of the dispatcher.
        if next(claims) == 2:
            raise KeyError("damaged")
        return claim(*arguments, **more)

    monkeypatch.setattr(DueJobs, "claim", fail_at_the_end)
    for _ in range(3):
        inbox.events.receive(event())
    with caplog.at_level(logging.ERROR):
        working(lambda job, _: runs.append(job.id), threads=1)
        wait_for(lambda: len(runs) == 3 and not inbox.counts()["running"], "all jobs")
    assert len(set(runs)) == 3
    assert "Cannot claim a job at the end of another one" in caplog.text


def test_unavailable_inbox_is_logged_once(
    inbox: Inbox,
    event: Callable[..., Event],
    working: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The worker survives an unavailable database, and logs one line at its beginning and one at its end."""
    find_work, down = inbox.jobs.work, threading.Event()
    down.set()
    monkeypatch.setattr(inbox.jobs, "work", lambda: _raise(StoreUnavailable("down")) if down.is_set() else find_work())
    with caplog.at_level(logging.WARNING):
        working(lambda *_: None)
        for _ in range(5):
            inbox.news.set()
            time.sleep(0.02)
        down.clear()
        inbox.events.receive(event())
        ended(inbox, JobState.DONE)
    assert [record.message for record in caplog.records if record.message.startswith("Inbox")] == [
        "Inbox unavailable, retrying: down",
        "Inbox available again",
    ]


@pytest.mark.second_stage
def test_urgent_job_runs_while_all_threads_hang(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """A thread is reserved for urgent jobs: they run although every other thread hangs, and others are not started."""
    hanging, urgent = threading.Event(), threading.Event()

    def run(job: Job, _: Callable[[], bool]) -> None:
        if job.key.startswith("press"):
            urgent.set()
        else:
            hanging.wait(TIMEOUT)

    working(run, threads=2)
    for _ in range(3):
        inbox.events.receive(event())
    wait_for(lambda: inbox.counts()["running"] >= 2, "the threads to hang")
    inbox.presses.record("1", 7, "unknown", {})
    assert urgent.wait(TIMEOUT)
    assert inbox.counts()["running"] >= 2
    hanging.set()
    wait_for(lambda: inbox.counts()["running"] == inbox.counts()["ready"] == 0, "the end")


def test_reserved_thread_that_hangs_delays_no_urgent_job(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """Idle threads run urgent jobs, too; one that hangs for too long is replaced, also in the reserved lane."""
    inbox.events.receive(event())
    inbox.events.plan(lambda _: [])
    hanging, ran = threading.Event(), []

    def run(job: Job, _: Callable[[], bool]) -> None:
        ran.append(job.key)
        if job.key != "press free":
            hanging.wait(TIMEOUT)

    worker = working(run, threads=1, lease=1.0, max_run=1.5)
    for key in ("first", "second"):
        inbox.presses.record(key, 7, "unknown", {})
    wait_for(lambda: len(ran) == 2, "both threads to hang")
    inbox.presses.record("free", 7, "unknown", {})
    wait_for(lambda: "press free" in ran, "a new thread")
    assert worker.alive()
    hanging.set()
