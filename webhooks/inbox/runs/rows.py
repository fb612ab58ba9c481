"""Runs as they are read from rows and written to them."""

from __future__ import annotations

import json
from typing import Any

from webhooks.clock import from_timestamp, parse_time
from webhooks.inbox.records import optional_time
from webhooks.incidents import Run, RunEvidence

# The site and the LUID of a resource.
ResourceKey = tuple[str, str]
# The columns of a run without its id, in the order of `run_values`.
COLUMNS = (
    "site_luid",
    "resource_luid",
    "resource_kind",
    "resource_name",
    "started_at",
    "ended_at",
    "happened_at",
    "outcome",
    "reason",
    "reason_class",
    "job_luid",
    "evidence",
)


def run_of(row: Any) -> Run:
    """Return the run of a row."""
    pieces = tuple(_piece_of(row, piece) for piece in json.loads(row["evidence"]))
    return Run(
        site_luid=row["site_luid"],
        resource_luid=row["resource_luid"],
        resource_kind=row["resource_kind"],
        resource_name=row["resource_name"],
        started_at=optional_time(row["started_at"]),
        ended_at=optional_time(row["ended_at"]),
        outcome=row["outcome"],
        reason=row["reason"],
        reason_class=row["reason_class"],
        job_luid=row["job_luid"],
        sources=frozenset(piece.source for piece in pieces),
        event_ids=tuple(sorted(piece.event_id for piece in pieces if piece.event_id is not None)),
        evidence=pieces,
    )


def run_values(run: Run) -> tuple[Any, ...]:
    """Return the values of a run's columns."""
    return (
        run.site_luid,
        run.resource_luid,
        run.resource_kind,
        run.resource_name,
        run.started_at and run.started_at.timestamp(),
        run.ended_at and run.ended_at.timestamp(),
        run.at.timestamp(),
        run.outcome,
        run.reason,
        run.reason_class,
        run.job_luid,
        json.dumps([_piece(one) for one in run.evidence]),
    )


def _piece(one: RunEvidence) -> dict[str, Any]:
    """Return what the row of the run does not say already."""
    piece: dict[str, Any] = {
        "source": one.source,
        "outcome": one.outcome,
        "recorded_at": one.recorded_at.isoformat(),
        "kind": one.resource_kind,
    }
    if one.started_at:
        piece["started_at"] = one.started_at.isoformat()
    if one.ended_at:
        piece["ended_at"] = one.ended_at.isoformat()
    if one.resource_name:
        piece["name"] = one.resource_name
    if one.reason:
        piece["reason"] = one.reason
    if one.event_id is not None:
        piece["event_id"] = one.event_id
    if one.job_luid:
        piece["job_luid"] = one.job_luid
    return piece


def _piece_of(row: Any, piece: dict[str, Any]) -> RunEvidence:
    return RunEvidence(
        source=piece["source"],
        site_luid=row["site_luid"],
        resource_luid=row["resource_luid"],
        resource_kind=piece["kind"],
        outcome=piece["outcome"],
        recorded_at=parse_time(piece["recorded_at"]) or from_timestamp(row["happened_at"]),
        started_at=parse_time(piece.get("started_at")),
        ended_at=parse_time(piece.get("ended_at")),
        resource_name=piece.get("name", ""),
        reason=piece.get("reason", ""),
        event_id=piece.get("event_id"),
        job_luid=piece.get("job_luid"),
    )
