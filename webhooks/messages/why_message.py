"""Explain to a person why a destination was notified of an incident, and what is going to be sent next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from notifiers import Message, Timestamp
from webhooks.event import MONITOR
from webhooks.incidents import DestinationPolicy, Incident, Policy
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.wording import describe, duration
from webhooks.messages.incident_message import MAX_VALUE
from webhooks.text import cut


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
    return failures + after
