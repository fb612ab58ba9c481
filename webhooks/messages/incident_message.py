"""Write the message about an incident: what fails, since when, why, whose it is, who acknowledged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal

from notifiers import IncidentRef, Link, Mention, Message, Severity, Timestamp
from webhooks.event_types import FLOW_RUN_FAILED
from webhooks.incidents import Incident
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.reasons import ADVICE
from webhooks.incidents.silences import ActiveSilence
from webhooks.incidents.wording import CLOSED_STATES, NOUNS, STATES, describe, describe_cure, duration
from webhooks.messages.incident_buttons import NO_ACTIONS, OPEN, Actions
from webhooks.text import count, cut

# Characters of a value from outside in a message; Tableau's names have at most 255.
MAX_VALUE = 1000


@dataclass(frozen=True, slots=True)
class IncidentDetails:
    """Facts about an incident beyond its runs and acts. `problem` says what could not be looked up.

    `page` is the address of the incident's page on this server, if it is known.
    `strikes` is how many failures in a row Tableau counts, `strike_limit` at how many it suspends the schedule,
    `downstream` how many workbooks use the data source.
    """

    number: int
    rule: str = ""
    project: str = ""
    owner: str = ""
    link: str = ""
    page: str = ""
    next_run_at: datetime | None = None
    strikes: int | None = None
    strike_limit: int = 5
    downstream: int | None = None
    problem: str = ""
    # What to do if the class of the reason is unknown.
    advice: str = ""
    # The databases that the content reads; empty if they are unknown.
    upstream: tuple[str, ...] = ()
    # The silence that is in force for the incident.
    silence: ActiveSilence | None = None


def incident_message(
    incident: Incident,
    details: IncidentDetails,
    *,
    title: str = "",
    text: str = "",
    mentions: tuple[Mention, ...] = (),
    actions: Actions = NO_ACTIONS,
    zone: tzinfo = UTC,
) -> Message:
    """Return the whole message about an incident as it is now.

    `title` and `text` are a rule's own, with PLACEHOLDERS filled in. Times are in `zone` where the reader's is not
    known. Without a menu, the message's one link leads to the incident's page, if it has one.
    """
    name, kind = cut(incident.resource_name or incident.resource_luid, MAX_VALUE), NOUNS.get(incident.resource_kind, "")
    link = Link(details.link, "Open in Tableau") if details.link else None
    if details.page and not actions.menu:
        link = Link(details.page, OPEN)
    return Message(
        title=title or (f"{name} ({kind})" if kind else name),
        text="\n".join(filter(None, [text or _reason(incident, details), cut(details.problem, MAX_VALUE)])),
        facts=tuple(fact for fact in _facts(incident, details, zone) if fact[1]),
        link=link,
        severity=_severity(incident),
        footer=" · ".join(filter(None, [details.rule, f"incident {details.number}"])),
        # A rule's own title says that it fails, and so does that of a problem of this server.
        status="" if (title or incident.kind in OWN_KINDS) and incident.state == "open" else status_of(incident),
        mentions=mentions,
        buttons=actions.buttons,
        menu=actions.menu,
        incident=incident_ref(incident, title),
    )


def _reason(incident: Incident, details: IncidentDetails) -> str:
    """Return Tableau's words, and while it is open the advice; of what a watch found, how it ended."""
    reason = cut(incident.reason, MAX_VALUE)
    if not incident.is_open and incident.kind in CLOSED_STATES:
        reason = describe(incident)
    known = bool(reason and incident.reason_class) and not (incident.reason_class == "unknown" and details.advice)
    advice = ADVICE[incident.reason_class or "unknown"] if known else details.advice
    return "\n".join(filter(None, [reason, "" if incident.state == "closed" else advice]))


def _facts(incident: Incident, details: IncidentDetails, zone: tzinfo) -> list[tuple[str, str | Timestamp]]:
    facts: list[tuple[str, str | Timestamp]] = [
        ("Since", Timestamp(incident.opened_at, zone)),
        ("Failures", "" if incident.kind in OWN_KINDS else _failures(incident, details)),
        ("Project", cut(details.project, MAX_VALUE)),
        ("Owner", cut(details.owner, MAX_VALUE)),
        *_acknowledgement(incident, zone),
        ("Silenced", silenced(details, zone)),
        *_refresh(incident, zone),
        *_closing(incident, zone),
    ]
    if details.downstream and incident.is_open:
        facts.append(("Affects", count(details.downstream, "workbook")))
    if details.next_run_at and incident.is_open:
        facts.append(("Next run", Timestamp(details.next_run_at, zone)))
    notes = [act for act in incident.acts if act.kind == "note"]
    if notes:
        # The thread has the ones before.
        facts.append(("Note", cut(f"{notes[-1].by}: {notes[-1].text}", MAX_VALUE)))
    return facts


def incident_ref(incident: Incident, title: str = "") -> IncidentRef:
    """Return what makes the messages about the incident belong together; `title` is a rule's own."""
    state: Literal["open", "acknowledged", "closed"] = "acknowledged" if incident.state == "snoozed" else incident.state
    name = cut(incident.resource_name or incident.resource_luid, MAX_VALUE)
    return IncidentRef(incident.id, state, title or f"{STATES[incident.kind]}: {name}")


