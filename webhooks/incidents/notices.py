"""The state of an incident for the destinations of a rule: one message each, and replies in its thread. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from webhooks.incidents.incident import OWN_KINDS, Incident
from webhooks.incidents.policy import URGENCIES, DestinationPolicy, Policy, Urgency
from webhooks.incidents.replies import Reply, replies
from webhooks.incidents.silences import FOREVER, NO_FACTS, Facts, Holds, Silence
from webhooks.incidents.timing import Release, Timing
from webhooks.incidents.wording import describe

# The key of the notice of the form `message`.
MESSAGE = "message"
# `message`: the one message of the incident at the destination, posted the first time and edited afterwards.
# `thread`: a reply to it, sent once.
Form = Literal["message", "thread"]


@dataclass(frozen=True, slots=True)
class WantedNotice:
    """A message or a reply in its thread that a destination should show.

    `key` identifies it within the incident and the destination. It is up to date if the version that was sent last is
    `version`; compare with !=, because late evidence can also lower it. `text` is one sentence without names of
    content. `due_at` is when it became due, `at` when it could first be sent; `held_until` is the end of the silence or
    quiet hours that hold it now, else None, and `summary_at` the end of those that held it then: it is a part of one
    summary of that time instead of a message of its own.

    `visible`: people should see it in the channel, also if it is a reply in a thread. `escalation`: the destination is
    notified only of what got worse or was not acknowledged. `about` is the other destination whose notification the
    reply reports. `settled`: if it closed, it is not expected to open again at once, so that it is worth a message.
    `over`: it is not posted for the first time any more.
    """

    destination: str
    key: str
    form: Form
    version: int
    urgency: Urgency
    text: str
    due_at: datetime
    at: datetime
    held_until: datetime | None = None
    summary_at: datetime | None = None
    mention: str = ""
    visible: bool = True
    escalation: bool = False
    about: str = ""
    settled: bool = True
    over: bool = False


def wanted_notices(
    incident: Incident,
    policy: Policy,
    now: datetime,
    silences: Sequence[Silence] = (),
    facts: Facts = NO_FACTS,
    *,
    notified: Collection[str] = (),
) -> list[WantedNotice]:
    """Return what each destination of the policy should show of the incident, the most urgent first.

    A destination that is not notified yet has none. For each there is one notice of the form `message`; the other ones
    are replies in its thread. Pass all silences that were in force since the incident opened, and as `notified` the
    destinations that show the message already: it is kept up to date there, even if later evidence means that it was
    not due. An incident that closed before its opening could be sent has none.
    """
    if policy.each:
        return []
    timing = Timing(incident, policy, now, Holds.of(incident, policy.quiet, silences, facts))
    notices = [
        notice
        for destination in policy.destinations
        for notice in _at_destination(timing, destination, notified=destination.to in notified)
    ]
    return sorted(notices, key=lambda notice: (URGENCIES.index(notice.urgency), notice.due_at, notice.destination))


def next_due(
    incident: Incident, policy: Policy, now: datetime, silences: Sequence[Silence] = (), facts: Facts = NO_FACTS
) -> datetime | None:
    """Return the next time at which something may be due without new evidence, acts or silences; None if there is none.

    It may be too early, never too late.
    """
    if policy.each:
        return None
    timing = Timing(incident, policy, now, Holds.of(incident, policy.quiet, silences, facts))
    times = [timing.holds.end(now), *(timing.settles_at(span) for span in incident.open_spans)]
    if not incident.closed_at:
        times += [span.end for span in incident.quiet_spans]
        for destination in policy.destinations:
            times += timing.future(destination)
    return min((time for time in times if time and now < time < FOREVER), default=None)


def first_release(
    incident: Incident, policy: Policy, to: str, now: datetime, *, silences: Sequence[Silence], facts: Facts
) -> Release | None:
    """Return when a destination is notified for the first time without new evidence or acts; None if it is not."""
    timing = Timing(incident, policy, now, Holds.of(incident, policy.quiet, silences, facts))
    found = [timing.begin(destination) for destination in policy.destinations if destination.to == to]
    return min((one for one in found if one), key=lambda one: one.at, default=None)


def _at_destination(timing: Timing, destination: DestinationPolicy, *, notified: bool) -> list[WantedNotice]:
    """Return the message at the destination and the replies in its thread."""
    begun = timing.begin(destination)
    # What the server has repaired at once at its own side is worth a message.
    over = timing.incident.closed_at is not None and timing.incident.kind not in OWN_KINDS
    if over and not notified:
        return []
    if notified and (begun is None or begun.at > timing.now):
        begun = Release(timing.incident.recorded_at, timing.incident.recorded_at, None)
    if begun is None or begun.due_at > timing.now:
        return []
    message = WantedNotice(
        destination=destination.to,
        key=MESSAGE,
        form="message",
        version=timing.incident.version,
        urgency=_urgency(timing.incident, destination),
        text=describe(timing.incident),
        due_at=begun.due_at,
        at=begun.at,
        held_until=begun.at if begun.at > timing.now else timing.holds.end(timing.now),
        summary_at=begun.summary_at,
        mention=destination.mention,
        escalation=destination.is_escalation,
        settled=timing.is_settled,
        over=over,
    )
    if begun.at > timing.now:
        return [message]
    return [message, *(_in_thread(message, reply) for reply in replies(timing, destination, begun.at))]


def _urgency(incident: Incident, destination: DestinationPolicy) -> Urgency:
    if incident.closed_at:
        return "close"
    if incident.state != "open":
        return "acknowledge"
    return "escalation" if destination.is_escalation else "open"


def _in_thread(message: WantedNotice, reply: Reply) -> WantedNotice:
    return replace(
        message,
        key=reply.key,
        form="thread",
        version=1,
        urgency=reply.urgency,
        text=reply.text,
        due_at=reply.at,
        at=reply.at,
        summary_at=reply.summary_at,
        mention="",
        visible=reply.visible,
        about=reply.about,
    )
