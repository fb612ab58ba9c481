"""The replies in the thread of an incident's message at a destination. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from webhooks.incidents.policy import DestinationPolicy, Urgency
from webhooks.incidents.silences import MAX_CHAIN
from webhooks.incidents.timing import Timing
from webhooks.incidents.wording import STATES, describe, describe_closing, duration


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in the thread of the message."""

    key: str
    at: datetime
    urgency: Urgency
    text: str
    visible: bool = False
    summary_at: datetime | None = None
    about: str = ""


def replies(timing: Timing, destination: DestinationPolicy, begun_at: datetime) -> list[Reply]:
    """Return the replies at a destination that was first notified at `begun_at`, up to now."""
    found = [*_openings(timing), *_acts(timing), *_closings(timing), *_escalations(timing, destination)]
    found += [*_raised(timing), *_reminders(timing, begun_at)]
    return [reply for reply in found if begun_at < reply.at <= timing.now]


def _openings(timing: Timing) -> Iterator[Reply]:
    """Yield a reply for the first time it opened again; visible unless it is snoozed.

    There is none for each further time, because a flapping incident is noise; the message shows it.
    """
    for span in timing.incident.open_spans[1:2]:
        at = timing.holds.end(span.recorded_at) or span.recorded_at
        if span.end is None or at < span.end:
            summary_at = at if at > span.recorded_at else None
            text = f"{STATES[timing.incident.kind]} again"
            yield Reply(f"open {span.evidence}", at, "open", text, timing.is_active(at), summary_at)


def _raised(timing: Timing) -> Iterator[Reply]:
    """Yield a reply for each time it got worse than before; people are alerted again unless it is acknowledged."""
    for number, (recorded_at, text) in enumerate(timing.incident.raised, 1):
        at = timing.holds.end(recorded_at) or recorded_at
        summary_at = at if at > recorded_at else None
        yield Reply(f"worse {number}", at, "escalation", text, timing.is_active(at), summary_at)


def _acts(timing: Timing) -> Iterator[Reply]:
    """Yield a reply for each note, acknowledgement and snooze, and for the end of these while it is still open."""
    for act in timing.incident.acts:
        if act.kind == "note":
            yield Reply(f"note {act.id}", act.at, "acknowledge", f"Note by {act.by}: {act.text}")
    for span in timing.incident.quiet_spans:
        act, word = span.act, "Acknowledged" if span.act.kind == "acknowledge" else "Snoozed"
        period = f" for {duration(act.until - act.at)}" if act.until else ""
        yield Reply(f"{act.kind} {act.id}", span.start, "acknowledge", f"{word} by {act.by}{period}")
        if act.until is None or span.end != act.until:
            continue
        at = timing.holds.end(span.end) or span.end
        if timing.is_active(span.end) and timing.is_active(at):
            summary_at = at if at > span.end else None
            text = f"No longer {word.lower()}: {describe(timing.incident)}"
            yield Reply(f"end {act.id}", at, "repeat", text, visible=True, summary_at=summary_at)


def _closings(timing: Timing) -> Iterator[Reply]:
    for span in timing.incident.open_spans:
        at = timing.settles_at(span)
        if at and span.end and span.cure:
            evidence = span.cure.act or (span.cure.run and span.cure.run.first_evidence)
            name = getattr(evidence, "id", "") or getattr(evidence, "key", "") or span.end.isoformat()
            text = describe_closing(timing.incident, span.end, span.cure)
            yield Reply(f"close {name}", at, "close", text)


def _escalations(timing: Timing, destination: DestinationPolicy) -> Iterator[Reply]:
    """Yield a reply, at the destinations that are notified first, for each one that is notified later."""
    for other in timing.policy.destinations:
        begun = timing.begin(other) if other.is_escalation and not destination.is_escalation else None
        if begun:
            yield Reply(f"escalation {other.to}", begun.at, "count", f"Also notified: {other.to}", about=other.to)


def _reminders(timing: Timing, begun_at: datetime) -> Iterator[Reply]:
    """Yield the last reminder that is due; those before it were sent, or are out of date."""
    interval = timing.policy.repeat
    number = (timing.now - begun_at) // interval if interval else 0
    for _ in range(MAX_CHAIN):
        if interval is None or number < 1:
            return
        due = begun_at + number * interval
        at = timing.holds.end(due) or due
        if at > timing.now:
            return
        if timing.is_active(due) and timing.is_active(at):
            text, summary_at = f"Still {describe(timing.incident).lower()}", at if at > due else None
            yield Reply(f"repeat {number}", at, "repeat", text, visible=True, summary_at=summary_at)
            return
        quiet = next((span for span in timing.incident.quiet_spans if span.covers(due)), None)
        number = min(number - 1, (quiet.start - begun_at) // interval) if quiet else number - 1
