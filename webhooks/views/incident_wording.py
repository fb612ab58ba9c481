"""Describe incidents in words: the period, the failures, the reason, who was notified, who takes care of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.reasons import ADVICE
from webhooks.incidents.watched import WATCHED
from webhooks.text import count
from webhooks.views.formats import duration

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord
    from webhooks.incidents import Act, Incident
    from webhooks.incidents.incident import ActKind, IncidentKind
    from webhooks.incidents.silences import ActiveSilence

# Returns a time in words, such as `02:14` or `yesterday 23:10`.
When = Callable[[datetime], str]

# Tableau suspends a schedule after this many failures in a row.
STRIKE_LIMIT = 5
# Destinations of a group of incidents that are named.
MOST_NAMED = 4
ACTS: Mapping[ActKind, str] = {
    "acknowledge": "acknowledged",
    "snooze": "snoozed",
    "close": "closed",
    "note": "note added",
    "refresh": "refresh started",
    "replay": "replayed",
}
KINDS: Mapping[IncidentKind, str] = {"dead_letters": "dead letters"}


def kind(incident: Incident) -> str:
    """Return the kind of the incident in words."""
    return KINDS.get(incident.kind, incident.kind)


def name(incident: Incident) -> str:
    """Return the name of the resource, or its LUID if it has no name."""
    return incident.resource_name or incident.resource_luid


def period(incident: Incident, now: datetime, when: When) -> str:
    """Return `02:14 (5 h 46 min)` for an open incident, `02:14 to 04:28 (2 h 14 min)` for a closed one."""
    end = f" to {when(incident.closed_at)}" if incident.closed_at else ""
    return f"{when(incident.opened_at)}{end} ({length(incident, now)})"


def length(incident: Incident, now: datetime) -> str:
    """Return how long the problem has lasted, or did last: `2 h 14 min`."""
    return duration(round(incident.duration(now).total_seconds()))


def failures(incident: Incident) -> str:
    """Return `4 failures in a row`, or `7 failures, 2 in a row`; empty for a problem of the server itself."""
    if incident.failures < 1 or incident.kind in OWN_KINDS:
        return ""
    if incident.kind in WATCHED:
        return f"{incident.in_a_row} in a row" if incident.kind == "missed" and incident.in_a_row > 1 else ""
    total = count(incident.failures, "failure")
    if incident.failures == 1:
        return total
    in_a_row = " in a row" if incident.in_a_row == incident.failures else f", {incident.in_a_row} in a row"
    return total + in_a_row + (", flapping" if incident.flapping else "")


def strikes(record: IncidentRecord) -> str:
    """Return how near Tableau is to suspending the schedule: `strike 4 of 5`; empty if it is closed or unknown."""
    number = record.details.strikes
    return f"strike {number} of {STRIKE_LIMIT}" if number and record.incident.is_open else ""


def next_run(record: IncidentRecord, now: datetime, when: When) -> str:
    """Return when Tableau refreshes the content next: `next run 08:00`; empty if it is closed, unknown or past."""
    at = record.details.next_run_at
    return f"next run {when(at)}" if at and at > now and record.incident.is_open else ""


def reason(incident: Incident) -> str:
    """Return the class and the words of the reason, such as `schema change: column net_amount is gone`."""
    known_class = incident.reason_class if incident.reason_class != "unknown" else None
    # A problem of the server itself has a line for each job, and for each command.
    words = " · ".join(filter(None, map(str.strip, incident.reason.splitlines())))
    return ": ".join(part for part in (known_class, words) if part)


def advice(incident: Incident) -> str:
    """Return what to do about a reason of this class; empty if the incident is closed or no reason is known."""
    if incident.state == "closed" or not incident.reason or incident.reason_class is None:
        return ""
    return ADVICE[incident.reason_class]


def acknowledgement(incident: Incident, when: When) -> str:
    """Return who acknowledged or snoozed the incident, until when, and their note; empty if it is closed."""
    if incident.state == "closed":
        return ""
    if incident.state == "open":
        return "not acknowledged"
    until = f" until {when(incident.quiet_until)}" if incident.quiet_until else ""
    acts = [act for act in incident.acts if act.kind in {"acknowledge", "snooze"} and act.by == incident.quiet_by]
    note = acts[-1].text if acts else ""
    return f"{incident.state} by {incident.quiet_by}{until}" + (f": {note}" if note else "")


def attention(incident: Incident, silence: ActiveSilence | None, when: When) -> str:
    """Return who takes care of the incident and who silenced it: `not acknowledged, silenced by Ann until 14:00 …`."""
    return ", ".join(filter(None, [acknowledgement(incident, when), silence.describe(when) if silence else ""]))


def silenced_of(records: Sequence[IncidentRecord], silences: Mapping[int, ActiveSilence], when: When) -> str:
    """Return how many of these are silenced, `2 of them silenced`, or by whom if all are, by one silence."""
    found = [silences[record.id] for record in records if record.id in silences]
    if found and len(found) == len(records) and len({one.silence.id for one in found}) == 1:
        return f"all {found[0].describe(when)}"
    return f"{len(found)} of them silenced" if found else ""


def short_state(incident: Incident, silence: ActiveSilence | None) -> str:
    """Return the state in one word; `silenced` for an open incident that no one takes care of."""
    return "silenced" if silence and incident.state == "open" else incident.state


def acted(record: IncidentRecord, kind: ActKind, by: str, until: datetime | None, when: When) -> str:
    """Return what was done about an incident: `acknowledged by Ann until 12:00: Month End Close (Finance)`."""
    end = f" until {when(until)}" if until else ""
    return f"{ACTS[kind]} by {by}{end}: {title(record)}"


def title(record: IncidentRecord) -> str:
    """Return the name of the resource with its project: `Month End Close (Finance)`."""
    return name(record.incident) + (f" ({record.details.project})" if record.details.project else "")


def describe_act(act: Act, when: When) -> str:
    """Return an act in words: `acknowledged by Ann until 12:00: waiting for the DBA`."""
    end = f" until {when(act.until)}" if act.until else ""
    job = f" (Tableau job {act.job_luid})" if act.job_luid else ""
    return f"{ACTS[act.kind]} by {act.by}{end}{job}" + (f": {act.text}" if act.text else "")


def notified(record: IncidentRecord, when: When, address: Callable[[str], str]) -> str:
    """Return which destinations show a message and since when: `#finance 02:14, ann@example.org 02:44`."""
    posted = [(notice.destination, notice.posted_at) for notice in record.notices if notice.posted_at]
    return ", ".join(f"{address(to)} {when(at)}" for to, at in posted)


def notified_of(records: Sequence[IncidentRecord], address: Callable[[str], str]) -> str:
    """Return who was notified of how many of several incidents, as a sentence without a full stop.

    `notified #bi of all 12 incidents, ann@example.org of 3 of the 12 incidents, and 2 other destinations`
    """
    numbers = Counter(notice.destination for record in records for notice in record.notices if notice.posted_at)
    total = count(len(records), "incident")
    parts = [
        f"{address(to)} of " + (f"all {total}" if number == len(records) else f"{number} of the {total}")
        for to, number in numbers.most_common(MOST_NAMED)
    ]
    others = len(numbers) - MOST_NAMED
    parts += [f"and {count(others, 'other destination')}"] if others > 0 else []
    return f"notified {', '.join(parts)}" if parts else "no one was notified yet"
