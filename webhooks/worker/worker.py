"""Plan events, claim jobs, run them in threads, and keep their leases until each has ended."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from webhooks.errors import LeaseLost, PlanningPaused, StoreUnavailable
from webhooks.forks import prepare_children
from webhooks.inbox import Inbox, JobPlanner
from webhooks.inbox.databases.known_database import KnownDatabase
from webhooks.inbox.jobs.jobs import PLAN_LIMIT, Following, Work
from webhooks.job import JobState
from webhooks.worker.attempt import Attempts, Ending, Run, job_title
from webhooks.worker.claims import ClaimedJob, Claims, Lane
from webhooks.worker.cleanup import run_cleanup
from webhooks.worker.pacing import Pacing

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# Between two rounds with work to do: more of it shares a commit.
ROUND_PAUSE_SECONDS = 0.02
# Without a successful round for so long, the worker is not alive, whatever keeps it from planning and claiming.
ROUND_TIMEOUT_SECONDS = 60.0
# A handler that takes longer loses its job to another worker.
MAX_RUN_SECONDS = 900.0
# Between two checks of leases and threads while the worker stops.
STOP_PAUSE_SECONDS = 0.2
# How long `stop` waits for the threads that run no jobs.
STOP_SECONDS = 2.0


class Worker:
    """Plan events, claim jobs and run them in `threads` threads, until `stop`.

    One more thread is reserved for urgent jobs, so that hanging handlers delay no person who pressed a button.

    `planner` returns the jobs of an event, `run` runs one. A lease of `lease` seconds is renewed three times in its
    duration; another worker takes over jobs whose leases are not renewed, and those that run for more than `max_run`
    seconds. Events older than `retention` days and runs older than `run_retention` days are deleted every hour; 0 keeps
    them all. `rules_version` returns the version of the rules that `planner` uses from then on; while it raises
    PlanningPaused no events are planned. `tick` is called about once a second and adds events that are due by time.
    `watch` runs in a thread of its own until the event is set. `known` is what the processes of the server share.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        planner: JobPlanner,
        run: Run,
        threads: int = 4,
        lease: float = 30.0,
        max_run: float = MAX_RUN_SECONDS,
        retention: float = 0.0,
        run_retention: float = 0.0,
        rules_version: Callable[[], int | None] = lambda: None,
        tick: Callable[[], None] = lambda: None,
        watch: Callable[[threading.Event], None] = lambda _: None,
        known: KnownDatabase | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._planner, self._rules_version, self._tick = inbox, planner, rules_version, tick
        self._watch = watch
        self._size, self._lease, self._max_run = threads, lease, max_run
        self._retention, self._run_retention = retention, run_retention
        self._normal, self._reserved = Lane("job"), Lane("urgent-job")
        self._claims = Claims(inbox, self.name, lease)
        self._pacing = Pacing(threads, known)
        self._stopping = threading.Event()
        self._attempts = Attempts(inbox, run, self._stopping)
        self._last_round = time.monotonic()
        self._woken_at = -POLL_SECONDS
        # Whether a thread that ends a job probably finds another one that is due, and no urgent one.
        self._may_claim_next = False
        self._dispatcher: threading.Thread | None = None
        self._lease_thread: threading.Thread | None = None
        self._helpers: list[threading.Thread] = []

    def start(self) -> None:
        """Start the worker's threads."""
        prepare_children()
        self._last_round = time.monotonic()
        for lane in (*[self._normal] * self._size, self._reserved):
            self._add_job_thread(lane)
        self._dispatcher = _thread(self._dispatch, "dispatcher")
        self._lease_thread = _thread(self._keep_leases, "leases")
        self._helpers = [
            _thread(self._inbox.store.listen, "listener", self._inbox.news.set, self._stopping.is_set),
            _thread(run_cleanup, "cleanup", self._inbox, self._retention, self._stopping, self._run_retention),
            _thread(self._watch, "watch", self._stopping),
        ]
        log.info("Worker started: id=%s threads=%d", self.name, self._size)

    def alive(self) -> bool:
        """Return whether the worker plans events, and claims and runs jobs."""
        threads = [self._dispatcher, self._lease_thread, *self._normal.threads, *self._reserved.threads]
        stalled = time.monotonic() - self._last_round > ROUND_TIMEOUT_SECONDS
        running = all(thread is not None and thread.is_alive() for thread in threads)
        return running and not stalled and not self._stopping.is_set()

    def idle(self) -> bool:
        """Return whether it has claimed no job."""
        return not self._claims

    def stop_claiming(self) -> None:
        """Claim no more jobs; running ones continue. Returns at once."""
        self._stopping.set()
        self._inbox.news.set()

    def stop(self, grace: float = 20.0) -> None:
        """Claim no more jobs, let running ones finish for `grace` seconds, and give the others back."""
        deadline = time.monotonic() + grace
        self.stop_claiming()
        if self._dispatcher is None or self._lease_thread is None:
            return
        self._dispatcher.join(grace)
        lanes = [(lane, list(lane.threads)) for lane in (self._normal, self._reserved)]
        for lane, threads in lanes:
            for _ in threads:
                lane.queue.put(None)
        for thread in (thread for _, threads in lanes for thread in threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        with suppress(StoreUnavailable):
            for found in self._inbox.jobs.uncertain_claims.find(self.name):
                self._attempts.release(found.job)
        for claimed in self._claims:
            log.warning("%s did not finish in time and is given back", job_title(claimed.job))
            self._give_back(claimed)
        for thread in (self._lease_thread, *self._helpers):
            thread.join(STOP_SECONDS)

    def run_forever(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set; for a process of its own."""
        self.start()
        stopping.wait()
        self.stop()

    # One thread plans and claims.

    def _dispatch(self) -> None:
        unavailable = False
        while not self._stopping.is_set():
            self._inbox.news.clear()
            began, more = time.monotonic(), False
            try:
                work = self._inbox.jobs.work()
                self._queue_found_jobs()
                more = work.urgent and self._claim_urgent()
                if self._wake_due():
                    more, work = True, self._inbox.jobs.work()
                more |= self._plan_and_claim(work)
                self._last_round = time.monotonic()
                if unavailable:
                    unavailable = False
                    log.warning("Inbox available again")
            except StoreUnavailable as error:
                if not unavailable:
                    unavailable = True
                    log.error("Inbox unavailable, retrying: %s", error)  # noqa: TRY400 - the cause is in the text
            except Exception:
                log.exception("Claiming jobs failed")
            if more:
                self._stopping.wait(ROUND_PAUSE_SECONDS)
            else:
                self._inbox.news.wait(self._pacing.pause(began, time.monotonic(), POLL_SECONDS))

    def _wake_due(self) -> bool:
        """Plan what has become due by time alone, about once a second; return whether there was something."""
        now = time.monotonic()
        if now < self._woken_at + POLL_SECONDS:
            return False
        self._woken_at = now
        self._tick()
        return self._inbox.incidents.wake() + self._inbox.outages.wake() > 0

    def _queue_found_jobs(self) -> None:
        """Queue the jobs that this worker has claimed without having learned of it."""
        for found in self._inbox.jobs.uncertain_claims.find(self.name):
            lane = self._reserved if found.urgent and not self._claims.count(self._reserved) else self._normal
            self._claims.queue(found.job, lane, found.claimed_at)

    def _claim_urgent(self) -> bool:
        """Claim urgent jobs for the reserved thread and for other idle threads; return whether there were any.

        None is claimed ahead, as the job in front of it may hang.
        """
        now = time.monotonic()
        room = 1 - self._claims.count(self._reserved)
        idle = max(0, self._size - self._claims.count(self._normal))
        if room + idle <= 0:
            return False
        jobs = self._inbox.jobs.claim(self.name, max(0, room) + idle, self._lease, urgent=True, known_due=True)
        for number, job in enumerate(jobs):
            self._claims.queue(job, self._reserved if number < room else self._normal, now)
        return bool(jobs)

    def _plan_and_claim(self, work: Work) -> bool:
        """Do what there is to do, and return whether there may be more at once."""
        now = time.monotonic()
        may_plan = self._pacing.may_plan(now)
        plan, version = PLAN_LIMIT if may_plan else 0, None
        if may_plan:
            try:
                version = self._rules_version()
            except PlanningPaused:
                plan = 0
        held = self._claims.count(self._normal)
        room = self._pacing.room(held)
        has_to_wait = work.unplanned and not may_plan
        if not (work.unplanned and plan) and not (work.due and room > 0):
            self._may_claim_next = work.due and not work.urgent
            return has_to_wait
        planned, jobs = self._inbox.jobs.plan_and_claim(
            self.name,
            self._planner,
            room=room,
            start=max(0, self._size - held),
            lease=self._lease,
            plan=plan if work.unplanned else 0,
            rules_version=version,
            urgent=False,
            known_due=work.due,
        )
        self._may_claim_next = not work.urgent and len(jobs) == room and (room > 0 or work.due or planned > 0)
        for job in jobs:
            self._claims.queue(job, self._normal, now)
        log.debug("Round: planned=%d claimed=%d", planned, len(jobs))
        self._pacing.planned(now, planned, PLAN_LIMIT)
        return planned > 0 or len(jobs) > 0 or has_to_wait

    # Each job thread runs one job after the other.

    def _work(self, lane: Lane) -> None:
        claimed = lane.queue.get()
        while claimed is not None:
            following = self._process(claimed)
            if threading.current_thread() not in lane.threads:
                # Its handler hung, and another thread has replaced this one.
                if following:
                    lane.queue.put(following)
                return
            claimed = following or lane.queue.get()

    def _process(self, claimed: ClaimedJob) -> ClaimedJob | None:
        """Run the job unless it is lost, and return the one that this thread has to run next, if it has one."""
        if claimed.lost:
            return None
        if self._stopping.is_set():
            self._give_back(claimed)
            return None
        claimed.since = time.monotonic()
        claimed.thread = threading.current_thread()
        following = None
        try:
            following = self._run(claimed)
        except BaseException as error:
            log.exception("%s could not be ended, retrying", job_title(claimed.job))
            self._fail(claimed, RuntimeError(f"the attempt could not be ended: {type(error).__name__}"))
        if claimed.lane is self._normal:
            self._pacing.job_took(time.monotonic() - claimed.since)
        self._claims.drop(claimed)
        return following

    def _run(self, claimed: ClaimedJob) -> ClaimedJob | None:
        try:
            if claimed.job.started_at is None:
                claimed.job = self._inbox.jobs.start(claimed.job)
        except (LeaseLost, StoreUnavailable) as error:
            log.warning("%s could not be started: %s", job_title(claimed.job), error)
            if isinstance(error, StoreUnavailable):
                self._give_back(claimed)
            return None
        if not claimed.still_mine():
            return None
        ending = self._attempts.run(claimed.job, claimed.still_mine)
        return self._end(claimed, ending) if ending else None

    def _end(self, claimed: ClaimedJob, ending: Ending) -> ClaimedJob | None:
        """Record the end of the job, and return the next one, which starts in the same transaction.

        That is the next one in the queue, or else one that is due.
        """
        queued, lease, now = None, None, time.monotonic()
        if claimed.thread in claimed.lane.threads:
            with suppress(queue.Empty):
                queued = claimed.lane.queue.get_nowait()
                if queued is None:
                    claimed.lane.queue.put(None)
            may_claim = self._may_claim_next and claimed.lane is self._normal and not self._stopping.is_set()
            lease = self._lease if may_claim and queued is None else None
        started = self._attempts.settle(claimed.job, ending, Following(queued.job if queued else None, lease))
        if ending.state is JobState.READY:
            self._pacing.postponed(time.monotonic() + ending.seconds)
        if queued is not None:
            queued.job = started or queued.job
        elif started is not None:
            claimed.replaced = True
            queued = self._claims.add(started, claimed.lane, now)
        elif lease is not None:
            self._may_claim_next = False
        return queued

    def _fail(self, claimed: ClaimedJob, error: Exception) -> None:
        """End the job as a failed attempt, or else leave it until its lease ends."""
        try:
            self._attempts.settle(claimed.job, self._attempts.fail(claimed.job, error))
        except Exception:
            log.exception("%s is retried when its lease ends", job_title(claimed.job))

    def _give_back(self, claimed: ClaimedJob) -> None:
        claimed.lost = True
        self._claims.drop(claimed)
        self._attempts.release(claimed.job)

    # One thread renews leases and supervises the others.

    def _keep_leases(self) -> None:
        """Renew leases until all jobs have ended, also while the worker stops."""
        while True:
            if self._stopping.wait(self._lease / 3):
                if not self._claims:
                    return
                time.sleep(min(STOP_PAUSE_SECONDS, self._lease / 3))
            try:
                for claimed in self._claims:
                    self._drop_if_stuck(claimed)
                self._replace_dead_threads()
                self._claims.renew()
            except StoreUnavailable as error:
                log.warning("Leases could not be renewed: %s", error)
            except Exception:
                log.exception("Leases could not be renewed")

    def _drop_if_stuck(self, claimed: ClaimedJob) -> None:
        """Leave a job that runs for too long to other workers, and give back one that is queued for too long."""
        seconds = time.monotonic() - claimed.since
        if claimed.thread is None and seconds > self._lease:
            self._give_back(claimed)
        elif claimed.thread in claimed.lane.threads and seconds > self._max_run:
            log.error("%s has run for %.0f s and is left to other workers", job_title(claimed.job), seconds)
            claimed.lost = True
            claimed.lane.threads.remove(claimed.thread)
            self._add_job_thread(claimed.lane)
            self._claims.drop(claimed)

    def _replace_dead_threads(self) -> None:
        """Start a new thread for each one that has died, and end its job as a failed attempt."""
        if self._stopping.is_set():
            return
        lanes = (self._normal, self._reserved)
        for lane, thread in [(each, one) for each in lanes for one in each.threads if not one.is_alive()]:
            log.error("Thread %s died and is replaced", thread.name)
            lane.threads.remove(thread)
            self._add_job_thread(lane)
            for claimed in [claimed for claimed in self._claims if claimed.thread is thread]:
                claimed.lost = True
                error = RuntimeError("the thread that ran the job died")
                self._attempts.settle(claimed.job, self._attempts.fail(claimed.job, error))
                self._claims.drop(claimed)
        if self._dispatcher is not None and not self._dispatcher.is_alive():
            log.error("The dispatcher died and is replaced")
            self._dispatcher = _thread(self._dispatch, "dispatcher")

    def _add_job_thread(self, lane: Lane) -> None:
        # The thread looks itself up in the list, so it must be there first.
        name = f"{lane.name}-{len(lane.threads)}"
        thread = threading.Thread(target=self._work, args=(lane,), name=name, daemon=True)
        lane.threads.append(thread)
        thread.start()


def _thread(target: Callable[..., None], name: str, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, args=arguments, daemon=True)
    thread.start()
    return thread
