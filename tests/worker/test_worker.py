"""The worker sees each job to its end: real inbox, real threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.databases import NOTIFY
from webhooks.errors import Permanent, RetryLater, Skip, StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox, JobRecord
from webhooks.job import Job, JobState
from webhooks.worker.worker import Worker

Run = Callable[[Job, Callable[[], bool]], None]
PATIENCE = 15.0


@pytest.fixture
def inbox(sqlite_url: str, opened: Callable[..., Inbox]) -> Inbox:
    """The worker asks the inbox only, so one kind of database is enough here."""
    return opened(sqlite_url)


@pytest.fixture
def working(inbox: Inbox) -> Iterator[Callable[..., Worker]]:
    """Starts workers and stops them in the end."""
    workers: list[Worker] = []

    def start(run: Run, *, box: Inbox = inbox, lease: float = 5.0, threads: int = 2, **more: float) -> Worker:
        workers.append(Worker(box, planner=lambda _: [NOTIFY], run=run, threads=threads, lease=lease, **more))
        workers[-1].start()
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop(0.2)


def wait_for(true: Callable[[], bool], what: str = "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


def only(inbox: Inbox) -> JobRecord:
    (record,) = inbox.events.list()
    return record.jobs[0]


def ended(inbox: Inbox, state: JobState) -> JobRecord:
    """The one job, once it is in that state."""
    wait_for(
        lambda: any(record.jobs and record.jobs[0].job.state is state for record in inbox.events.list()), state.word
    )
    return only(inbox)


def outcomes(record: JobRecord) -> list[str]:
    return [attempt.outcome for attempt in record.attempts_made]


def _raise(error: BaseException) -> None:
    raise error


def test_job_returned_is_done(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A handler that returns has done its job, and it ran once."""
    seen: list[Job] = []
    working(lambda job, _: seen.append(job))
    inbox.events.receive(event())
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]
    assert [job.event.resource_name for job in seen] == ["Sales 1"]


