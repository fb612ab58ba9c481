"""Content of a site: list it, and remember it, so that a message about a deletion can name it and its owner."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from tableau_rest.errors import NotFound, TableauError
from tableau_rest.models import Datasource, Workbook
from tableau_rest.protocol.query import where
from webhooks.event_types import content_event_type
from webhooks.inbox import Inbox, Resource
from webhooks.monitor.missed import MissedEvent

if TYPE_CHECKING:
    from tableau_rest import Tableau


class SiteContent:
    """The workbooks, data sources and users of one site, in Tableau and as remembered in the inbox."""

    def __init__(self, inbox: Inbox, tableau: Callable[[], Tableau]) -> None:
        self._inbox, self._tableau = inbox, tableau

    def site_luid(self) -> str:
        """Return the LUID of the site."""
        return self._tableau().session().site_luid

    def fetch(self, kind: str, since: datetime | None = None) -> list[Workbook | Datasource]:
        """Return the workbooks or data sources, all of them or those updated since then."""
        tableau = self._tableau()
        query = tableau.workbooks if kind == "workbook" else tableau.datasources
        return list(query(where("updatedAt", "gte", since))) if since else list(query())

    def deleted(self, kind: str, absent: Iterable[str], known: dict[str, Resource], at: datetime) -> list[MissedEvent]:
        """Return an event for each `absent` workbook or data source that no longer exists.

        Each one is requested, because Tableau's list may be incomplete.
        """
        deleted = content_event_type(kind, "deleted").name
        missed = []
        for luid in sorted(absent):
            tableau = self._tableau()
            try:
                (tableau.workbook if kind == "workbook" else tableau.datasource)(luid)
            except NotFound:
                missed.append(MissedEvent(deleted, luid, known[luid].name, at))
        return missed

    def remember(self, contents: Iterable[Workbook | Datasource], until: datetime) -> None:
        """Remember the content; what changed after `until` is left to be compared in the next run."""
        site_luid = self.site_luid()
        resources = []
        for content in contents:
            changed_at = content.updated_at or content.created_at
            if changed_at is not None and changed_at >= until:
                continue
            owner = self._inbox.resources.get(content.owner.luid) if content.owner.luid else None
            resources.append(
                Resource(
                    content.luid,
                    content.kind,
                    site_luid,
                    content.name,
                    owner.name if owner else content.owner.name,
                    content.project.name,
                    content.updated_at.timestamp() if content.updated_at else None,
                )
            )
        self._inbox.resources.save(resources)

    def remember_users(self) -> None:
        """Remember the users' names, so that a message about a deletion can name the owner.

        A connected app may not be permitted to list users; then the owners' user names are used.
        """
        site_luid = self.site_luid()
        with suppress(TableauError):
            users = []
            for user in self._tableau().users():
                name, email = user.full_name or user.name, user.email or user.name
                shown = name if name == email or not email else f"{name} ({email})"
                users.append(Resource(user.luid, "user", site_luid, shown))
            self._inbox.resources.save(users)
