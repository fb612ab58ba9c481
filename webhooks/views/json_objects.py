"""Build the JSON objects of events, jobs and attempts: the field names that other programs rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from webhooks.job import JobState
from webhooks.views.formats import iso
from webhooks.views.wording import attempts_by_replay

if TYPE_CHECKING:
    from webhooks.inbox import Attempt, EventRecord, JobRecord
    from webhooks.incidents import Run

Hide = Callable[[str], str]


def event_object(record: EventRecord, hide: Hide) -> dict[str, Any]:
    """Return the event with its jobs; the payload's values are unchanged, a missing field is null.

    `hide` masks secrets in everything that the server itself recorded: errors and params.
    """
    event = record.event
    return {
        "id": event.id,
        "event_type": event.event_type,
        "resource": event.resource,
        "resource_name": event.resource_name,
        "resource_luid": event.resource_luid,
        "site_luid": event.site_luid,
        "created_at": event.created_at,
        "received_at": iso(event.received_at),
        "state": record.state,
        "duplicates": record.duplicates,
        "rules_version": record.rules_version,
        "payload": dict(event.payload),
        **({"defect": event.defect} if event.defect else {}),
        "jobs": [job_object(job, hide) for job in record.jobs],
    }


def job_object(record: JobRecord, hide: Hide) -> dict[str, Any]:
    """Return the job with its attempts, including those before a replay."""
    job = record.job
    return {
        "id": job.id,
        "rule": job.rule,
        "handler": job.handler,
        "key": job.key,
        "state": job.state.word,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "due_at": iso(job.due_at),
        "error": None if job.state is JobState.DONE else hide_in(job.error, hide),
        "result": hide_in(job.error, hide) if job.state is JobState.DONE else None,
        "params": hide_in(job.params, hide),
        "where": hide_in(job.where, hide),
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "announced_at": iso(record.announced_at),
        "told_at": iso(record.announced_at),  # the former name of announced_at, which other programs may read
        "attempts_made": [
            attempt_object(attempt, replays, hide)
            for replays, attempts in enumerate(attempts_by_replay(record.attempts_made))
            for attempt in attempts
        ],
    }


def attempt_object(attempt: Attempt, replays: int, hide: Hide) -> dict[str, Any]:
    """Return one execution of a job; `number` counts from 1 after each of the `replays` before it."""
    return {
        "replays": replays,
        "number": attempt.number,
        "worker": attempt.worker,
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
        "outcome": attempt.outcome,
        "error": None if attempt.outcome == "done" else hide_in(attempt.error, hide),
    }


def run_object(run: Run, hide: Hide) -> dict[str, Any]:
    """Return one refresh of a workbook, data source or flow; `hide` masks secrets."""
    found: dict[str, Any] = hide_in(
        {
            "site_luid": run.site_luid,
            "resource_luid": run.resource_luid,
            "resource_kind": run.resource_kind,
            "resource_name": run.resource_name,
            "started_at": iso(run.started_at),
            "ended_at": iso(run.ended_at),
            "outcome": run.outcome,
            "reason": run.reason,
            "reason_class": run.reason_class,
            "job_luid": run.job_luid,
            "event_ids": list(run.event_ids),
        },
        hide,
    )
    return found


def hide_in(value: Any, hide: Hide) -> Any:
    """Return a JSON value with the secrets masked in each of its strings."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {key: hide_in(item, hide) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_in(item, hide) for item in value]
    return value
