"""The content that an event is about, and its project and owner in words, with requests that run at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.context import projects
from webhooks.context.concurrently import concurrently
from webhooks.context.failed_job import ask
from webhooks.context.lookup import Lookup, is_from_other_site
from webhooks.context.shared_lookups import not_before, shared_lookups
from webhooks.errors import Permanent
from webhooks.event import happened_at
from webhooks.messages.event_message import as_text, format_user

if TYPE_CHECKING:
    from tableau_rest.models import Reference, User
    from webhooks.context.context import Context


def project_and_owner(context: Context, lookup: Lookup) -> tuple[str, str]:
    """Return the project's path and the owner's full name and address, as last seen by the monitor if it is gone.

    What is not known yet is requested at the same time.
    """
    content = lookup.content
    if content is None:
        seen = context.inbox.resources.get(context.luid) if context.luid else None
        return (seen.project, seen.owner) if seen else ("", "")
    project, owner = getattr(content, "project", None), getattr(content, "owner", None)
    # Workbooks and data sources name their owner without the full name.
    if project and owner and owner.luid and _knows_neither(context, project, owner):
        with concurrently(lambda: context.project_path(project)) as found:
            user = _user(context, owner)
        path = found.result()
    else:
        user = _user(context, owner) if owner and owner.luid else None
        path = context.project_path(project) if project else ""
    return path, (format_user(user) if user else "") or (str(owner.name) if owner else "")


def _user(context: Context, owner: Reference) -> User | None:
    return ask(context, lambda: context.find_user(owner.luid))[0]


def _knows_neither(context: Context, project: Reference, owner: Reference) -> bool:
    tableau, now = context.tableau, context.now()
    knows_user = shared_lookups(tableau).knows_user(owner.luid, now)
    return bool(project.luid) and not knows_user and not projects.knows(project, tableau, now)


def look_up_details(context: Context) -> tuple[Lookup, str, str]:
    """Return the content of the event, its project and its owner.

    Of a failed refresh, request the job at the same time, as a message needs all of them: `context.find_failed_job`
    returns or raises what was found then. Only the first attempt does so, and only if the content is not known yet.
    Raises what `context.lookup` and `project_and_owner` raise.
    """
    event, luid, at = context.event, context.luid, happened_at(context.event)
    if luid is None or at is None or not _may_request_job(context, luid):
        return context.lookup, *project_and_owner(context, context.lookup)
    find, name = context.find_failed_job, as_text(event.resource_name)
    # All end here: each request has a deadline, and nothing may go on after its job, as the inbox may be closed then.
    with concurrently(lambda: find(luid, name=name, at=at)) as requested:
        found = context.lookup, *project_and_owner(context, context.lookup)
    context.requested_job = requested
    return found


def _may_request_job(context: Context, luid: str) -> bool:
    """Return whether the job is going to be needed, and can be found."""
    event = context.event
    has_job = event.type.refresh == "failed" and not event.type.from_job_list
    if not has_job or event.content_kind is None or context.job.attempts > 1:
        return False
    try:
        known = shared_lookups(context.tableau).knows_content(
            event.content_kind, luid, not_before(event, context.now())
        )
        # The job of another site cannot be found, and Tableau limits the queries.
        return not known and not is_from_other_site(event, context.tableau)
    except (TableauError, Permanent):
        return False
