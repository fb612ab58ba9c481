"""Describe events and jobs in words: the summary of an event, the title, state and outcome of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from webhooks.job import (
    DEAD_LETTERS,
    HANDLER_WORDS,
    INCIDENT_HANDLERS,
    JOINT_ACT,
    MONITOR_ALERT,
    NOTICE,
    NOTICE_GROUP,
    REFRESH_INCIDENT,
    RETRYING,
    SLACK_GROUP_PRESS,
    SLACK_PRESS,
    SUPERSEDED_NOTICE,
    UNDELIVERED,
    WAITING,
    Job,
    JobState,
    NewJob,
    failed_attempts,
    shown_state,
)
from webhooks.text import count
from webhooks.views.formats import duration

if TYPE_CHECKING:
    from webhooks.inbox import Attempt, EventRecord, JobRecord

# States in the order in which they matter to a reader.
ORDER = ("dead", "running", RETRYING, WAITING, "ready", "done", "skipped", "cancelled")
RECEPTION = {
    "received": "accepted, not planned yet",
    "planned": "accepted",
    "ignored": "accepted, no rule or handler matched",
}


# What follows the words for a handler: a parameter of the job, and how it is written.
LABELS = {
    DEAD_LETTERS: ("to", "{}"),
    JOINT_ACT: ("origin", "({})"),
    MONITOR_ALERT: ("to", "{}"),
    NOTICE: ("to", "{}"),
    NOTICE_GROUP: ("group", "(group {})"),
    REFRESH_INCIDENT: ("incident", "{}"),
    SLACK_GROUP_PRESS: ("action", "{}"),
    SLACK_PRESS: ("action", "{}"),
    SUPERSEDED_NOTICE: ("to", "{}"),
    UNDELIVERED: ("to", "{}"),
}


def reception(record: EventRecord) -> str:
    """Return the state of the event itself in words: `accepted, 2 duplicates`."""
    duplicates = f", {count(record.duplicates, 'duplicate')}" if record.duplicates else ""
    # No rule asks for the end of an incident, which its messages show.
    updates = record.state == "ignored" and any(job.job.handler in INCIDENT_HANDLERS for job in record.jobs)
    return RECEPTION["planned" if updates else record.state] + duplicates


def event_summary(record: EventRecord, now: datetime) -> list[tuple[str, str]]:
    """Return the states of the event's jobs as pairs of text and state: `1 dead`, `2 done`.

    A single job that waits for its next attempt gives more: `retrying (3 failed attempts, next in 7 s)`, or
    `waiting (next in 7 s)` if none has failed. An event without jobs has its own state. The report of a dead job is not
    counted: it does not belong to the event. Nor are updates of messages about incidents, unless they failed.
    """
    if not record.jobs or record.state == "received":
        return [(record.state, record.state)]
    counted = [job for job in record.jobs if job.job.handler not in INCIDENT_HANDLERS or job.job.state is JobState.DEAD]
    jobs = [job for job in counted if job.job.handler != DEAD_LETTERS] or counted or list(record.jobs[-1:])
    states = Counter(map(job_state, jobs))
    if len(jobs) > 1:
        return [(f"{states[state]} {state}", state) for state in ORDER if states[state]]
    (job,) = jobs
    (state,) = states
    return [(f"{state} ({next_attempt(job, now)})" if state in {RETRYING, WAITING} else state, state)]


def job_state(record: JobRecord) -> str:
    """Return the job's state in words; a ready job that was attempted before is `retrying`, or `waiting` on purpose."""
    return shown_state(record.job.state, record.job.attempts, _failed(record))


def job_title(job: Job | NewJob) -> str:
    """Return the action of the job with its label, such as `notify slack:#bi`, or the name of an `@on` handler."""
    if job.handler in HANDLER_WORDS:
        name, form = LABELS.get(job.handler, ("", ""))
        label = job.params.get(name) or ""
        if job.handler in {SLACK_PRESS, SLACK_GROUP_PRESS}:
            # The names of buttons: incident_acknowledge, group_why.
            label = str(label).partition("_")[2]
        elif isinstance(label, list | tuple):
            label = ", ".join(map(str, label))
        return f"{HANDLER_WORDS[job.handler]} {form.format(label) if label else ''}".rstrip()
    if not job.rule:
        return job.key
    return job.key.removeprefix(f"{job.rule}/").replace("/", " ", 1)


def unfinished_or_last(jobs: Sequence[JobRecord]) -> list[JobRecord]:
    """Return the jobs without those that are done, of each message but for the last: it has many updates."""
    last = {job_title(record.job): record for record in jobs}
    return [record for record in jobs if record.job.state is not JobState.DONE or record in last.values()]


def job_outcome(record: JobRecord, now: datetime) -> str:
    """Return the details of the job's state: the result and the time it took, the error, or the next attempt."""
    job = record.job
    attempts = count(job.attempts, "attempt")
    outcome = job.error or ""
    if job.state is JobState.DONE:
        effort = ", ".join([attempts, *(attempt_duration(attempt) for attempt in record.attempts_made[-1:])])
        outcome = f"{job.error} ({effort})" if job.error else effort
    elif job.state is JobState.DEAD:
        permanent = job.attempts <= 1 < job.max_attempts
        outcome = f"{job.error or 'unknown reason'} ({'permanent' if permanent else f'after {attempts}'})"
    elif job.state is JobState.RUNNING and job.due_at < now:
        outcome = f"attempt {job.attempts}; the worker's lease has expired, another worker takes over"
    elif job.state is JobState.RUNNING:
        since = duration((now - (job.started_at or now)).total_seconds())
        outcome = f"attempt {job.attempts}, for {since} on {job.owner or 'an unknown worker'}"
    elif job.state is JobState.READY and job.attempts:
        outcome = "; ".join(filter(None, [next_attempt(record, now), job.error]))
    elif job.state is JobState.READY:
        wait = (job.due_at - now).total_seconds()
        outcome = f"due in {duration(wait)}" if wait > 0 else "due now, waiting for a worker"
    return outcome


def next_attempt(record: JobRecord, now: datetime) -> str:
    """Return how often a job that is due again has failed and when it is attempted next.

    The attempts that are left are not promised: an error may turn out to be permanent, and waiting on request of the
    other side costs none.
    """
    failed = _failed(record)
    wait = (record.job.due_at - now).total_seconds()
    due = f"next in {duration(wait)}" if wait > 0 else "next one due now"
    return f"{count(failed, 'failed attempt')}, {due}" if failed else due


def _failed(record: JobRecord) -> int:
    return failed_attempts((attempt.number, attempt.outcome) for attempt in record.attempts_made)


def attempts_by_replay(attempts: Sequence[Attempt]) -> list[list[Attempt]]:
    """Return the attempts before the first replay, those before the second, and so on; each part counts from 1."""
    parts: list[list[Attempt]] = [[]]
    for attempt in attempts:
        if attempt.number == 1 and parts[-1]:
            parts.append([])
        parts[-1].append(attempt)
    return parts


def attempt_duration(attempt: Attempt) -> str:
    return duration((attempt.finished_at - attempt.started_at).total_seconds())
