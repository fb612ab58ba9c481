"""One attempt at a job, and how it ends in the inbox: done, skipped, later or dead."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webhooks import retry
from webhooks.clock import utc_now
from webhooks.errors import LeaseLost, Skip, StoreUnavailable
from webhooks.inbox import MISSING, Inbox
from webhooks.job import Job

log = logging.getLogger(__name__)

Run = Callable[[Job, Callable[[], bool]], None]
"""Does a job; the second argument tells whether the job is still this worker's."""

NAME = 100
"""Characters of a name in a line of the log; what came in may be long."""
SETTLE_SECONDS = 600.0


@dataclass(slots=True)
class Running:
    """A job in this worker's hands. `since` and `until` are monotonic: when it began or was claimed, and so long the
    lease holds as far as this process can know."""

    job: Job
    since: float
    until: float
    thread: threading.Thread | None = None
    lost: bool = False

    def still_mine(self) -> bool:
        """Also right in a process that slept: its own clock says that the lease is over before the inbox does."""
        return not self.lost and time.monotonic() < self.until


class Attempts:
    """Runs jobs by `run` and writes down how each ended; gives up writing when `stopping` is set."""

    def __init__(self, inbox: Inbox, run: Run, stopping: threading.Event) -> None:
        self._inbox, self._run, self._stopping = inbox, run, stopping

    def attempt(self, running: Running) -> None:
        """To the job's end, or to the next attempt's date."""
        job, inbox = running.job, self._inbox
        try:
            self._run(job, running.still_mine)
        except Skip as reason:
            text = str(reason)
            log.info("%s skipped: %s", title_of(job), text)
            self.settle(job, lambda: inbox.jobs.skip(job, text))
        except LeaseLost:
            log.warning("%s is another worker's now", title_of(job))
        except (Exception, SystemExit) as error:  # noqa: BLE001 — whatever a handler raises decides its job's fate
            self._failed(job, error)
        else:
            log.info("%s done", title_of(job))
            self.settle(job, lambda: inbox.jobs.finish(job))

    def _failed(self, job: Job, error: BaseException) -> None:
        now = utc_now()
        free = retry.costs_no_attempt(error, created_at=job.created_at or now, now=now)
        limit = job.max_attempts + 1 if free else job.max_attempts
        chance = random.random()  # noqa: S311 — jitter
        surprises = self._count_surprise(job) if retry.is_surprise(error) else 0
        due_at = retry.next_attempt(
            error, attempts=job.attempts, max_attempts=limit, now=now, chance=chance, surprises=surprises
        )
        text = describe(error)
        expected = not retry.is_surprise(error)
        if due_at is None:
            log.error("%s is dead: %s", title_of(job), text, exc_info=None if expected else error)
            self.settle(job, lambda: self._inbox.dead_letters.dead_letter(job, text))
        else:
            seconds = (due_at - now).total_seconds()
            log.warning("%s again in %.1f s: %s", title_of(job), seconds, text, exc_info=None if expected else error)
            self.settle(job, lambda: self._inbox.jobs.postpone(job, seconds, text, free=free))

    def _count_surprise(self, job: Job) -> int:
        """How many errors that nobody foresaw the job has met since its last replay, with this one."""
        number = 1
        try:
            while self._inbox.checkpoints.get(job, f"surprise {number}") is not MISSING:
                number += 1
            self._inbox.checkpoints.set(job, f"surprise {number}", None)
        except StoreUnavailable:
            log.warning("%s: this error could not be counted", title_of(job))
        return number

    def settle(self, job: Job, ending: Callable[[], None]) -> None:
        """Writes down how the job ended, however long the database is away; the lease decides if it still counts."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return ending()
            except LeaseLost:
                log.warning("%s was taken over by another worker; this one's result is dropped", title_of(job))
                return None
            except StoreUnavailable:
                if self._stopping.wait(1.0) or time.monotonic() > deadline:
                    log.error("%s ended but could not be written down; it may run again", title_of(job))  # noqa: TRY400
                    return None


def describe(error: BaseException) -> str:
    """The error for people: its text, with the type where no client of ours raised it."""
    text = str(error) or type(error).__name__
    return text if hasattr(error, "permanent") else f"{type(error).__name__}: {text}"


def title_of(job: Job) -> str:
    """The job in a line of the log."""
    event = job.event
    return (
        f"Job {job.id} ({job.key}) for event {event.id} {event.event_type[:NAME]} {str(event.resource_name)[:NAME]!r}"
    )