def test_many_jobs_each_run_once(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """Two workers and a hundred events: each runs once."""
    seen: list[int] = []
    for _ in range(2):
        working(lambda job, _: seen.append(job.id), threads=4)
    for _ in range(100):
        inbox.events.receive(event())
    wait_for(lambda: len(seen) >= 100)
    wait_for(lambda: inbox.counts()["running"] == 0)
    assert len(seen) == len(set(seen)) == 100


def test_skip_ends_with_its_reason(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A handler that skips says why."""
    working(lambda *_: _raise(Skip("project Sales, not Finance")))
    inbox.events.receive(event())
    assert ended(inbox, JobState.SKIPPED).job.error == "project Sales, not Finance"


def test_permanent_error_is_dead_at_once(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """An error that says that trying again cannot help is believed."""
    working(lambda *_: _raise(Permanent("21211 not a valid number")))
    inbox.events.receive(event())
    record = ended(inbox, JobState.DEAD)
    assert (record.job.error, outcomes(record)) == ("21211 not a valid number", ["dead"])


def test_passing_error_is_tried_again(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """What fails once and then works is done, about a second later."""
    troubles = [RetryLater("Slack is away")]
    working(lambda *_: _raise(troubles.pop()) if troubles else None)
    inbox.events.receive(event())
    record = ended(inbox, JobState.DONE)
    assert outcomes(record) == ["later", "done"]
    first, second = record.attempts_made
    assert 0.4 < (second.started_at - first.finished_at).total_seconds() < 3
    assert first.error == "Slack is away"


def test_named_time_costs_no_attempt(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A service that says when to come back is obeyed, and the job may be tried as often as before."""
    working(lambda *_: _raise(RetryLater("rate limited", datetime.now(UTC) + timedelta(hours=1))))
    inbox.events.receive(event())
    wait_for(lambda: bool(inbox.events.list()[0].jobs and outcomes(only(inbox)) == ["later"]))
    job = only(inbox).job
    assert (job.state, job.attempts, job.max_attempts) == (JobState.READY, 1, 21)
    assert 3500 < (job.due_at - datetime.now(UTC)).total_seconds() < 3700


def test_unexpected_error_dies_early(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in a handler is named with its type and tried five times, not twenty."""
    inbox.events.receive(event())
    inbox.events.plan(lambda _: [NOTIFY])
    for _ in range(4):
        (job,) = inbox.jobs.claim("before", 1, 30)
        inbox.checkpoints.set(job, f"surprise {job.attempts}", None)
        inbox.jobs.postpone(job, 0, "KeyError: 'x'")
    with caplog.at_level(logging.CRITICAL):
        working(lambda *_: _raise(KeyError("x")))
        assert ended(inbox, JobState.DEAD).job.error == "KeyError: 'x'"


def test_error_that_confuses_the_worker_costs_no_thread(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """An error whose attributes are nonsense fails its job only; the thread goes on with the next."""

    class Odd(Exception):
        retry_at = "tomorrow"

    seen: list[int | None] = []

    def run(job: Job, _: object) -> None:
        seen.append(job.event.id)
        if job.event.id == 1:
            raise Odd

    working(run, threads=1, lease=60)
    inbox.events.receive(event())
    inbox.events.receive(event())
    wait_for(lambda: 2 in seen)


def test_heartbeat_keeps_a_long_job(inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]) -> None:
    """A handler may take several times its lease while its process lives."""
    seen: list[bool] = []

    def run(_: Job, still_mine: Callable[[], bool]) -> None:
        time.sleep(1.2)
        seen.append(still_mine())

    for _ in range(2):
        working(run, lease=0.4)
    inbox.events.receive(event())
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]
    assert seen == [True]


def test_hung_handler_loses_its_lease_and_its_place(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that hangs is left; its job is done by another thread, and its late end changes nothing."""
    free, late = threading.Event(), threading.Event()
    mine: list[bool] = []

    def run(job: Job, still_mine: Callable[[], bool]) -> None:
        if job.attempts == 1:
            free.wait(PATIENCE)
            mine.append(still_mine())
            late.set()

    with caplog.at_level(logging.CRITICAL):
        working(run, lease=0.4, threads=1, longest=0.3)
        inbox.events.receive(event())
        ended(inbox, JobState.DONE)
        free.set()
        late.wait(PATIENCE)
    assert mine == [False]
    assert outcomes(only(inbox)) == ["lost", "done"]


def test_still_mine_ends_with_the_lease(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that cannot renew knows by its own clock that the job is no longer its own."""
    monkeypatch.setattr(inbox.jobs, "renew", lambda *_: _raise(StoreUnavailable("away")))
    mine: list[bool] = []

    def run(_: Job, still_mine: Callable[[], bool]) -> None:
        mine.append(still_mine())
        time.sleep(0.5)
        mine.append(still_mine())

    working(run, lease=0.3)
    inbox.events.receive(event())
    wait_for(lambda: len(mine) >= 2)
    assert mine[:2] == [True, False]


def test_stop_lets_a_running_job_finish(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """Within the grace time what runs is finished and nothing new is begun."""
    began = threading.Event()

    def run(*_: object) -> None:
        began.set()
        time.sleep(0.3)

    worker = working(run, threads=1)
    inbox.events.receive(event())
    began.wait(PATIENCE)
    inbox.events.receive(event())
    worker.stop(5)
    second, first = inbox.events.list()
    assert first.jobs[0].job.state is JobState.DONE
    assert not second.jobs or second.jobs[0].job.state is JobState.READY


def test_stop_gives_back_what_does_not_finish(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker]
) -> None:
    """After the grace time a job is given back at once, without waiting for its lease and at no cost."""
    began, free = threading.Event(), threading.Event()

    def run(*_: object) -> None:
        began.set()
        free.wait(PATIENCE)

    worker = working(run, lease=60)
    inbox.events.receive(event())
    began.wait(PATIENCE)
    worker.stop(0.1)
    (job,) = inbox.jobs.claim("other", 1, 30)
    assert (job.attempts, job.max_attempts) == (2, 21)
    free.set()


def test_inbox_away_in_mid_job_result_is_kept(
    inbox: Inbox, event: Callable[..., Event], working: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away a finished job waits to be written down, and is not run again."""
    finish, refusals, runs = inbox.jobs.finish, [StoreUnavailable("away")], []

    def refuse_once(job: Job) -> None:
        if refusals:
            raise refusals.pop()
        finish(job)

    monkeypatch.setattr(inbox.jobs, "finish", refuse_once)
    working(lambda job, _: runs.append(job.id))
    inbox.events.receive(event())
    assert outcomes(ended(inbox, JobState.DONE)) == ["done"]
    assert len(runs) == 1


def test_inbox_away_says_so_once_and_goes_on(
    inbox: Inbox,
    event: Callable[..., Event],
    working: Callable[..., Worker],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The worker outlives a database that is away, with one line at each end of it."""
    plans, away = inbox.events.plans, threading.Event()
    away.set()
    monkeypatch.setattr(
        inbox.events, "plans", lambda *a: _raise(StoreUnavailable("gone")) if away.is_set() else plans(*a)
    )
    with caplog.at_level(logging.WARNING):
        working(lambda *_: None)
        for _ in range(5):
            inbox.news.set()
            time.sleep(0.02)
        away.clear()
        inbox.events.receive(event())
        ended(inbox, JobState.DONE)
    assert [record.message for record in caplog.records if "The inbox is" in record.message] == [
        "The inbox is away, trying again: gone",
        "The inbox is back",
    ]
