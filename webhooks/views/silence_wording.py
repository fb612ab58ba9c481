"""Silences in words and as JSON: what they match, when they are in force, how many open incidents they match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from webhooks.incidents.silences import EVERY_DAY, ActiveSilence, Facts, active_silence
from webhooks.views.formats import iso
from webhooks.views.incident_wording import When

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord
    from webhooks.incidents.silences import Silence, WeeklyPeriod

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The options of the command line by the fields of a silence.
OPTIONS: Mapping[str, str] = {
    "site": "site",
    "project": "project",
    "path": "path",
    "resource_name": "name",
    "resource_luid": "luid",
    "kind": "kind",
    "reason_class": "reason-class",
    "tags": "tag",
}
# Returns the name of the site with that LUID, empty if there is only one.
SiteName = Callable[[str], str]


def active_object(active: ActiveSilence | None) -> dict[str, Any] | None:
    """Return the silence that holds the messages about an incident as JSON."""
    if active is None:
        return None
    silence = active.silence
    return {"id": int(silence.id), "by": silence.by, "until": iso(active.until), "reason": silence.reason}


def state(silence: Silence, now: datetime) -> str:
    """Return `active`, `waiting` (for its start or its weekly time) or `ended`."""
    if silence.end is not None and silence.end <= now:
        return "ended"
    return "active" if silence.span_at(now) else "waiting"


def matchers(silence: Silence) -> str:
    """Return what a silence matches: `project=Finance* kind=failing`, or `everything`."""
    parts = [f"{OPTIONS[field]}={','.join(patterns)}" for field, patterns in silence.matchers.items() if patterns]
    return " ".join(parts) or "everything"


def period(silence: Silence, when: When) -> str:
    """Return when a silence is in force: `14:00 to 16:00`, `sat,sun 22:00-06:00 from 14:00`."""
    end = f" to {when(silence.end)}" if silence.end else ""
    whole = f"{when(silence.start)}{end}"
    return f"{weekly(silence.weekly)} from {whole}" if silence.weekly else whole


def weekly(times: WeeklyPeriod) -> str:
    """Return weekly times: `sat,sun 22:00-06:00`, `daily 22:00-06:00`."""
    days = "daily" if times.days == EVERY_DAY else ",".join(DAYS[day] for day in sorted(times.days))
    return f"{days} {times.start:%H:%M}-{times.end:%H:%M}"


def matching(silence: Silence, records: Iterable[IncidentRecord], site_name: SiteName) -> list[IncidentRecord]:
    """Return the incidents that the silence is about."""
    return [
        record
        for record in records
        if silence.matches(record.incident, Facts.of(record.details, site_name(record.incident.site_luid)))
    ]


def in_force(
    silences: Iterable[Silence], records: Iterable[IncidentRecord], site_name: SiteName, now: datetime
) -> Mapping[int, ActiveSilence]:
    """Return the silence that holds the messages about each open incident now, by its number."""
    spans = [silence for silence in silences if silence.span_at(now)]
    found = {}
    for record in records if spans else ():
        facts = Facts.of(record.details, site_name(record.incident.site_luid))
        if active := active_silence(record.incident, spans, now, facts):
            found[record.id] = active
    return found


def silence_object(silence: Silence, matched: Sequence[IncidentRecord], now: datetime) -> dict[str, Any]:
    """Return a silence as JSON, with the numbers of the open incidents that it matches."""
    times = silence.weekly
    return {
        "id": int(silence.id),
        "state": state(silence, now),
        "matchers": {field: list(patterns) for field, patterns in silence.matchers.items()},
        "start": iso(silence.start),
        "end": iso(silence.end),
        "weekly": {
            "from": f"{times.start:%H:%M}",
            "to": f"{times.end:%H:%M}",
            "days": [DAYS[day] for day in sorted(times.days)],
            "timezone": str(times.zone),
        }
        if times
        else None,
        "by": silence.by,
        "reason": silence.reason,
        "incidents": [record.id for record in matched],
    }
