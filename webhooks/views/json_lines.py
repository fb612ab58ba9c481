"""Events, jobs and attempts as JSON, one object a line: the form that other programs rely on."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from webhooks.inbox import Attempt, EventRecord, JobRecord

FRAGILE = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that some programs take for the end of a line, and those that a terminal obeys."""

Hide = Callable[[str], str]


def event_object(record: EventRecord, hide: Hide) -> dict[str, Any]:
    """The event with its jobs. The values of the payload are those that came in; a missing one is null.

    `hide` masks secrets in what the server itself wrote: errors and params.
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
        "received_at": utc(event.received_at),
        "state": record.state,
        "duplicates": record.duplicates,
        "payload": dict(event.payload),
        "jobs": [job_object(job, hide) for job in record.jobs],
    }


def job_object(record: JobRecord, hide: Hide) -> dict[str, Any]:
    job = record.job
    return {
        "id": job.id,
        "rule": job.rule,
        "handler": job.handler,
        "key": job.key,
        "state": job.state.word,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "due_at": utc(job.due_at),
        "error": _hidden(job.error, hide),
        "params": _hidden(job.params, hide),
        "where": _hidden(job.where, hide),
        "created_at": utc(job.created_at),
        "started_at": utc(job.started_at),
        "finished_at": utc(job.finished_at),
        "told_at": utc(record.told_at),
        "attempts_made": [attempt_object(attempt, hide) for attempt in record.attempts_made],
    }


def attempt_object(attempt: Attempt, hide: Hide) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "started_at": utc(attempt.started_at),
        "finished_at": utc(attempt.finished_at),
        "outcome": attempt.outcome,
        "error": _hidden(attempt.error, hide),
    }


def utc(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and a Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def write(value: Mapping[str, Any]) -> None:
    """Prints one JSON object on one line of its own, whatever characters are in it."""
    click.echo(line(value, ascii_only=not _unicode(sys.stdout.encoding)))


def line(value: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    text = json.dumps(value, ensure_ascii=ascii_only)
    return FRAGILE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _unicode(encoding: str | None) -> bool:
    return (encoding or "").lower().replace("-", "").startswith("utf")


def _hidden(value: Any, hide: Hide) -> Any:
    """A JSON value whose texts are hidden where they hold a secret."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {key: _hidden(one, hide) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(one, hide) for one in value]
    return value
