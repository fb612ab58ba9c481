"""Look up a subscription together with the content that it sends, which has the project, the tags and the link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tableau_rest.errors import NotFound
from tableau_rest.models import Reference, View, Workbook

if TYPE_CHECKING:
    from tableau_rest import Tableau

UNKNOWN = Reference()


@dataclass(frozen=True, slots=True)
class SubscribedContent:
    """A subscription: `owner` is the recipient, and the other fields are those of the content.

    `content_name` is the name of the view or workbook; it and what follows are empty if the content no longer exists.
    """

    luid: str
    name: str
    owner: Reference
    content_name: str = ""
    project: Reference = UNKNOWN
    tags: tuple[str, ...] = ()
    webpage_url: str = ""


def subscribed_content(tableau: Tableau, luid: str) -> SubscribedContent:
    """Return the subscription with this LUID. Raises TableauError, NotFound if it no longer exists."""
    found = tableau.subscription(luid)
    subscription = SubscribedContent(found.luid, found.subject, found.user)
    if found.content is None or found.content.kind not in {"view", "workbook"}:
        return subscription
    try:
        content: View | Workbook
        if found.content.kind == "view":
            content = tableau.view(found.content.luid)
            # Tableau's responses give no address of a view.
            workbook = tableau.workbook(content.workbook.luid) if content.workbook.luid else None
            project, link = content.project, workbook.webpage_url if workbook else ""
            # The reference of a view to its project may lack the name.
            project = workbook.project if workbook and not project.name else project
        else:
            content = tableau.workbook(found.content.luid)
            project, link = content.project, content.webpage_url
    except NotFound:
        return subscription
    return SubscribedContent(found.luid, found.subject, found.user, content.name, project, content.tags, link)
