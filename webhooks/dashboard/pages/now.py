"""The first page: what is broken now, the last night, and whether the server itself works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incidents import presets
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.text import count
from webhooks.views.clusters import Cluster, cluster
from webhooks.views.night import ProjectNight, last_evening, nights
from webhooks.views.status import Status, read_status

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord

# Open incidents that are read, and cards on the page; the list has all of them.
MOST_READ, MOST_SHOWN = 300, 25
# Members of a card for several incidents that it lists by name.
MOST_MEMBERS = 50
# The runs of a night are counted again after this time: there may be thousands.
NIGHT_SECONDS = 15.0


def show(visit: Visit) -> Page:
    """Show the open incidents, those that need someone first."""
    status = read_status(
        visit.inbox,
        now=visit.now,
        zone=visit.zone,
        site_name=visit.site_name,
        limit=MOST_READ,
        with_refreshes=False,
    )
    since = last_evening(visit.now, visit.zone)
    projects, ended = visit.remember("night", NIGHT_SECONDS, lambda: read_night(visit, since))
    figures = visit.whole.counts() if visit.sees_everything else None
    cards = cluster(status.incidents)
    numbers = {"open": status.open, "unacknowledged": status.counts["open"]}
    values = {
        "title": headline(status, cards),
        "status": status,
        "cards": cards[:MOST_SHOWN],
        # With numbers, which say whether a list is worth a look; the open ones are those on this page.
        "presets": [
            (f"{name} {numbers[name]}" if name in numbers else name, url, name == "open")
            for name, url, _ in presets(visit)
        ],
        "left": status.open - sum(len(one.records) if isinstance(one, Cluster) else 1 for one in cards[:MOST_SHOWN]),
        "most_members": MOST_MEMBERS,
        "since": since,
        "projects": projects,
        "highest": max((hour.total for night in projects for hour in night.hours), default=0),
        "per_hour": [sum(night.hours[place].total for night in projects) for place in range(hours(projects))],
        "outcomes": ended,
        "figures": figures,
        "newest_age": visit.now.timestamp() - newest if (newest := (figures or {}).get("newest_event")) else None,
    }
    return Page("now.html", {**frame(visit, "now"), **values})


def headline(status: Status, cards: Sequence[IncidentRecord | Cluster]) -> str:
    """Return the state in one line: `3 things are broken, 1 is being looked at`; one cause is one thing."""
    quiet = status.counts["acknowledged"] + status.counts["snoozed"]
    joined = sum(len(one.records) - 1 for one in cards if isinstance(one, Cluster))
    loud = status.counts["open"] - joined
    if not status.open:
        return "Nothing is broken"
    attended = f"{quiet} {'is' if quiet == 1 else 'are'} being looked at" if quiet else ""
    broken = f"{count(loud, 'thing')} {'is' if loud == 1 else 'are'} broken" if loud else "Nothing new is broken"
    return f"{broken}, {attended}" if attended else broken


def read_night(visit: Visit, since: datetime) -> tuple[Sequence[ProjectNight], Mapping[str, int]]:
    """Return the runs since the evening by project and hour, and how many have ended with each outcome."""
    rows = visit.inbox.overviews.runs_by_hour(since)
    outcomes: Counter[str] = Counter()
    for row in rows:
        outcomes[row.outcome] += row.number
    return nights(rows, since, visit.now), outcomes


def hours(projects: Sequence[ProjectNight]) -> int:
    """Return the number of hours of the night so far."""
    return len(projects[0].hours) if projects else 0
