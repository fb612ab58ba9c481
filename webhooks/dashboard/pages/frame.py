"""The parts that all pages have: the navigation, and the state of the server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from webhooks.dashboard.visit import Visit
from webhooks.views.server_health import Check, server_checks, summary

# The checks read the rules and the inbox; their results are of use for some seconds.
CHECK_SECONDS = 10.0
# The pages in the navigation, by the part of the path.
PAGES = {"now": ("/", "Now")}
# What the parameter `done` says after an act.
DONE = {
    "acknowledge": "Acknowledged.",
    "snooze": "Snoozed.",
    "close": "Closed.",
    "note": "Note added.",
    "refresh": "The refresh is being started; the timeline shows what comes of it.",
}

_checks: list[tuple[float, int, list[Check]]] = []


def frame(visit: Visit, page: str) -> Mapping[str, Any]:
    """Return the values for the layout; `page` is the current page in the navigation."""
    checks = checks_of(visit)
    return {
        "page": page,
        "pages": PAGES,
        "checks": checks,
        "health": summary(checks),
        "place": visit.services.settings.tableau_sitename,
        "clock": f"{visit.now.astimezone(visit.zone):%H:%M}",
        "zone_name": str(visit.zone).rpartition("/")[2].replace("_", " "),
        "notice": DONE.get(visit.request.args.get("done", "")),
    }


def checks_of(visit: Visit) -> list[Check]:
    """Return the checks of the server, as they were within the last seconds."""
    now = time.monotonic()
    if not _checks or now - _checks[0][0] > CHECK_SECONDS or _checks[0][1] != id(visit.services):
        _checks[:] = [(now, id(visit.services), server_checks(visit.services, visit.now))]
    return _checks[0][2]
