"""Explain to a person why a destination was notified of an incident, and what is going to be sent next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from notifiers import Message, Timestamp
from webhooks.event import MONITOR
from webhooks.incidents import DestinationPolicy, Incident, Policy, describe_group
from webhooks.incidents.grouping import GroupKind
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.wording import describe, duration
from webhooks.messages.incident_message import MAX_VALUE
from webhooks.text import count, cut

WHY_GROUPED: Mapping[GroupKind, str] = {
    "storm": "At least three of these refreshes failed within a minute,",
    "upstream": "At least three of these refreshes, whose content reads one database, failed within 15 minutes,",
    "summary": "These refreshes failed during a silence or quiet hours, and were still failing at the end,",
}


def why_message(
    incident: Incident,
    policy: Policy,
    *,
    notified_at: datetime | None,
    waiting: Sequence[DestinationPolicy] = (),
    zone: tzinfo = UTC,
) -> Message:
    """Return which rule notified the destination of `policy`, since when, and what follows.

    `waiting` are the destinations that are notified later, if at all.
    """
    (destination,) = policy.destinations[:1] or (DestinationPolicy(""),)
    condition = _condition(destination)
    own = incident.kind in OWN_KINDS
    of = "problems of this server" if own else "refreshes that fail"
    by = "[dead_letters] of the rules" if policy.rule == MONITOR else f"The rule “{policy.rule}”"
    lines = [
        f"{by} notifies {destination.to} of {of}{condition}.",
        *_planned(incident, policy, waiting, zone),
    ]
    facts: list[tuple[str, Timestamp]] = [("Since" if own else "Failing since", Timestamp(incident.opened_at, zone))]
    if notified_at:
        facts.append(("Notified", Timestamp(notified_at, zone)))
    name = cut(incident.resource_name or incident.resource_luid, MAX_VALUE)
    return Message(f"{name}: {describe(incident)}", "\n".join(lines), facts=tuple(facts))


def why_group_message(
    incidents: Collection[Incident], kind: GroupKind, destination: str, rules: Iterable[str]
) -> Message:
    """Return why the incidents share a message at the destination, by which rules, and what follows."""
    names = ", ".join(f"“{rule}”" for rule in dict.fromkeys(rules))
    lines = [
        f"{WHY_GROUPED[kind]} so they share this message at {destination}. Rules: {names}.",
        "Each keeps its own state: the table shows it, and it can be acknowledged alone with flask incidents ack.",
    ]
    if any(one.is_open for one in incidents):
        lines.append("Next: failures and recoveries only change the message, until all have closed.")
    else:
        lines.append("Nothing follows: all have closed.")
    return Message(f"{count(len(incidents), 'refresh', 'refreshes')}: {describe_group(incidents)}", "\n".join(lines))


def _planned(incident: Incident, policy: Policy, waiting: Sequence[DestinationPolicy], zone: tzinfo) -> Iterator[str]:
    if not incident.is_open:
        yield "Nothing follows: it is closed. A later failure is a new message, or opens it again within 30 minutes."
        return
    if incident.state != "open":
        until = f"until {Timestamp(incident.quiet_until, zone)}" if incident.quiet_until else "until it recovers"
        yield f"Next: no reminders and no escalations {until}. The recovery changes the message."
        return
    further = "changes" if incident.kind in OWN_KINDS else "failures"
    yield f"Next: further {further} only change the message; so does the recovery."
    if policy.repeat:
        yield f"A reminder follows every {duration(policy.repeat)} while it is open and not acknowledged."
    for one in waiting:
        yield f"{one.to} is notified{_condition(one)}."


def _condition(destination: DestinationPolicy) -> str:
    """Return when a destination is notified, as the end of a sentence."""
    failures = f" from {destination.failures} failures in a row on" if destination.failures > 1 else ""
    after = f" if it is not acknowledged within {duration(destination.after)}" if destination.after else ""
    grace = f", unless the next run succeeds within {duration(destination.grace)}" if destination.grace else ""
    return failures + after + grace
