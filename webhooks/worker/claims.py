"""The jobs that a worker holds, queued or running, and their leases."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from webhooks.inbox import Inbox
from webhooks.job import Job


@dataclass(slots=True, eq=False)
class Lane:
    """Threads that run the jobs of one queue; None in it ends a thread. Threads are named after the lane."""

    name: str
    queue: queue.SimpleQueue[ClaimedJob | None] = field(default_factory=queue.SimpleQueue)
    threads: list[threading.Thread] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class ClaimedJob:
    """A job that this worker holds, queued or running in a lane; times are monotonic.

    `since` is when it was claimed or began to run, `until` the end of its lease as far as this process can know.
    """

    job: Job
    lane: Lane
    since: float
    until: float
    thread: threading.Thread | None = None
    lost: bool = False
    # Whether its thread has claimed another job in its place.
    replaced: bool = False

    def still_mine(self) -> bool:
        """Return whether the lease holds; a process that slept knows by its own clock that it has ended."""
        return not self.lost and time.monotonic() < self.until


class Claims:
    """The claimed jobs of one worker; `lease` is in seconds. Iterates over a copy, as threads add and drop jobs."""

    def __init__(self, inbox: Inbox, worker: str, lease: float) -> None:
        self._inbox, self._worker, self._lease = inbox, worker, lease
        self._by_id: dict[int, ClaimedJob] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def count(self, lane: Lane) -> int:
        """Return how many jobs are queued or running in a lane."""
        return sum(claimed.lane is lane for claimed in self)

    def __iter__(self) -> Iterator[ClaimedJob]:
        return iter(list(self._by_id.values()))

    def add(self, job: Job, lane: Lane, now: float) -> ClaimedJob:
        """Add and return a job of a lane that was claimed at the monotonic time `now`."""
        claimed = self._by_id[job.id] = ClaimedJob(job, lane, now, now + self._lease)
        return claimed

    def queue(self, job: Job, lane: Lane, now: float) -> None:
        """Do the same, and add the job to the queue of the lane."""
        lane.queue.put(self.add(job, lane, now))

    def drop(self, claimed: ClaimedJob) -> None:
        """Remove the job, unless it was claimed again meanwhile, and let the worker look for new jobs in its place."""
        if self._by_id.get(claimed.job.id) is claimed:
            del self._by_id[claimed.job.id]
        if not claimed.replaced:
            self._inbox.news.set()

    def renew(self) -> None:
        """Renew all leases; jobs that other workers have taken over are lost. Raises StoreUnavailable."""
        claimed = dict(self._by_id)
        if not claimed:
            return
        until = time.monotonic() + self._lease
        lost = self._inbox.jobs.renew(self._worker, claimed, self._lease)
        for job_id, one in claimed.items():
            if job_id in lost:
                one.lost = True
            else:
                one.until = until
