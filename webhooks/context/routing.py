"""Find the destination that the table `[routes]` has for the project of an event's content."""

from __future__ import annotations

from collections.abc import Sequence

from webhooks.context.conditions import match_project
from webhooks.context.context import Context
from webhooks.context.lookup import Lookup
from webhooks.errors import Permanent, Skip
from webhooks.event import MONITOR
from webhooks.patterns import matches


def find_route(context: Context, routes: Sequence[tuple[str, str]]) -> str:
    """Return the destination of the first route whose pattern matches the project.

    Content without a project, and content of which it is not known, has the route of `*`. Raises Skip if the route has
    no destination for this job, Permanent if Tableau does not give the whole path, and errors of Tableau that may pass.
    """
    event = context.event
    of_server = event.origin == MONITOR and not event.type.from_watch
    has_content = not of_server and not event.type.content_gone and event.content_kind not in {None, "site"}
    content = (context.lookup if has_content else Lookup()).content
    project = getattr(content, "project", None)
    seen = context.inbox.resources.get(context.luid) if content is None and context.luid else None
    path = seen.project if seen else ""
    for pattern, to in routes:
        if not pattern.strip("*"):
            found = True
        elif project and project.luid:
            found = match_project((pattern,), project, context).matched
        else:
            name = project.name if project else path.rpartition("/")[2]
            found = matches((pattern,), [one for one in (name, path) if one])
        if found and not to:
            raise Skip(f"the route {pattern} has no further destination")
        if found:
            return to
    raise Permanent("no route matches the project")
