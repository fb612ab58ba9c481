"""The parts that all pages have: the navigation, and the state of the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from webhooks.dashboard.visit import Visit
from webhooks.views.limits import describe
from webhooks.views.server_health import server_checks, summary

# The checks read the rules and the inbox; their results are of use for some seconds.
CHECK_SECONDS = 10.0
# The pages in the navigation, by the part of the path.
PAGES = {
    "now": ("/", "Now"),
    "incidents": ("/incidents", "Incidents"),
    "resources": ("/resources", "Resources"),
    "events": ("/events", "Events"),
    "rules": ("/rules", "Rules"),
    "webhooks": ("/webhooks", "Webhooks"),
    "audit": ("/audit", "Audit"),
}
# Pages about the server and everything on it.
OF_THE_WHOLE = {"rules", "webhooks", "audit"}
# What the parameter `done` says after an act.
DONE = {
    "acknowledge": "Acknowledged.",
    "snooze": "Snoozed.",
    "close": "Closed.",
    "replay": "Queued to run again.",
    "dismiss": "Dismissed: these jobs are cancelled.",
    "sync": "The webhooks in Tableau were brought up to date.",
    "revoke": "The token was revoked.",
    "end": "Ended: the browser is led to the sign-in.",
    "silence": "Silenced: nothing is sent about it.",
    "unsilence": "The silence was ended; what it held is sent.",
    "note": "Note added.",
    "refresh": "The refresh is being started; the timeline shows what comes of it.",
}


def frame(visit: Visit, page: str) -> Mapping[str, Any]:
    """Return the values for the layout; `page` is the current page in the navigation."""
    checks = visit.remember("checks", CHECK_SECONDS, lambda: server_checks(visit.services, visit.now))
    health, pages = summary(checks), PAGES
    if not visit.sees_everything:
        # Their texts may name anything.
        checks, health = [], replace(health, text="")
        pages = {name: place for name, place in PAGES.items() if name not in OF_THE_WHOLE}
    return {
        "page": page,
        "pages": pages,
        "checks": checks,
        "health": health,
        "place": visit.services.settings.tableau_sitename if visit.sees_everything else "",
        "clock": f"{visit.now.astimezone(visit.zone):%H:%M}",
        "zone_name": str(visit.zone).rpartition("/")[2].replace("_", " "),
        "limits": "" if visit.sees_everything else describe(visit.person.scope),
        "notice": DONE.get(visit.request.args.get("done", "")),
    }
