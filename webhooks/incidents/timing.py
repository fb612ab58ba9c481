"""Decide when a destination is notified: by the policy, acknowledgements, silences and quiet hours. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webhooks.incidents.incident import Incident, OpenSpan
from webhooks.incidents.policy import DestinationPolicy, Policy
from webhooks.incidents.silences import FOREVER, Holds
from webhooks.incidents.state import FLAPPING


@dataclass(frozen=True, slots=True)
class Release:
    """The times at which a notice became due and can be sent, and the end of the silence that held it."""

    due_at: datetime
    at: datetime
    summary_at: datetime | None


@dataclass(frozen=True, slots=True)
class Timing:
    """The times at which notices of one incident are due, as far as is known at `now`.

    What is due follows from the clock of this server: Tableau's may be ahead, and evidence may be late.
    """

    incident: Incident
    policy: Policy
    now: datetime
    holds: Holds

    def begin(self, destination: DestinationPolicy) -> Release | None:
        """Return when the destination is notified for the first time; None if it is not, as far as is known."""
        due = self._due(destination)
        return None if due is None else self._release(max(due, self.incident.recorded_at))

    def _due(self, destination: DestinationPolicy) -> datetime | None:
        """Return when the incident has been bad enough, long enough, without anyone having acknowledged it."""
        if destination.grace:
            soonest = replace(destination, grace=timedelta(), failures=destination.failures + 1)
            latest = replace(destination, grace=timedelta(), after=destination.after + destination.grace)
            return min(filter(None, map(self._due, (soonest, latest))), default=None)
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

    def _release(self, due: datetime) -> Release | None:
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
        return Release(due, at, summary_at)

    def is_active(self, at: datetime) -> bool:
        """Return whether the incident is open at that time, and neither acknowledged nor snoozed."""
        is_open = any(span.covers(at) for span in self.incident.open_spans)
        return is_open and not any(span.covers(at) for span in self.incident.quiet_spans)

    def settles_at(self, span: OpenSpan) -> datetime | None:
        """Return when people are notified that the incident closed at the end of this span; None: they are not.

        If it has opened again before, it may do so once more: until it has been closed for FLAPPING, a recovery is not
        worth a message, unless a person has brought it about.
        """
        if span.cure is None:
            return None
        spans = self.incident.open_spans
        place = spans.index(span)
        if place == 0 or span.cure.kind in {"act", "refresh"}:
            return span.cure.recorded_at
        settled = max(span.cure.recorded_at, span.cure.at) + FLAPPING
        return settled if place + 1 == len(spans) or spans[place + 1].recorded_at >= settled else None

    @property
    def is_settled(self) -> bool:
        """Return whether the incident is open, or people are to be notified by now that it has closed."""
        if not self.incident.closed_at or len(self.incident.open_spans) < 2:
            return True
        settles_at = self.settles_at(self.incident.open_spans[-1])
        return settles_at is not None and settles_at <= self.now

    def future(self, destination: DestinationPolicy) -> list[datetime | None]:
        """Return times at which something may be due at the destination."""
        begun = self.begin(destination)
        if begun is None:
            return []
        times: list[datetime | None] = [begun.due_at, begun.at]
        if self.policy.repeat and begun.at <= self.now:
            following = begun.at + ((self.now - begun.at) // self.policy.repeat + 1) * self.policy.repeat
            if self.is_active(following):
                times += [following, self.holds.end(following)]
        return times
