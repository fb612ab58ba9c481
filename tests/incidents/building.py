"""Build evidence and runs of one workbook in few words."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from webhooks.event import Event, parse
from webhooks.incidents.evidence import RunEvidence
from webhooks.incidents.incident import Act
from webhooks.incidents.run import runs
from webhooks.incidents.state import state

MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


def at(clock: str) -> datetime:
    """Return the time of that day; `24:10` and later are times of the next days."""
    hours, minutes, *seconds = (float(part) for part in clock.split(":"))
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def piece(outcome: str, clock: str, number: int | None = None, **fields: Any) -> RunEvidence:
    """Return the evidence of an event about workbook w."""
    time = at(clock)
    values: dict[str, Any] = {
        "source": "webhook",
        "site_luid": "s",
        "resource_luid": "w",
        "resource_kind": "workbook",
        "resource_name": "Sales",
        "recorded_at": time,
        "started_at": time if outcome == "running" else None,
        "ended_at": None if outcome == "running" else time,
        "event_id": number,
    }
    return RunEvidence(outcome=outcome, **(values | fields))  # type: ignore[arg-type]


def job(luid: str, outcome: str, started: str, ended: str | None, **fields: Any) -> RunEvidence:
    """Return the evidence of a job about workbook w."""
    times = {"started_at": at(started), "ended_at": at(ended) if ended else None}
    recorded = at(ended or started)
    return piece(outcome, started, source="job list", job_luid=luid, **({"recorded_at": recorded} | times | fields))


def event(name: str, clock: str, **fields: Any) -> Event:
    """Return an event as Tableau sends it."""
    payload = {
        "resource": "EXTRACTS",
        "event_type": name,
        "resource_name": "Sales",
        "site_luid": "S",
        "resource_luid": "W",
        "created_at": f"{at(clock):%Y-%m-%dT%H:%M:%S}Z",
    }
    parsed = parse(json.dumps(payload | fields).encode())
    assert parsed is not None
    return parsed


def act(kind: str, clock: str, incident: str, until: str | None = None, **fields: Any) -> Act:
    """Return an act of Ann."""
    values: dict[str, Any] = {"id": f"{kind} {clock}", "by": "Ann", "until": at(until) if until else None}
    return Act(kind=kind, incident=incident, at=at(clock), **(values | fields))  # type: ignore[arg-type]


def history(text: str) -> list[RunEvidence]:
    """Return the evidence of `F 2:00, S 3:00`: F failed, S succeeded, C cancelled; numbered from 1."""
    words = {"F": "failed", "S": "succeeded", "C": "cancelled", "R": "running"}
    pairs = [part.split() for part in text.split(",")]
    return [piece(words[word], clock, number) for number, (word, clock) in enumerate(pairs, 1)]


def id_of(number: int) -> str:
    """Return the id of the incident that the event with this number belongs to."""
    (run,) = runs([piece("failed", "2:00", number)])
    return state([run], [], MIDNIGHT)[0].id
