"""One attempt at a job: run its handler, decide how it ends, and record that in the inbox."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifiers import NotifierError
from tableau_rest.errors import TableauError
from webhooks.clock import utc_now
from webhooks.errors import LeaseLost, RetryLater, Skip, StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.jobs import NO_JOB, Following
from webhooks.job import MISSING, Checkpoint, Job, JobState, Result
from webhooks.observability.logs import log_ids
from webhooks.observability.tracing import event_span
from webhooks.worker import retry

log = logging.getLogger(__name__)

# Runs a job's handler and returns its Result, or its result as a text. The second argument returns whether the job
# still belongs to this worker.
Run = Callable[[Job, Callable[[], bool]], object]

# Characters of a name in a log line; names come from outside and may be long.
NAME_LENGTH = 100
# The result of an attempt is dropped if the database is unavailable for longer.
SETTLE_SECONDS = 600.0
SETTLE_PAUSE_SECONDS = 1.0
# The same once the worker stops, within the time that running jobs get: what was sent is to be recorded.
STOPPING_SECONDS, STOPPING_PAUSE_SECONDS = 5.0, 0.2
TAKEN_OVER = "%s was taken over by another worker, result dropped"
# The checkpoint with the limit before the first attempt in addition to the schedule; each of them raises the limit.
MAX_ATTEMPTS = "max attempts"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt: the job's new state and, for a retry, the seconds until it is due.

    `error` is the reason of the state; of a job that is done, its result. A `free` attempt is not counted. `service` is
    unavailable, so the job is due sooner if it works again; `about_resource` says that the resource of the job's event
    may be the cause. The `checkpoints` are recorded together with the end.
    """

    state: JobState
    error: str = ""
    seconds: float = 0.0
    free: bool = False
    service: str = ""
    about_resource: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def outcome(self) -> str:
        """Return the word for metrics and traces: done, skipped, dead, retry, or wait for a free attempt."""
        return self.state.word if self.state is not JobState.READY else "wait" if self.free else "retry"


