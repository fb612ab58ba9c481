"""What became of jobs, in words. Pure."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from webhooks.inbox import EventRecord, JobRecord
from webhooks.job import Job, JobState, NewJob
from webhooks.services import ANNOUNCE
from webhooks.views.formats import count, duration

ORDER = (JobState.DEAD, JobState.RUNNING, JobState.READY, JobState.DONE, JobState.SKIPPED, JobState.CANCELLED)
"""What a reader wants to know of first."""


def summary(record: EventRecord) -> list[tuple[str, str]]:
    """The event in a few words, each with the state that it speaks of: `1 dead`, `2 done`."""
    if not record.jobs or record.state == "received":
        return [(record.state, record.state)]
    counts = Counter(job.job.state for job in record.jobs)
    if len(record.jobs) == 1:
        return [_alone(record.jobs[0].job)]
    return [(f"{counts[state]} {state.word}", state.word) for state in ORDER if counts[state]]


def _alone(job: Job) -> tuple[str, str]:
    tried = f", tried {job.attempts}" if job.state is JobState.READY and job.attempts else ""
    return f"{job.state.word}{tried}", job.state.word


def title(job: Job | NewJob) -> str:
    """What the job is called beside its rule: `notify slack:#bi`, or the handler's name."""
    if job.handler == ANNOUNCE:
        return f"{ANNOUNCE} {', '.join(job.params.get('to', ()))}".rstrip()
    rest = job.key.removeprefix(f"{job.rule}/") if job.rule else job.key
    return rest.replace("/", " ", 1) if job.rule else rest


def story(record: JobRecord, now: datetime) -> str:
    """How the job came to its state, and what comes next."""
    job = record.job
    told = {
        JobState.DONE: _done,
        JobState.DEAD: _dead,
        JobState.RUNNING: _running,
        JobState.READY: _ready,
    }
    return told[job.state](record, now) if job.state in told else job.error or ""


def _done(record: JobRecord, _now: datetime) -> str:
    took = record.attempts_made[-1] if record.attempts_made else None
    seconds = f", {duration((took.finished_at - took.started_at).total_seconds())}" if took else ""
    return f"{count(record.job.attempts, 'attempt')}{seconds}"


def _dead(record: JobRecord, _now: datetime) -> str:
    job = record.job
    reason = "permanent" if job.attempts <= 1 < job.max_attempts else f"after {count(job.attempts, 'attempt')}"
    return f"{job.error or 'no reason known'} ({reason})"


def _running(record: JobRecord, now: datetime) -> str:
    job = record.job
    if job.due_at < now:
        return f"attempt {job.attempts}; its worker is gone, another one takes over"
    since = duration((now - (job.started_at or now)).total_seconds())
    return f"attempt {job.attempts}, for {since} by {job.owner or 'a worker'}"


def _ready(record: JobRecord, now: datetime) -> str:
    job = record.job
    wait = (job.due_at - now).total_seconds()
    due = f"in {duration(wait)}" if wait > 0 else "now, waits for a worker"
    if not job.attempts:
        return due
    again = f"attempt {job.attempts + 1} of {job.max_attempts} {due}"
    return f"{again}; {job.error}" if job.error else again
