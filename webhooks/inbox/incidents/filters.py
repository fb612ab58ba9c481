"""Conditions of searches for incidents."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select

from webhooks.inbox.incidents.tables import incidents
from webhooks.inbox.notices.tables import notices
from webhooks.inbox.queries import name_filter, resource_filter
from webhooks.incidents import IncidentFilter

CLOSED = "closed"


def incident_conditions(chosen: IncidentFilter) -> list[ColumnElement[bool]]:
    """Return the conditions of the filter."""
    filters: list[ColumnElement[bool]] = [incidents.c.state.in_(chosen.states)] if chosen.states else []
    if chosen.states and CLOSED not in chosen.states:
        # There is an index of those that are open; most are closed.
        filters.append(incidents.c.closed_at.is_(None))
    if chosen.kinds:
        filters.append(incidents.c.kind.in_(chosen.kinds))
    if chosen.resources:
        filters.append(resource_filter(incidents, chosen.resources))
    if chosen.projects:
        # A project is stored as its path: Finance/Reports.
        names = [pattern for project in chosen.projects for pattern in (project, f"*/{project}")]
        filters.append(or_(*(name_filter(incidents.c.project, name) for name in names)))
    if chosen.owners:
        # An owner is stored as: Ann Lee (ann@example.org).
        names = [pattern for owner in chosen.owners for pattern in (owner, f"{owner} (*)", f"*({owner})")]
        filters.append(or_(*(name_filter(incidents.c.owner, name) for name in names)))
    if chosen.since is not None:
        filters.append(or_(incidents.c.closed_at.is_(None), incidents.c.closed_at >= chosen.since.timestamp()))
    return filters


def in_group(number: int) -> ColumnElement[bool]:
    """Return the condition that the incident is a line of this message that several share."""
    return incidents.c.id.in_(select(notices.c.incident_id).where(notices.c.group_id == number))
