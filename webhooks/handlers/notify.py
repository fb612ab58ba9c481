"""The notify action: tells people about an event, with what Tableau knows about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pydantic import Field

from notifiers import Message, Picture
from tableau_rest import NotFound, TableauError
from webhooks.context import Context, Lookup
from webhooks.destinations import DEFAULT, Destination
from webhooks.event import Event
from webhooks.inbox import Resource
from webhooks.messages.event_message import Known, Template, as_text, compose, happened_at, person
from webhooks.messages.reasons import reason
from webhooks.registry import Params, action

Answer = TypeVar("Answer")

UNSAFE = re.compile(r"[^\w -]+")
LOOKS = (2.0, 5.0, 10.0)
"""Seconds between looks for the failed job: Tableau can send the webhook before its job list is ready."""


class NotifyParams(Params):
    """Who is told, and how."""

    to: Destination = Field(DEFAULT, description="where the message goes: slack:#channel, twilio:+15550100, default, …")
    picture: bool = Field(default=False, description="adds the workbook's preview picture")
    title: Template | None = Field(None, description="a headline of your own, with {name} and the like")
    text: Template | None = Field(None, description="a text of your own, with {reason} and the like")


@action("notify", params=NotifyParams)
def notify(context: Context, params: NotifyParams) -> None:
    """One message for one event, one rule and one destination; its picture follows."""
    picture = (lambda: _preview(context)) if params.picture and _has_picture(context.event) else None
    context.notify(params.to, lambda: _message(context, params), picture=picture, key=params.to)


def _message(context: Context, params: NotifyParams) -> Message:
    event = context.event
    lookup = context.lookup if _can_be_looked_up(event) else Lookup()
    told, why_not = _reason(context, lookup) if event.type.refresh == "failed" else ("", "")
    problems = tuple(filter(None, [lookup.problem, why_not]))
    was = _remembered(context, lookup)
    project = _project(context, lookup) or (was.project if was else "")
    owner = _owner(context, lookup) or (was.owner if was else "")
    known = Known(lookup.content, project, owner, told, problems)
    return compose(event, known, rule=context.job.rule, title=params.title, text=params.text)


def _remembered(context: Context, lookup: Lookup) -> Resource | None:
    """What is gone, as the watch last saw it."""
    return context.inbox.resources.get(context.luid) if lookup.content is None and context.luid else None


def _can_be_looked_up(event: Event) -> bool:
    """Not what was deleted; nor sites, of which a session sees its own only and whose name is in the webhook."""
    return not event.type.content_gone and event.content_kind not in {None, "site"}


def _project(context: Context, lookup: Lookup) -> str:
    project = getattr(lookup.content, "project", None)
    return context.project_path(project) if project else ""


def _owner(context: Context, lookup: Lookup) -> str:
    """The owner with full name and address, which workbooks and data sources do not tell."""
    owner = getattr(lookup.content, "owner", None)
    if owner is None:
        return ""
    user, _ = _asked(context, lambda: context.tableau.user(owner)) if owner.luid else (None, "")
    return (person(user) if user else "") or str(owner.name)


def _reason(context: Context, lookup: Lookup) -> tuple[str, str]:
    """Why the refresh failed, or why nobody knows. Raises RetryLater while the job list may still catch up."""
    luid, at, name = context.luid, happened_at(context.event), as_text(context.event.resource_name)
    if luid is None or at is None or lookup.refused:
        return "", ""
    job, problem = _asked(context, lambda: context.tableau.failed_job(luid, at=at, name=name))
    if job is not None:
        return reason(job.notes) or "Tableau gives no reason.", ""
    if problem:
        return "", f"the reason could not be looked up: {problem}"
    if lookup.content is not None:
        context.wait("reason", LOOKS, "Tableau's job list does not show the failed refresh yet")
    return "", "Tableau's job list does not show the reason"


def _asked(context: Context, question: Callable[[], Answer]) -> tuple[Answer | None, str]:
    """Tableau's answer, or why there is none. Raises what may pass, unless this is the last attempt."""
    try:
        return question(), ""
    except NotFound:
        return None, ""
    except TableauError as error:
        if not error.permanent and not context.last_attempt:
            raise
        return None, str(error)


def _has_picture(event: Event) -> bool:
    return event.content_kind == "workbook" and not event.type.content_gone


def _preview(context: Context) -> Picture | None:
    if context.luid is None:
        return None
    name = as_text(context.event.resource_name) or "workbook"
    data = context.tableau.workbook_preview_image(context.luid)
    return Picture(data, UNSAFE.sub("_", name)[:80] + ".png", alt=f"Preview of the workbook {name}"[:500])
