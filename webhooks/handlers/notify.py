"""The notify action: send a message about an event, with the details that Tableau adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from notifiers import Message, Picture
from tableau_rest import NotFound, TableauError
from webhooks.context import Context, Lookup
from webhooks.destinations import DEFAULT, Destination
from webhooks.event import REASON_FIELD, Event
from webhooks.messages.event_message import Details, Template, as_text, event_message, format_user, happened_at
from webhooks.messages.failure_reason import failure_reason
from webhooks.registry import Params, action

T = TypeVar("T")

UNSAFE_IN_FILENAMES = re.compile(r"[^\w -]+")
# Seconds between requests for the failed job: Tableau can send the webhook before its job list shows the failure.
JOB_LIST_WAITS = (2.0, 5.0, 10.0)


class NotifyParams(Params):
    """The destination and the contents of a message."""

    to: Destination = Field(DEFAULT, description="where the message goes: slack:#channel, twilio:+15550100, default, …")
    picture: bool = Field(default=False, description="attach the workbook's preview image")
    title: Template | None = Field(None, description="headline instead of the standard one; placeholders as {name}")
    text: Template | None = Field(None, description="text instead of the standard one; placeholders as {reason}")


@action("notify", params=NotifyParams)
def notify(context: Context, params: NotifyParams) -> None:
    """Send one message per event, rule and destination; its picture follows."""
    event, luid = context.event, context.luid

    def preview() -> Picture:
        name = as_text(event.resource_name) or "workbook"
        data = context.tableau.workbook_preview_image(str(luid))
        filename = UNSAFE_IN_FILENAMES.sub("_", name)[:80] + ".png"
        return Picture(data, filename, alt=f"Preview of the workbook {name}"[:500])

    has_picture = params.picture and event.content_kind == "workbook" and luid and not event.type.content_gone
    picture = preview if has_picture else None
    context.notify(params.to, lambda: _message(context, params), picture=picture, key=params.to)


def _message(context: Context, params: NotifyParams) -> Message:
    event = context.event
    # Deleted content cannot be looked up. A session sees its own site only, and the webhook has the name of any.
    skip_lookup = event.type.content_gone or event.content_kind in {None, "site"}
    lookup = Lookup() if skip_lookup else context.lookup
    reason, no_reason = "", ""
    if event.type.from_job_list:
        reason, no_reason = _recorded_reason(event)
    elif event.type.refresh == "failed":
        reason, no_reason = _reason(context, lookup)
    project, owner = _project_and_owner(context, lookup)
    problems = tuple(filter(None, [lookup.problem, no_reason]))
    details = Details(lookup.content, project, owner, reason, problems)
    return event_message(
        event, details, rule=context.job.rule, title=params.title, text=params.text, zone=context.settings.zone
    )


def _project_and_owner(context: Context, lookup: Lookup) -> tuple[str, str]:
    """Return the project's path and the owner's full name and address, as last seen by the monitor if it is gone."""
    content = lookup.content
    if content is None:
        seen = context.inbox.resources.get(context.luid) if context.luid else None
        return (seen.project, seen.owner) if seen else ("", "")
    project, owner = getattr(content, "project", None), getattr(content, "owner", None)
    # Workbooks and data sources name their owner without the full name.
    user, _ = _ask(context, lambda: context.tableau.user(owner)) if owner and owner.luid else (None, "")
    owner_name = (format_user(user) if user else "") or (str(owner.name) if owner else "")
    return context.project_path(project) if project else "", owner_name


def _reason(context: Context, lookup: Lookup) -> tuple[str, str]:
    """Return why the refresh failed, or why that is unknown. Raises RetryLater while the job list may lag behind."""
    luid, at, name = context.luid, happened_at(context.event), as_text(context.event.resource_name)
    if luid is None or at is None or lookup.error or lookup.other_site:
        return "", ""
    job, problem = _ask(context, lambda: context.tableau.failed_job(luid, at=at, name=name))
    if job is not None:
        return failure_reason(job.notes) or "Tableau gives no reason.", ""
    if problem:
        return "", f"could not look up the reason: {problem}"
    if lookup.content is not None:
        context.wait("reason", JOB_LIST_WAITS, "Tableau's job list does not show the failed refresh yet")
    return "", "the reason is unknown: Tableau's job list does not show this refresh"


def _recorded_reason(event: Event) -> tuple[str, str]:
    """Return the reason that the monitor recorded from the job, or why it is unknown."""
    if event.type.verb != "failed":
        return "", ""
    notes = event.payload.get(REASON_FIELD)
    if not isinstance(notes, str):
        return "", "the reason was not looked up; the job in Tableau has it"
    return failure_reason(notes) or "Tableau gives no reason.", ""


def _ask(context: Context, question: Callable[[], T]) -> tuple[T | None, str]:
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