def incident_values(incident: Incident, details: IncidentDetails, zone: tzinfo = UTC) -> dict[str, str]:
    """Return the value of each of PLACEHOLDERS for an incident; an empty text if it is unknown."""
    kind = "Datasource" if incident.resource_kind == "datasource" else incident.resource_kind.capitalize()
    return {
        "name": cut(incident.resource_name or incident.resource_luid, MAX_VALUE),
        "event_type": FLOW_RUN_FAILED if kind == "Flow" else f"{kind}RefreshFailed",
        "project": cut(details.project, MAX_VALUE),
        "owner": cut(details.owner, MAX_VALUE),
        "reason": cut(incident.reason, MAX_VALUE),
        "link": details.link,
        "created_at": str(Timestamp(incident.last_failure_at or incident.opened_at, zone)),
    }


def change_message(incident: Incident, text: str, *, mentions: tuple[Mention, ...] = ()) -> Message:
    """Return the short message about a change, for the thread of the incident's message or in place of an edit."""
    name = cut(incident.resource_name or incident.resource_luid, MAX_VALUE)
    ref = incident_ref(incident)
    return Message(f"{name}: {cut(text, MAX_VALUE)}", severity=_severity(incident), mentions=mentions, incident=ref)


def superseded_message(incident: Incident, link: Link | None, *, key: str) -> Message:
    """Return the last content of a message whose incident turned out to be part of this one; `key` is the message's."""
    name = cut(incident.resource_name or incident.resource_luid, MAX_VALUE)
    return Message(
        name,
        "A late report shows that this is one problem with another one, whose message is kept up to date.",
        link=link,
        status="Continued",
        incident=IncidentRef(key, "closed", name),
    )


def status_of(incident: Incident) -> str:
    if incident.state == "acknowledged":
        return "Acknowledged"
    if incident.state == "snoozed":
        return "Snoozed"
    if incident.state == "closed":
        by_hand = incident.cure is not None and incident.cure.kind == "act"
        if by_hand or (incident.kind in CLOSED_STATES and incident.cure and incident.cure.run is None):
            return "Closed"
        return CLOSED_STATES.get(incident.kind, "Recovered")
    return STATES[incident.kind]


def _severity(incident: Incident) -> Severity:
    if incident.state == "closed":
        return "good"
    return "bad" if incident.state == "open" else "warning"


def _failures(incident: Incident, details: IncidentDetails) -> str:
    row = incident.in_a_row
    if incident.kind in CLOSED_STATES:
        return f"{row} in a row" if incident.kind == "missed" and row > 1 else ""
    text = str(incident.failures)
    if row not in {0, incident.failures} and incident.state != "closed":
        text = f"{incident.failures}, {row} in a row"
    if incident.failures > 1 and incident.failures == row:
        text = f"{row} in a row"
    # The first one of five is no news.
    if details.strikes and details.strikes > 1 and incident.state != "closed":
        is_last = details.strikes >= details.strike_limit
        limit = f"{details.strikes} of {details.strike_limit}"
        text += (
            f"; {limit}: Tableau suspends the schedule"
            if is_last
            else f"; {limit} before Tableau suspends the schedule"
        )
    return text


def _acknowledgement(incident: Incident, zone: tzinfo) -> list[tuple[str, str | Timestamp]]:
    if not incident.quiet_by:
        return []
    name = "Acknowledged by" if incident.state == "acknowledged" else "Snoozed by"
    found: list[tuple[str, str | Timestamp]] = [(name, cut(incident.quiet_by, MAX_VALUE))]
    if incident.quiet_until:
        found.append(("Until", Timestamp(incident.quiet_until, zone)))
    return found


def silenced(details: IncidentDetails, zone: tzinfo) -> str:
    """Return who silenced the incident and until when, `by Ann until 31 Jan 14:00 (silence 3)`; empty if no one did."""
    if details.silence is None:
        return ""
    return cut(details.silence.describe(lambda at: str(Timestamp(at, zone))).removeprefix("silenced "), MAX_VALUE)


def _refresh(incident: Incident, zone: tzinfo) -> list[tuple[str, str | Timestamp]]:
    """Return who started a refresh since the last failure, and when."""
    started = [act for act in incident.acts if act.kind == "refresh"]
    last = incident.last_failure_at or incident.opened_at
    if not incident.is_open or not started or started[-1].at <= last:
        return []
    return [("Refresh by", cut(started[-1].by, MAX_VALUE)), ("Started", Timestamp(started[-1].at, zone))]


def _closing(incident: Incident, zone: tzinfo) -> list[tuple[str, str | Timestamp]]:
    if incident.closed_at is None:
        return []
    length = duration(incident.duration(incident.closed_at))
    label, cure = describe_cure(incident.cure) if incident.cure else ("", "")
    return [("Closed", Timestamp(incident.closed_at, zone)), ("Duration", length), (label, cut(cure, MAX_VALUE))]
