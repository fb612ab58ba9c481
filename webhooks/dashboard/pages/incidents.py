"""The list of incidents, with acts about all that are selected, and the silences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from flask import Response
from werkzeug.exceptions import BadRequest, NotFound

from webhooks.dashboard.filters import NIGHT, Filters, number_of, patterns, place_of, since_of
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.pages.incident_acts import HOURS, KINDS, done, end_of
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.incidents import Act, IncidentFilter
from webhooks.views import silence_wording

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord

PATH = "/incidents"
NAMES = ("view", "group", "state", "kind", "project", "owner", "name", "period")
LABELS = {
    "group": "of message",
    "state": "",
    "kind": "",
    "project": "project",
    "owner": "owner",
    "name": "name",
    "period": "closed since",
}
OPEN = ("open", "snoozed", "acknowledged")
# Incidents on a page of those that are open, or that share a message.
MOST_OPEN = 200
PAGE_SIZE = 50
# Silences on the page; `flask silences list` and the API have all.
MOST_SILENCES = 200


def show(visit: Visit) -> Page:
    """Show open incidents, those that have closed, or those that share a message, page by page."""
    filters = Filters.read(PATH, NAMES, visit.request.args)
    is_closed = filters.one("view") == "closed"
    after = number_of(visit.request.args.get("after", "")) or 0
    records = closed(visit, filters) if is_closed else listed(visit, filters, after)
    more = None
    if not is_closed and len(records) > MOST_OPEN:
        records, more = records[:MOST_OPEN], filters.url(after=after + MOST_OPEN)
    if is_closed and len(records) > PAGE_SIZE:
        records = records[:PAGE_SIZE]
        last = records[-1]
        closed_at = last.incident.closed_at
        more = filters.url(before=f"{closed_at.timestamp() if closed_at else 0!r}-{last.id}")
    values = {
        "title": "Incidents",
        "filters": filters,
        "chips": list(filters.chips(LABELS)),
        "presets": presets(visit, filters),
        "is_closed": is_closed,
        "records": records,
        "silenced": visit.silences_of(records),
        "more": more,
        "after": after,
        "silences": visit.inbox.silences.list(visit.now, limit=MOST_SILENCES),
        "silence_words": silence_wording,
        "lengths": (*HOURS, "morning"),
    }
    return Page("incidents.html", {**frame(visit, "incidents"), **values})


def listed(visit: Visit, filters: Filters, after: int) -> Sequence[IncidentRecord]:
    """Return the page after the first `after` incidents that the filters select, and one more.

    Those that need someone come first on it. Closed ones are among those that share a message only.
    """
    group = number_of(filters.one("group"))
    states = [state for state in filters.all("state") if state in OPEN] or ([] if group is not None else list(OPEN))
    found = visit.inbox.incidents.list(
        incident_filter(filters, states),
        group=group,
        offset=after,
        limit=MOST_OPEN + 1,
    )
    ordered = sorted(found[:MOST_OPEN], key=lambda record: (*OPEN, "closed").index(record.incident.state))
    return [*ordered, *found[MOST_OPEN:]]


def incident_filter(filters: Filters, states: Sequence[str] = ()) -> IncidentFilter:
    """Return what the filters of the page select, of incidents in these states."""
    return IncidentFilter(
        states=states,
        kinds=filters.all("kind"),
        resources=patterns(filters.all("name")),
        projects=filters.all("project"),
        owners=patterns(filters.all("owner")),
    )


def closed(visit: Visit, filters: Filters) -> Sequence[IncidentRecord]:
    """Return a page of closed incidents, and one more."""
    return visit.inbox.incidents.closed(
        incident_filter(filters),
        since=since_of(visit, filters.one("period", "30d")),
        before=place_of(visit.request.args.get("before", "")),
        limit=PAGE_SIZE + 1,
    )


def presets(visit: Visit, filters: Filters | None = None) -> list[tuple[str, str, bool]]:
    """Return the usual selections: the name, the URL, and whether it is the current one of the list."""
    mine = visit.person.name
    queries: list[tuple[str, dict[str, str]]] = [
        ("open", {}),
        ("unacknowledged", {"state": "open"}),
        ("mine", {"owner": mine}),
        ("recovered last night", {"view": "closed", "period": NIGHT}),
        ("recovered in 7 days", {"view": "closed", "period": "7d"}),
    ]
    found = []
    for name, query in queries:
        own = Filters(PATH, NAMES, {key: [value] for key, value in query.items()})
        current = filters is not None and {key: list(value) for key, value in filters.values.items()} == own.values
        found.append((name, own.url(), current))
    return found


def act_on_many(visit: Visit) -> Response:
    """Do the same about all selected incidents, or about all that the filters select. Raises BadRequest."""
    kind = visit.field("act")
    if kind not in {*KINDS, "refresh"} or kind == "note":
        raise NotFound(f"There is no act {kind} for several incidents.")
    back = visit.back(PATH)
    if visit.field("all"):
        filters = Filters.read(PATH, NAMES, visit.request.form)
        after = number_of(visit.field("after")) or 0
        records = list(listed(visit, filters, after)[:MOST_OPEN])
    else:
        numbers = [number_of(text) or 0 for text in visit.request.form.getlist("id")[:MOST_OPEN]]
        records = [visit.inbox.incidents.get(number) for number in dict.fromkeys(numbers)]
    if not records:
        raise BadRequest("No incident is selected.")
    end = end_of(visit, kind)
    for record in records:
        if not record.incident.is_open:
            continue
        if kind == "refresh":
            visit.inbox.incidents.request_refresh(record.id, by=visit.person.name, origin=visit.person.origin)
        else:
            new = Act("", KINDS[kind], record.incident.id, visit.now, visit.person.name, end)
            visit.inbox.incidents.act(record.id, new, origin=visit.person.origin)
    return done(back, kind)


def add_silence(visit: Visit) -> Response:
    """Silence incidents of a name or a project for some hours. Raises BadRequest."""
    name, project, reason = visit.field("name", most=300), visit.field("project", most=300), visit.field("reason")
    if not reason:
        raise BadRequest("Give a reason, for the others.")
    if not (name or project):
        raise BadRequest("Give the name of the content or of the project.")
    matchers = {key: [text] for key, text in (("resource_name", name), ("project", project)) if text}
    try:
        silence = visit.inbox.silences.add(
            matchers=matchers,
            start=visit.now,
            end=end_of(visit, "snooze") or visit.now + timedelta(hours=1),
            by=visit.person.name,
            reason=visit.services.redact(reason),
        )
    except ValueError as error:
        raise BadRequest(str(error)) from None
    details = f"{silence_wording.matchers(silence)}: {silence.reason}"
    visit.record("add silence", f"silence {silence.id}", details)
    return done(visit.back(PATH), "silence")


def end_silence(visit: Visit, number: int) -> Response:
    """End a silence; what it held is sent."""
    if not visit.inbox.silences.end(number, visit.now):
        raise NotFound(f"There is no silence {number} in force.")
    visit.record("end silence", f"silence {number}")
    return done(visit.back(PATH), "unsilence")
