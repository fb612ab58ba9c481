"""Find out why a refresh or run failed: from Tableau's job list, or from what the monitor recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tableau_rest.errors import NotFound, TableauError
from webhooks.context.lookup import Lookup
from webhooks.context.shared_lookups import QueriesExhausted
from webhooks.event import REASON_FIELD, Event, happened_at
from webhooks.messages.event_message import as_text
from webhooks.messages.failure_reason import failure_reason

if TYPE_CHECKING:
    from tableau_rest.models import Job
    from webhooks.context.context import Context

T = TypeVar("T")

# Seconds between requests for the failed job: Tableau can send the webhook before its job list shows the failure.
JOB_LIST_WAITS = (2.0, 5.0, 10.0)
NO_REASON = "Tableau gives no reason."


def look_up_reason(context: Context, lookup: Lookup) -> tuple[str, str]:
    """Return why the event's refresh or run failed, or why that is unknown.

    Raises RetryLater while the job list may lag behind.
    """
    if context.event.type.from_job_list:
        return recorded_reason(context.event)
    job, problem = find_failed_job(context, lookup)
    return (failure_reason(job.notes) or NO_REASON, "") if job else ("", problem)


def find_failed_job(context: Context, lookup: Lookup) -> tuple[Job | None, str]:
    """Return the job behind a failed refresh, or why it is unknown. Raises RetryLater while the list may lag behind."""
    luid, at, name = context.luid, happened_at(context.event), as_text(context.event.resource_name)
    if luid is None or at is None or lookup.error or lookup.other_site:
        return None, ""
    try:
        job, problem = ask(context, lambda: context.find_failed_job(luid, at=at, name=name))
    except QueriesExhausted as error:
        job, problem = None, str(error)
    if job is not None:
        return job, ""
    if problem:
        return None, f"could not look up the reason: {problem}"
    if lookup.content is not None:
        context.wait("reason", JOB_LIST_WAITS, "Tableau's job list does not show the failed refresh yet")
    return None, "the reason is unknown: Tableau's job list does not show this refresh"


def recorded_reason(event: Event) -> tuple[str, str]:
    """Return the reason that the monitor recorded from the job, or why it is unknown."""
    if event.type.verb != "failed":
        return "", ""
    notes = event.payload.get(REASON_FIELD)
    if not isinstance(notes, str):
        return "", "the reason was not looked up; the job in Tableau has it"
    return failure_reason(notes) or NO_REASON, ""


def ask(context: Context, question: Callable[[], T]) -> tuple[T | None, str]:
    """Return Tableau's response, or the reason why there is none.

    Raises an error that may pass, unless this is the last attempt.
    """
    try:
        return question(), ""
    except NotFound:
        return None, ""
    except TableauError as error:
        if not error.permanent and not context.last_attempt:
            raise
        return None, str(error)
