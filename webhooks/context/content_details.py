"""The project and the owner of the content that an event is about, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webhooks.context.failed_job import ask
from webhooks.context.lookup import Lookup
from webhooks.messages.event_message import format_user

if TYPE_CHECKING:
    from webhooks.context.context import Context


def project_and_owner(context: Context, lookup: Lookup) -> tuple[str, str]:
    """Return the project's path and the owner's full name and address, as last seen by the monitor if it is gone."""
    content = lookup.content
    if content is None:
        seen = context.inbox.resources.get(context.luid) if context.luid else None
        return (seen.project, seen.owner) if seen else ("", "")
    project, owner = getattr(content, "project", None), getattr(content, "owner", None)
    # Workbooks and data sources name their owner without the full name.
    user, _ = ask(context, lambda: context.find_user(owner.luid)) if owner and owner.luid else (None, "")
    owner_name = (format_user(user) if user else "") or (str(owner.name) if owner else "")
    return context.project_path(project) if project else "", owner_name
