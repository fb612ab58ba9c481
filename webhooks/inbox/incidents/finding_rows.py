"""Findings as they are read from rows and written to them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, RowMapping, select

from webhooks.clock import from_timestamp
from webhooks.inbox.incidents.tables import findings
from webhooks.inbox.records import optional_time
from webhooks.inbox.runs.rows import ResourceKey
from webhooks.incidents import Finding
from webhooks.incidents.incident import IncidentKind


def findings_of(connection: Connection, kind: IncidentKind, resource: ResourceKey) -> list[Finding]:
    """Return all findings of this kind about a resource."""
    site_luid, resource_luid = resource
    own = (findings.c.resource_luid == resource_luid, findings.c.site_luid == site_luid, findings.c.kind == kind)
    return [_finding_of(row) for row in connection.execute(select(findings).where(*own)).mappings()]


def _finding_of(row: RowMapping) -> Finding:
    return Finding(
        site_luid=row["site_luid"],
        resource_luid=row["resource_luid"],
        resource_kind=row["resource_kind"],
        resource_name=row["resource_name"],
        at=from_timestamp(row["found_at"]),
        problem=bool(row["problem"]),
        names=frozenset({row["name"]}),
        first_name=row["name"],
        recorded=(from_timestamp(row["recorded_at"]), row["event_id"] or 0, row["name"]),
        reason=row["reason"],
        reason_class=row["reason_class"],
        number=row["number"],
        level=row["level"],
        since=optional_time(row["since"]),
        needs_success=bool(row["needs_success"]),
    )


def finding_row(kind: IncidentKind, finding: Finding) -> dict[str, Any]:
    """Return the columns of a finding, without its event."""
    return {
        "kind": kind,
        "site_luid": finding.site_luid,
        "resource_luid": finding.resource_luid,
        "resource_kind": finding.resource_kind,
        "resource_name": finding.resource_name,
        "found_at": finding.at.timestamp(),
        "problem": int(finding.problem),
        "name": finding.first_name,
        "reason": finding.reason,
        "reason_class": finding.reason_class,
        "number": finding.number,
        "level": finding.level,
        "since": finding.since and finding.since.timestamp(),
        "needs_success": int(finding.needs_success),
    }