class Attempts:
    """Run jobs by `run` and record how they end; stop waiting for the database when `stopping` is set."""

    def __init__(self, inbox: Inbox, run: Run, stopping: threading.Event) -> None:
        self._inbox, self._run, self._stopping = inbox, run, stopping

    def run(self, job: Job, still_mine: Callable[[], bool]) -> Ending | None:
        """Run the job's handler and return how the attempt ends; None if another worker has taken the job over."""
        with (
            log_ids(event=job.event.id, job=job.id),
            event_span(
                f"run {job.handler}", job.event.fingerprint, "CONSUMER", rule=job.rule, attempt=job.attempts
            ) as span,
        ):
            ending = self._outcome(job, still_mine)
            outcome = ending.outcome if ending else "taken over"
            span.set(outcome=outcome)
            if outcome in {"dead", "retry"}:
                span.fail(outcome)
            return ending

    def _outcome(self, job: Job, still_mine: Callable[[], bool]) -> Ending | None:
        try:
            result = self._run(job, still_mine)
        except Skip as reason:
            log.info("%s skipped: %s", job_title(job), error_text(reason))
            return Ending(JobState.SKIPPED, error_text(reason))
        except LeaseLost:
            log.warning("%s now belongs to another worker", job_title(job))
            return None
        except BaseException as error:  # noqa: BLE001 - whatever a handler raises must end its job, not the thread
            return self.fail(job, error)
        log.info("%s done", job_title(job))
        if isinstance(result, Result):
            return Ending(JobState.DONE, result.text, checkpoints=result.checkpoints)
        return Ending(JobState.DONE, result if isinstance(result, str) else "")

    def fail(self, job: Job, error: BaseException) -> Ending:
        """Decide whether an attempt that failed with `error` is retried, and when."""
        now = utc_now()
        text, trace = error_text(error) or type(error).__name__, None
        unexpected = 0
        if retry.is_unexpected(error):
            # How many the job has met since its first attempt or last replay.
            unexpected = 1
            try:
                while self._inbox.checkpoints.get(job, f"unexpected error {unexpected}") is not MISSING:
                    unexpected += 1
                self._inbox.checkpoints.set(job, f"unexpected error {unexpected}", None)
            except StoreUnavailable:
                log.warning("%s: the unexpected error could not be counted", job_title(job))
            text, trace = f"{type(error).__name__}: {error_text(error)}".removesuffix(": "), error
        service = error.service if isinstance(error, NotifierError | TableauError) else ""
        planned = self._planned(job, service, now)
        free, due_at = self._next_attempt(job, error, unexpected, now, planned)
        if due_at is None:
            log.error("%s is dead: %s", job_title(job), text, exc_info=trace)
            return Ending(JobState.DEAD, text)
        seconds = (due_at - now).total_seconds()
        if not planned:
            seconds = max(seconds, self._inbox.outages.shortest_wait(service))
        if free and isinstance(error, RetryLater):
            log.info("%s waits %.1f s: %s", job_title(job), seconds, text)
            return Ending(JobState.READY, text, seconds, free)
        log.warning("%s failed, retrying in %.1f s: %s", job_title(job), seconds, text, exc_info=trace)
        return Ending(JobState.READY, text, seconds, free, service, isinstance(error, TableauError))

    def settle(self, job: Job, ending: Ending, following: Following = NO_JOB) -> Job | None:
        """Record the end of the attempt, waiting for the database if necessary, and start the job that follows.

        Returns that job if it was started. The result is dropped if another worker has taken the job over.
        """
        self._inbox.counters.add("job_attempts", job.handler, ending.outcome)
        if following.lease is not None:
            try:
                return self._record(job, ending, following)
            except StoreUnavailable:
                pass
            except LeaseLost:
                log.warning(TAKEN_OVER, job_title(job))
                return None
            except Exception:
                # A message of this job must not be sent again because another job cannot be claimed.
                log.exception("Cannot claim a job at the end of another one")
            following = NO_JOB
        return self._insist(job, lambda: self._record(job, ending, following), STOPPING_SECONDS)

    def _record(self, job: Job, ending: Ending, following: Following) -> Job | None:
        error, seconds, free = ending.error, ending.seconds, ending.free
        if ending.state is JobState.DONE:
            return self._inbox.jobs.finish(job, error, checkpoints=ending.checkpoints, following=following)
        if ending.state is JobState.SKIPPED:
            return self._inbox.jobs.skip(job, error, following=following)
        if ending.state is JobState.DEAD:
            self._inbox.dead_letters.dead_letter(job, error)
        elif ending.service:
            self._inbox.outages.postpone(
                ending.service, job, seconds, error, free=free, about_resource=ending.about_resource
            )
        else:
            return self._inbox.jobs.postpone(job, seconds, error, free=free, following=following)
        return None

    def release(self, job: Job) -> None:
        """Give the job back unfinished."""
        self._insist(job, lambda: self._inbox.jobs.release(job))

    def _insist(self, job: Job, record: Callable[[], Job | None], stopping_seconds: float = 0.0) -> Job | None:
        """Record until the database is available, or at most for `stopping_seconds` once the worker stops."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return record()
            except LeaseLost:
                log.warning(TAKEN_OVER, job_title(job))
                return None
            except StoreUnavailable:
                if self._stopping.wait(SETTLE_PAUSE_SECONDS):
                    deadline = min(deadline, time.monotonic() + stopping_seconds)
                    time.sleep(min(STOPPING_PAUSE_SECONDS, max(0.0, deadline - time.monotonic())))
                if time.monotonic() >= deadline:
                    log.error("%s ended but could not be recorded, it may run again", job_title(job))  # noqa: TRY400
                    return None

    def _planned(self, job: Job, service: str, now: datetime) -> datetime | None:
        """Return when the job was due at first, if it was woken sooner because the service might work again."""
        try:
            early = self._inbox.outages.early(service, job) if service else 0.0
        except StoreUnavailable:
            early = 0.0
        return now + timedelta(seconds=early) if early else None

    def _next_attempt(
        self, job: Job, error: BaseException, unexpected: int, now: datetime, planned: datetime | None
    ) -> tuple[bool, datetime | None]:
        """Return whether the attempt is free, and when the next one is due; None for a dead job."""
        if planned:
            # The attempt was made in addition to those of the schedule, which goes on.
            self._uncounted(job, is_first=True)
            return True, planned
        chance = random.random()  # noqa: S311 - jitter
        try:
            free = retry.costs_no_attempt(error, job=job, now=now)
            # Attempts in addition to the schedule do not make its waits longer.
            uncounted = self._uncounted(job) if job.attempts > 1 else 0
            limit = job.max_attempts + int(free) - uncounted
            return free, retry.next_attempt(
                error,
                attempts=job.attempts - uncounted,
                max_attempts=limit,
                now=now,
                chance=chance,
                unexpected=unexpected,
            )
        except Exception as invalid:
            # An error of a handler's own may have attributes of a wrong type.
            log.exception("%s raised an error with invalid attributes", job_title(job))
            return False, retry.next_attempt(
                invalid, attempts=job.attempts, max_attempts=job.max_attempts, now=now, chance=chance
            )

    def _uncounted(self, job: Job, *, is_first: bool = False) -> int:
        """Return how many attempts were not counted since the first one in addition to the schedule; 0 before that.

        `is_first`: this attempt is the first one, unless there was another.
        """
        checkpoints = self._inbox.checkpoints
        try:
            limit = checkpoints.get(job, MAX_ATTEMPTS)
            if limit is MISSING and is_first:
                checkpoints.set(job, MAX_ATTEMPTS, job.max_attempts)
        except StoreUnavailable:
            return 0
        return job.max_attempts - limit if isinstance(limit, int) else 0


def error_text(error: BaseException) -> str:
    """Return the text of an error; empty if it has none, or if its own method fails."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error of a handler's own may have any
        return ""


def job_title(job: Job) -> str:
    """Return the job and its event as a log line names them."""
    event, name = job.event, str(job.event.resource_name)[:NAME_LENGTH]
    return f"Job {job.id} ({job.key}) for event {event.id} {event.event_type[:NAME_LENGTH]} {name!r}"
