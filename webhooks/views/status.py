"""The state of everything on one screen: what is broken, since when, who was notified. From the inbox alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from webhooks.incidents import IncidentFilter
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.incidents.silences import ActiveSilence
from webhooks.text import count
from webhooks.views import silence_wording
from webhooks.views.formats import iso, midnight
from webhooks.views.incident_objects import incident_object
from webhooks.views.json_objects import Hide
from webhooks.views.outages import UnavailableService
from webhooks.views.silence_wording import SiteName
from webhooks.views.webhook_health import WebhookHealth

if TYPE_CHECKING:
    from webhooks.inbox import Inbox, IncidentRecord
    from webhooks.inbox.access.visible import VisibleInbox

# Of pages that show the state of the webhooks among other checks.
NOT_READ = WebhookHealth("unknown", "webhooks not read")
# Outcomes of runs that are over, in the order in which they are named after the successes.
FAILURES = ("failed", "cancelled", "unknown")


@dataclass(frozen=True, slots=True)
class Status:
    """The open incidents, those that need someone first, and figures for one line.

    `counts` has the number of open incidents by state, `refreshes` the number of runs since midnight by outcome,
    `silences` the silence in force for an incident by its number. `unavailable` and `dead_letters`, the number of jobs
    that have failed for good, are None if they must not be shown.
    """

    at: datetime
    since: datetime
    incidents: Sequence[IncidentRecord]
    counts: Mapping[str, int]
    refreshes: Mapping[str, int]
    webhooks: WebhookHealth
    unavailable: Sequence[UnavailableService] | None
    silences: Mapping[int, ActiveSilence]
    dead_letters: int | None = None

    @property
    def open(self) -> int:
        """The number of open incidents, whether acknowledged or not."""
        return sum(self.counts.values())


def read_status(
    inbox: Inbox | VisibleInbox,
    *,
    now: datetime,
    zone: tzinfo,
    webhooks: WebhookHealth = NOT_READ,
    unavailable: Sequence[UnavailableService] | None = None,
    dead_letters: int | None = None,
    site_name: SiteName,
    limit: int | None = None,
    with_refreshes: bool = True,
) -> Status:
    """Return the status; of the open incidents, `limit` are read at most.

    The runs of a day may be thousands; they are counted only `with_refreshes`.
    """
    since = midnight(now, zone)
    counts = dict.fromkeys(OPEN_STATES, 0)
    for (_, state), number in inbox.incidents.count_open().items():
        counts[state] += number
    incidents = inbox.incidents.list(IncidentFilter(states=OPEN_STATES), limit=limit)
    return Status(
        at=now,
        since=since,
        incidents=sorted(incidents, key=lambda record: OPEN_STATES.index(record.incident.state)),
        counts=counts,
        refreshes=inbox.runs.outcomes_since(since) if with_refreshes else {},
        webhooks=webhooks,
        unavailable=unavailable,
        dead_letters=dead_letters,
        silences=silence_wording.in_force(inbox.silences.since(now), incidents, site_name, now),
    )


def summary(status: Status) -> list[str]:
    """Return the parts of the first line: incidents, refreshes since midnight, webhooks."""
    parts = [count(status.open, "open incident") if status.open else "No open incidents"]
    parts += [f"{status.counts[state]} {state}" for state in ("acknowledged", "snoozed") if status.counts[state]]
    parts += [f"{len(status.silences)} silenced"] if status.silences else []
    return [", ".join(parts), refreshes(status.refreshes), status.webhooks.text]


def refreshes(outcomes: Mapping[str, int], since: str = "midnight") -> str:
    """Return how the refreshes since a time ended: `207 of 214 refreshes since midnight succeeded, 2 running`."""
    failures = [f"{outcomes[outcome]} {outcome}" for outcome in FAILURES if outcomes.get(outcome)]
    succeeded, running = outcomes.get("succeeded", 0), outcomes.get("running", 0)
    ended = succeeded + sum(outcomes.get(outcome, 0) for outcome in FAILURES)
    also_running = f", {running} running" if running else ""
    if not ended:
        return f"no refreshes since {since}{also_running}"
    details = f" ({', '.join(failures)})" if failures else ""
    return f"{succeeded} of {count(ended, 'refresh', 'refreshes')} since {since} succeeded{details}{also_running}"


def status_object(status: Status, hide: Hide) -> dict[str, Any]:
    """Return the status as JSON."""
    return {
        "at": iso(status.at),
        "open": status.open,
        "acknowledged": status.counts["acknowledged"],
        "snoozed": status.counts["snoozed"],
        "refreshes": {"since": iso(status.since), **status.refreshes},
        "webhooks": {
            "state": status.webhooks.state,
            "text": status.webhooks.text,
            "checked_at": iso(status.webhooks.checked_at),
        },
        "unavailable_services": None
        if status.unavailable is None
        else [service.as_object() for service in status.unavailable],
        "dead_letters": status.dead_letters,
        "incidents": [incident_object(record, hide, status.silences.get(record.id)) for record in status.incidents],
    }
