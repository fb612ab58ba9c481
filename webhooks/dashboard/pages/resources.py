"""The list of all content that is refreshed, and one of them with its last runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound

from webhooks.dashboard.badges import badge_path
from webhooks.dashboard.filters import Filters, patterns
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.incidents.wording import NOUNS
from webhooks.views.formats import duration
from webhooks.views.freshness import promises

if TYPE_CHECKING:
    from webhooks.incidents import Run

PATH = "/resources"
NAMES = ("view", "name", "project", "kind")
LABELS = {"name": "name", "project": "project", "kind": ""}
PAGE_SIZE = 25
LAST_RUNS = 100
OPEN = ("open", "acknowledged", "snoozed")
# A run that took this many times the usual time is slow.
SLOW = 1.8


def show(visit: Visit) -> Page:
    """Show content by name with the outcomes of its last 100 runs; failing content only, if that is asked for."""
    filters = Filters.read(PATH, NAMES, visit.request.args)
    last = visit.request.args.get("after", "")
    luid, _, name = last.partition(" ")
    found = visit.inbox.resource_lists.page(
        names=patterns(filters.all("name")),
        projects=filters.all("project"),
        kinds=filters.all("kind"),
        states=OPEN if filters.one("view") == "failing" else (),
        after=(name, luid) if last else None,
        limit=PAGE_SIZE + 1,
    )
    more = None
    if len(found) > PAGE_SIZE:
        found = found[:PAGE_SIZE]
        more = filters.url(after=f"{found[-1].luid} {found[-1].name}")
    values = {
        "title": "Resources",
        "filters": filters,
        "chips": list(filters.chips(LABELS)),
        "presets": [
            ("all", PATH, not filters),
            ("failing", f"{PATH}?view=failing", filters.one("view") == "failing"),
            *((f"{noun}s", f"{PATH}?kind={kind}", filters.one("kind") == kind) for kind, noun in NOUNS.items()),
        ],
        "found": found,
        "failing": visit.inbox.resource_lists.current_incidents(found, OPEN),
        "more": more,
        "usual": usual_seconds,
    }
    return Page("resources.html", {**frame(visit, "resources"), **values})


def show_one(visit: Visit, luid: str) -> Page:
    """Show one workbook, data source or flow with its last runs, its usual time and its incidents."""
    lists = visit.inbox.resource_lists
    content = lists.get(luid)
    if content is None:
        raise NotFound("No refresh of this content was recorded.")
    runs = visit.inbox.runs.list(resource_luid=luid, limit=LAST_RUNS)
    incidents = lists.incidents_of(luid)
    current = next((record for record in incidents if record.incident.is_open), None)
    usual = usual_seconds(content.seconds)
    values = {
        "title": content.name,
        "content": content,
        "runs": runs[::-1],
        "usual": usual,
        "slow": [run for run in runs if is_slow(run, usual)],
        "ends_at": usual_time(runs, visit),
        "next_at": lists.next_expected(luid, visit.now) or (current and current.details.next_run_at),
        "current": current,
        "details": incidents[0].details if incidents else None,
        "incidents": incidents,
        "silence": visit.silences_of([current]).get(current.id) if current else None,
        "badge_url": badge_path(visit.services, luid),
        "slow_limit": usual * SLOW if usual else None,
        "promises": promises(lists.promised(luid), visit.zone),
        # Its workbooks may be in projects that others may not see.
        "downstream": visit.whole.downstream.get(luid)
        if content.kind == "datasource" and visit.sees_everything
        else None,
    }
    return Page("resource.html", {**frame(visit, "resources"), **values})


def usual_seconds(seconds: Sequence[int]) -> float | None:
    """Return the median of the known durations, None without one."""
    known = [one for one in seconds if one > 0]
    return statistics.median(known) if known else None


def is_slow(run: Run, usual: float | None) -> bool:
    """Return whether a run took far longer than usual."""
    if usual is None or run.started_at is None or run.ended_at is None or run.outcome != "succeeded":
        return False
    return (run.ended_at - run.started_at).total_seconds() > usual * SLOW


def usual_time(runs: Sequence[Run], visit: Visit) -> str:
    """Return at which time of the day the runs usually end, or how far apart they are; empty if neither is regular."""
    ends = [run.ended_at.astimezone(visit.zone) for run in runs if run.ended_at and run.outcome == "succeeded"]
    if len(ends) < 5:
        return ""
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(ends)]
    gap = statistics.median(gaps)
    if gap < timedelta(hours=20).total_seconds():
        return f"every {duration(round(gap / 60) * 60)}" if gap >= 60 else ""
    # The median of the differences to the last end, so that times around midnight are not averaged to noon.
    shifts = [minutes_apart(end, ends[0]) for end in ends]
    return f"{ends[0] + timedelta(minutes=statistics.median(shifts)):%H:%M}"


def minutes_apart(one: datetime, other: datetime) -> int:
    """Return the difference of two times of the day in minutes, from -720 to 719."""
    minutes = (one.hour - other.hour) * 60 + one.minute - other.minute
    return (minutes + 720) % 1440 - 720
