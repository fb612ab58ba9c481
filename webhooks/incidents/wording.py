"""Incidents in words. Of what comes from outside they contain only the names of people who acted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from webhooks.incidents.incident import OWN_KINDS, Cure, Incident, IncidentKind

# The text of the act that closes the incident of content that was deleted in Tableau.
CONTENT_DELETED = "the content was deleted"

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


def describe(incident: Incident) -> str:
    """Return one sentence without a period, such as `Recovered after 2 h 14 min, 3 failures`."""
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


def describe_cure(cure: Cure) -> str:
    """Return what closed an incident, such as `a refresh by Ann`."""
    if cure.kind == "act" and cure.act and cure.act.text == CONTENT_DELETED:
        return CONTENT_DELETED
    if cure.kind == "act":
        return f"closed by {cure.by}"
    if cure.kind == "finding":
        return cure.text or "a check found no problem"
    return f"a refresh by {cure.by}" if cure.kind == "refresh" else "the next run"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 failure` or `3 failures`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def duration(length: timedelta) -> str:
    """Return the two largest units: `3 d 4 h`, `2 h 14 min`, `5 min`, `40 s`."""
    seconds = int(length.total_seconds())
    units = [("d", seconds // 86400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60)]
    largest = next((index for index, (_, number) in enumerate(units) if number), None)
    if largest is None:
        return f"{seconds} s"
    return " ".join(f"{number} {unit}" for unit, number in units[largest : largest + 2] if number)
