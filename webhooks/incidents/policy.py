"""The policy of a rule: which destinations are notified of an incident, when, and again when. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from webhooks.incidents.incident import Incident
from webhooks.incidents.silences import FOREVER, MAX_CHAIN, NO_FACTS, Facts, Holds, Silence, WeeklyPeriod
from webhooks.incidents.wording import describe, describe_cure, duration

# In the order in which notices are sent if not all can be sent at once.
Urgency = Literal["open", "escalation", "close", "acknowledge", "repeat", "count"]
URGENCIES: tuple[Urgency, ...] = ("open", "escalation", "close", "acknowledge", "repeat", "count")
# The key of the notice of the form `message`.
MESSAGE = "message"
# `message`: the one message of the incident at the destination, posted the first time and edited afterwards.
# `thread`: a reply to it, sent once.
Form = Literal["message", "thread"]


@dataclass(frozen=True, slots=True)
class DestinationPolicy:
    """A destination of a rule, and from when on it is notified.

    `failures`: only from that many failures in a row on. `after`: only if the incident has been open, and is not
    acknowledged, that long after its opening. `mention` is a person or group to mention in the first message.
    """

    to: str
    failures: int = 1
    after: timedelta = timedelta()
    mention: str = ""

    @property
    def is_escalation(self) -> bool:
        """Return whether the destination is notified only if the incident gets worse or is not acknowledged."""
        return self.failures > 1 or self.after > timedelta()


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy of one rule.

    `repeat`: notify again in this interval while the incident is open and not acknowledged. `quiet`: hours in which
    nothing is sent. With `each`, every failure is a message of its own, sent by the rule's notify jobs: no incident
    notices are wanted.
    """

    rule: str
    destinations: tuple[DestinationPolicy, ...]
    repeat: timedelta | None = None
    quiet: WeeklyPeriod | None = None
    each: bool = False


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
    reply reports.
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
    plan = _Plan(incident, policy, now, Holds.of(incident, policy.quiet, silences, facts))
    notices = [
        notice
        for destination in policy.destinations
        for notice in plan.notices(destination, notified=destination.to in notified)
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
    plan = _Plan(incident, policy, now, Holds.of(incident, policy.quiet, silences, facts))
    times = [plan.holds.end(now)]
    if not incident.closed_at:
        times += [span.end for span in incident.quiet_spans]
        for destination in policy.destinations:
            times += plan.future(destination)
    return min((time for time in times if time and now < time < FOREVER), default=None)


@dataclass(frozen=True, slots=True)
class _Release:
    """The times at which a notice became due and can be sent, and the end of the silence that held it."""

    due_at: datetime
    at: datetime
    summary_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply in the thread of the message."""

    key: str
    at: datetime
    urgency: Urgency
    text: str
    visible: bool = False
    summary_at: datetime | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The notices of one incident at one time.

    What is due follows from the clock of this server: Tableau's may be ahead, and evidence may be late.
    """

    incident: Incident
    policy: Policy
    now: datetime
    holds: Holds

    def notices(self, destination: DestinationPolicy, *, notified: bool) -> list[WantedNotice]:
        """Return the message at the destination and the replies in its thread."""
        begun = self._begin(destination)
        if notified and (begun is None or begun.at > self.now):
            begun = _Release(self.incident.recorded_at, self.incident.recorded_at, None)
        if begun is None or begun.due_at > self.now:
            return []
        message = WantedNotice(
            destination=destination.to,
            key=MESSAGE,
            form="message",
            version=self.incident.version,
            urgency=self._urgency(destination),
            text=describe(self.incident),
            due_at=begun.due_at,
            at=begun.at,
            held_until=begun.at if begun.at > self.now else self.holds.end(self.now),
            summary_at=begun.summary_at,
            mention=destination.mention,
            escalation=destination.is_escalation,
        )
        if begun.at > self.now:
            return [message]
        replies = [*self._openings(), *self._acts(), *self._closings(), *self._escalations(destination)]
        replies += self._reminders(begun.at)
        return [message, *(self._reply(message, reply) for reply in replies if begun.at < reply.at <= self.now)]

    def future(self, destination: DestinationPolicy) -> list[datetime | None]:
        """Return times at which something may be due at the destination."""
        begun = self._begin(destination)
        if begun is None:
            return []
        times: list[datetime | None] = [begun.due_at, begun.at]
        if self.policy.repeat and begun.at <= self.now:
            following = begun.at + ((self.now - begun.at) // self.policy.repeat + 1) * self.policy.repeat
            if self._is_active(following):
                times += [following, self.holds.end(following)]
        return times

    def _begin(self, destination: DestinationPolicy) -> _Release | None:
        """Return when the destination is notified for the first time; None if it is not, as far as is known."""
        due = self._due(destination)
        return None if due is None else self._release(max(due, self.incident.recorded_at))

    def _due(self, destination: DestinationPolicy) -> datetime | None:
        """Return when the incident has been bad enough, long enough, without anyone having acknowledged it."""
        if not destination.is_escalation:
            return self.incident.recorded_at
        reached = next((at for at, in_a_row in self.incident.rows if in_a_row >= destination.failures), None)
        if reached is None:
            return None
        for span in self.incident.open_spans:
            at = max(span.start, reached) + destination.after
            for quiet in self.incident.quiet_spans:
                if quiet.covers(at):
                    at = quiet.end or FOREVER
            if at < (span.end or FOREVER):
                return at
        return None

    def _release(self, due: datetime) -> _Release | None:
        """Return when a notice about the open incident can be sent; None if it closes before that.

        While it is held, the incident has to be open at the end; the notice is then a part of a summary.
        """
        at, summary_at = due, None
        while (held := self.holds.end(at)) is not None:
            span = next((span for span in self.incident.open_spans if span.end is None or held < span.end), None)
            if span is None:
                return None
            at = max(held, span.start)
            summary_at = held if at == held else None
            if held == FOREVER:
                break
        return _Release(due, at, summary_at)

    def _urgency(self, destination: DestinationPolicy) -> Urgency:
        if self.incident.closed_at:
            return "close"
        if self.incident.state != "open":
            return "acknowledge"
        return "escalation" if destination.is_escalation else "open"

    def _is_active(self, at: datetime) -> bool:
        """Return whether the incident is open at that time, and neither acknowledged nor snoozed."""
        is_open = any(span.covers(at) for span in self.incident.open_spans)
        return is_open and not any(span.covers(at) for span in self.incident.quiet_spans)

    def _reply(self, message: WantedNotice, reply: _Reply) -> WantedNotice:
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

    def _openings(self) -> Iterator[_Reply]:
        """Yield a reply for each time it opened again.

        Only the first one is visible, because a flapping incident is noise, and none during a snooze.
        """
        for number, span in enumerate(self.incident.open_spans[1:]):
            at = self.holds.end(span.recorded_at) or span.recorded_at
            if span.end is None or at < span.end:
                summary_at = at if at > span.recorded_at else None
                visible = number == 0 and self._is_active(at)
                yield _Reply(f"open {span.evidence}", at, "open", "Failing again", visible, summary_at)

    def _acts(self) -> Iterator[_Reply]:
        """Yield a reply for each acknowledgement and snooze, and for its end while the incident is still open."""
        for span in self.incident.quiet_spans:
            act, word = span.act, "Acknowledged" if span.act.kind == "acknowledge" else "Snoozed"
            period = f" for {duration(act.until - act.at)}" if act.until else ""
            yield _Reply(f"{act.kind} {act.id}", span.start, "acknowledge", f"{word} by {act.by}{period}")
            if act.until is None or span.end != act.until:
                continue
            at = self.holds.end(span.end) or span.end
            if self._is_active(span.end) and self._is_active(at):
                summary_at = at if at > span.end else None
                text = f"No longer {word.lower()}: {describe(self.incident)}"
                yield _Reply(f"end {act.id}", at, "repeat", text, visible=True, summary_at=summary_at)

    def _closings(self) -> Iterator[_Reply]:
        for span in self.incident.open_spans:
            if span.end and span.cure:
                evidence = span.cure.act or (span.cure.run and span.cure.run.first_evidence)
                name = getattr(evidence, "id", "") or getattr(evidence, "key", "") or span.end.isoformat()
                word = "Closed" if span.cure.kind == "act" else "Recovered"
                text = f"{word} after {duration(span.end - self.incident.opened_at)}: {describe_cure(span.cure)}"
                yield _Reply(f"close {name}", span.cure.recorded_at, "close", text)

    def _escalations(self, destination: DestinationPolicy) -> Iterator[_Reply]:
        """Yield a reply, at the destinations that are notified first, for each one that is notified later."""
        for other in self.policy.destinations:
            begun = self._begin(other) if other.is_escalation and not destination.is_escalation else None
            if begun:
                yield _Reply(f"escalation {other.to}", begun.at, "count", f"Also notified: {other.to}", about=other.to)

    def _reminders(self, begun_at: datetime) -> Iterator[_Reply]:
        """Yield the last reminder that is due; those before it were sent, or are out of date."""
        interval = self.policy.repeat
        number = (self.now - begun_at) // interval if interval else 0
        for _ in range(MAX_CHAIN):
            if interval is None or number < 1:
                return
            due = begun_at + number * interval
            at = self.holds.end(due) or due
            if at > self.now:
                return
            if self._is_active(due) and self._is_active(at):
                text, summary_at = f"Still {describe(self.incident).lower()}", at if at > due else None
                yield _Reply(f"repeat {number}", at, "repeat", text, visible=True, summary_at=summary_at)
                return
            quiet = next((span for span in self.incident.quiet_spans if span.covers(due)), None)
            number = min(number - 1, (quiet.start - begun_at) // interval) if quiet else number - 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """One step at a destination: post the message, edit it, or reply in its thread.

    `covers` are the keys of replies that a first message makes unnecessary, because it shows all of it; record them as
    sent.
    """

    notice: WantedNotice
    action: Literal["post", "edit", "reply"]
    urgency: Urgency
    covers: tuple[str, ...] = ()


def deliveries(wanted: Iterable[WantedNotice], shown: Mapping[tuple[str, str], int]) -> list[Delivery]:
    """Return what is to be sent so that every destination shows what is wanted, the most urgent first.

    `shown` maps destination and key to the version that was sent last. Held notices are left out. Edits are coalesced:
    only the wanted version counts, never those between it and the one that is shown. An escalation that was not sent
    before the incident closed is not sent.
    """
    ready = [notice for notice in wanted if notice.held_until is None]
    replies = [notice for notice in ready if notice.form == "thread"]
    found = []
    for notice in ready:
        if notice.form == "thread":
            continue
        to, version = notice.destination, shown.get((notice.destination, MESSAGE))
        if version is None and not (notice.escalation and notice.urgency == "close"):
            urgency: Urgency = "open" if notice.urgency == "acknowledge" else notice.urgency
            covers = tuple(reply.key for reply in replies if reply.destination == to)
            found.append(Delivery(notice, "post", urgency, covers))
        elif version not in {None, notice.version}:
            urgency = "count" if notice.urgency in {"open", "escalation"} else notice.urgency
            found.append(Delivery(notice, "edit", urgency))
    notified = {to for to, key in shown if key == MESSAGE} | {one.notice.destination for one in found}
    for reply in replies:
        is_new = (reply.destination, MESSAGE) in shown and (reply.destination, reply.key) not in shown
        if is_new and (not reply.about or reply.about in notified):
            found.append(Delivery(reply, "reply", reply.urgency))
    return sorted(found, key=lambda one: (URGENCIES.index(one.urgency), one.notice.due_at, one.notice.destination))
