"""Incidents in words. Of what comes from outside they contain only the names of people who acted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from webhooks.incidents.evidence import RunOutcome
from webhooks.incidents.incident import OWN_KINDS, Cure, Incident, IncidentKind
from webhooks.text import count

# The text of the act that closes the incident of content that was deleted in Tableau.
CONTENT_DELETED = "the content was deleted"

# The kinds of content that is refreshed; with an s for several.
NOUNS: Mapping[str, str] = {"workbook": "workbook", "datasource": "data source", "flow": "flow"}

STATES: Mapping[IncidentKind, str] = {
    "failing": "Failing",
    "missed": "Missed",
    "long": "Running too long",
    "suspended": "Suspended by Tableau",
    "webhook": "Webhook not working",
    "certificate": "Certificate expiring",
    "credential": "Credential expiring",
    "dead_letters": "Messages not delivered",
    "blind": "Tableau not visible",
}


# What became of a watched refresh, in one or two words.
CLOSED_STATES: Mapping[IncidentKind, str] = {"missed": "Came late", "long": "Ended", "suspended": "Resumed"}
# What else is known of the run that closed a watched incident.
OUTCOMES: Mapping[RunOutcome, str] = {"failed": ", and failed", "cancelled": ", and was cancelled"}


def describe(incident: Incident) -> str:
    """Return one sentence without a period, such as `Recovered after 2 h 14 min, 3 failures`."""
    if incident.kind in CLOSED_STATES:
        return _describe_watched(incident)
    failures = count(incident.failures, "failure")
    own = incident.kind in OWN_KINDS
    if incident.state == "closed":
        word = "Closed" if incident.cure and incident.cure.kind == "act" else "Recovered"
        after = f"{word} after {duration(incident.duration(incident.opened_at))}"
        return after if own else f"{after}, {failures}"
    if incident.in_a_row == incident.failures:
        failures = f"{failures} in a row" if incident.failures > 1 else failures
    else:
        failures = f"{failures}, {incident.in_a_row} in a row"
    flapping = ", flapping" if incident.flapping else ""
    quiet = f", {incident.state} by {incident.quiet_by}" if incident.state != "open" else ""
    return f"{STATES[incident.kind]}{'' if own else f', {failures}'}{flapping}{quiet}"


def _describe_watched(incident: Incident) -> str:
    if incident.closed_at and incident.cure:
        return describe_closing(incident, incident.closed_at, incident.cure)
    in_a_row = f", {incident.in_a_row} in a row" if incident.kind == "missed" and incident.in_a_row > 1 else ""
    flapping = ", flapping" if incident.flapping else ""
    quiet = f", {incident.state} by {incident.quiet_by}" if incident.state not in {"open", "closed"} else ""
    return f"{STATES[incident.kind]}{in_a_row}{flapping}{quiet}"


def describe_closing(incident: Incident, at: datetime, cure: Cure) -> str:
    """Return how an incident closed at that time: `Recovered after 34 s. The next run succeeded.`, `Came 2 h late`."""
    if incident.kind not in CLOSED_STATES:
        return _recovery(cure, at - incident.opened_at)
    began = incident.began_at or incident.opened_at
    run, length = cure.run, duration(max(at - began, timedelta()))
    if run is None:
        after, (_, reason) = max(at - incident.opened_at, timedelta()), describe_cure(cure)
        return _recovery(cure, after) if cure.kind == "act" else f"Closed after {duration(after)}: {reason}"
    if incident.kind == "suspended":
        return f"Schedule resumed after {duration(max(at - incident.opened_at, timedelta()))}"
    if incident.kind == "long":
        return f"Ended after {length}{OUTCOMES.get(run.outcome, '')}"
    if run.at < at:
        return f"Came in time, but this was known late{OUTCOMES.get(run.outcome, '')}"
    return f"Came {length} late{OUTCOMES.get(run.outcome, '')}"


def describe_cure(cure: Cure) -> tuple[str, str]:
    """Return what closed an incident, with its label: (`Cured by`, `a refresh by Ann`)."""
    if cure.kind == "act" and cure.act and cure.act.text == CONTENT_DELETED:
        return "Closed because", CONTENT_DELETED
    if cure.kind == "act":
        return "Closed by", cure.by
    if cure.kind == "finding":
        return "Closed because", cure.text or "a check found no problem"
    if cure.kind == "refresh":
        return "Cured by", f"a refresh by {cure.by}"
    return "Cured by", "the next run"


def _recovery(cure: Cure, after: timedelta) -> str:
    label, reason = describe_cure(cure)
    length = duration(after)
    if label == "Closed by":
        return f"Closed by {reason} after {length}."
    if cure.kind == "refresh":
        return f"Recovered after {length}. The refresh by {cure.by} succeeded."
    if cure.run and cure.run.sources == {"job list"}:
        return f"Recovered after {length}. Tableau's job list shows that the next run succeeded."
    if cure.kind == "run":
        return f"Recovered after {length}. The next run succeeded."
    word = "Closed" if cure.kind == "act" else "Recovered"
    return f"{word} after {length}. {reason[0].upper()}{reason[1:]}."


def duration(length: timedelta) -> str:
    """Return the two largest units: `3 d 4 h`, `2 h 14 min`, `5 min`, `40 s`."""
    seconds = int(length.total_seconds())
    units = [("d", seconds // 86400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60)]
    largest = next((index for index, (_, number) in enumerate(units) if number), None)
    if largest is None:
        return f"{seconds} s"
    return " ".join(f"{number} {unit}" for unit, number in units[largest : largest + 2] if number)
