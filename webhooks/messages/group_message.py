"""Write the message that several incidents share: a table with a line for each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal

from notifiers import Cell, IncidentRef, Link, Mention, Message, Severity, Table, Timestamp
from webhooks.incidents import Incident, describe_group
from webhooks.incidents.grouping import GROUP_SIZE, OWN_REASONS, shared_upstream
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.reasons import ADVICE
from webhooks.incidents.wording import duration
from webhooks.messages.incident_buttons import NO_ACTIONS, Actions
from webhooks.messages.incident_message import MAX_VALUE, IncidentDetails, silenced, status_of
from webhooks.text import count, cut

COLUMNS = ("Name", "Project", "Since", "Failures", "State", "Reason")
# Open ones first: what does not fit into a message is at the end of the table.
ORDER = ("open", "acknowledged", "snoozed", "closed")
LIST_LABEL = "All incidents of this message"
# Shows what a message leaves out.
LIST_COMMAND = "flask incidents list --limit 0"


@dataclass(frozen=True, slots=True)
class Member:
    """A line of the table."""

    incident: Incident
    details: IncidentDetails


def group_message(
    members: Sequence[Member],
    *,
    summary_at: datetime | None = None,
    mentions: tuple[Mention, ...] = (),
    actions: Actions = NO_ACTIONS,
    zone: tzinfo = UTC,
    key: str = "",
    page: str = "",
) -> Message:
    """Return the message about these incidents as they are now.

    `key` names the group in services that keep the messages about it together. `summary_at` is the end of the silence
    or the quiet hours after which they are listed. Times are in `zone` where the reader's is not known. `page` is the
    address of the page with all lines, if there is one.
    """
    active = [one.incident for one in members if one.incident.is_open]
    is_own = any(one.incident.kind in OWN_KINDS for one in members)
    title = count(len(members), "problem") if is_own else count(len(members), "refresh", "refreshes")
    states = {one.incident.state for one in members}
    introduction = f"{describe_group(one.incident for one in members)}."
    held = "Opened during a silence or quiet hours, and still open at the end." if summary_at else ""
    return Message(
        title=title,
        text="\n".join(filter(None, [introduction, held, _database(members), *_reasons(active)])),
        facts=tuple(_facts([one.incident for one in members], zone)),
        severity=group_severity([one.incident for one in members]),
        status=group_status([one.incident for one in members]),
        footer=f"All incidents: {LIST_COMMAND}",
        table=Table(COLUMNS, table_rows(members, zone), link=Link(page, LIST_LABEL) if page else None),
        mentions=mentions,
        buttons=actions.buttons,
        menu=actions.menu,
        incident=IncidentRef(key, group_state(states), "Failing: several refreshes") if key else None,
    )


def group_state(states: Collection[str]) -> Literal["open", "acknowledged", "closed"]:
    """Return the state of a group from those of its incidents."""
    return "open" if "open" in states else "closed" if set(states) <= {"closed"} else "acknowledged"


def table_rows(members: Iterable[Member], zone: tzinfo) -> tuple[tuple[Cell, ...], ...]:
    """Return a row of COLUMNS for each incident, those that are open first."""
    ordered = sorted(members, key=lambda one: (ORDER.index(one.incident.state), one.incident.opened_at))
    return tuple(_row(one, zone) for one in ordered)


def group_status(members: Sequence[Incident]) -> str:
    """Return the word in front of the title."""
    worst = min(members, key=lambda one: ORDER.index(one.state))
    if worst.state == "closed" and any(status_of(one) == "Recovered" for one in members):
        return "Recovered"
    return status_of(worst)


def group_severity(members: Sequence[Incident]) -> Severity:
    """Return the colour of the message: that of the worst incident."""
    states = {one.state for one in members}
    if states <= {"closed"}:
        return "good"
    return "bad" if "open" in states else "warning"


def _facts(incidents: Sequence[Incident], zone: tzinfo) -> list[tuple[str, str | Timestamp]]:
    first = min(one.opened_at for one in incidents)
    facts: list[tuple[str, str | Timestamp]] = [
        ("Since", Timestamp(first, zone)),
        ("Failures", str(sum(one.failures for one in incidents if one.kind not in OWN_KINDS) or "")),
    ]
    if not any(one.is_open for one in incidents):
        last = max(one.closed_at for one in incidents if one.closed_at)
        facts += [("Closed", Timestamp(last, zone)), ("Duration", duration(last - first))]
    return [fact for fact in facts if fact[1]]


def _database(members: Sequence[Member]) -> str:
    """Return which database the content of all members reads, as far as theirs are known."""
    compared = [one for one in members if one.incident.reason_class not in OWN_REASONS]
    known = [frozenset(one.details.upstream) for one in compared if one.details.upstream]
    shared = cut(", ".join(sorted(shared_upstream(known))), MAX_VALUE)
    if not shared or len(known) < GROUP_SIZE:
        return ""
    return f"All read {shared}." if len(known) == len(members) else f"{len(known)} of them read {shared}."


def _reasons(active: Sequence[Incident]) -> list[str]:
    """Return how many incidents have each class of reasons, and the advice for the most frequent one."""
    classes = Counter(one.reason_class for one in active if one.reason_class and one.reason)
    if not classes:
        return []
    ((most, _),) = classes.most_common(1)
    return [f"Reasons: {', '.join(f'{name} ({number})' for name, number in classes.most_common())}.", ADVICE[most]]


def _row(one: Member, zone: tzinfo) -> tuple[Cell, ...]:
    incident, details = one.incident, one.details
    name = cut(incident.resource_name or incident.resource_luid, MAX_VALUE)
    state, link = status_of(incident), details.page or details.link
    if incident.quiet_by:
        until = f" until {Timestamp(incident.quiet_until, zone)}" if incident.quiet_until else ""
        state = f"{state} by {cut(incident.quiet_by, MAX_VALUE)}{until}"
    # A cell of some services has room for 60 characters.
    if by := silenced(details, zone).partition(" (silence")[0]:
        state = f"{state}, silenced {by}"
    return (
        Link(link, name) if link else name,
        cut(details.project, MAX_VALUE),
        Timestamp(incident.opened_at, zone),
        "" if incident.kind in OWN_KINDS else str(incident.failures),
        state,
        (incident.reason_class or "") if incident.reason else "",
    )
