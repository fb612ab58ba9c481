"""Conditions of searches for incidents."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.notices.tables import notices
from webhooks.inbox.queries import name_filter, resource_filter

CLOSED = "closed"


def incident_filters(
    states: Collection[str],
    kinds: Collection[str],
    resources: Collection[str],
    projects: Collection[str],
    owners: Collection[str],
    *,
    since: datetime | None = None,
) -> list[ColumnElement[bool]]:
    """Return the conditions; of several values of one kind, one has to match.

    `resources` are LUIDs or names, `projects` names or paths, `owners` names or e-mail addresses. `since` leaves
    out those that were closed before.
    """
    filters: list[ColumnElement[bool]] = [incidents.c.state.in_(states)] if states else []
    if states and CLOSED not in states:
        # There is an index of those that are open; most are closed.
        filters.append(incidents.c.closed_at.is_(None))
    if kinds:
        filters.append(incidents.c.kind.in_(kinds))
    if resources:
        filters.append(resource_filter(incidents, resources))
    if projects:
        # A project is stored as its path: Finance/Reports.
        names = [pattern for project in projects for pattern in (project, f"*/{project}")]
        filters.append(or_(*(name_filter(incidents.c.project, name) for name in names)))
    if owners:
        # An owner is stored as: Ann Lee (ann@example.org).
        names = [pattern for owner in owners for pattern in (owner, f"{owner} (*)", f"*({owner})")]
        filters.append(or_(*(name_filter(incidents.c.owner, name) for name in names)))
    if since is not None:
        filters.append(or_(incidents.c.closed_at.is_(None), incidents.c.closed_at >= since.timestamp()))
    return filters


def in_group(number: int) -> ColumnElement[bool]:
    """Return the condition that the incident is a line of this message that several share."""
    return incidents.c.id.in_(select(notices.c.incident_id).where(notices.c.group_id == number))
