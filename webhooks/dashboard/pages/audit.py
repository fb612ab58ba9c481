"""The audit log: who did what, when, from where, on what."""

from __future__ import annotations

from webhooks.dashboard.filters import Filters, number_of
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit

PATH = "/audit"
NAMES = ("subject",)
PAGE_SIZE = 50


def show(visit: Visit) -> Page:
    """Show the log, newest first; with `?verify=1`, compute its digests again."""
    filters = Filters.read(PATH, NAMES, visit.request.args)
    before = number_of(visit.request.args.get("before", ""))
    found = visit.whole.audit.list(before=before, subject=filters.one("subject"), limit=PAGE_SIZE + 1)
    more = filters.url(before=found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
    values = {
        "title": "Audit",
        "entries": found[:PAGE_SIZE],
        "more": more,
        "chips": list(filters.chips({"subject": "on"})),
        "result": visit.whole.audit.verify() if "verify" in visit.request.args else None,
    }
    return Page("audit.html", {**frame(visit, "audit"), **values})
