"""Acts about an incident: the forms on the pages lead here."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from urllib.parse import parse_qsl, urlencode

from flask import Response, redirect
from werkzeug.exceptions import BadRequest, Conflict, NotFound

from webhooks.dashboard.visit import Visit
from webhooks.incidents import Act
from webhooks.incidents.incident import ActKind
from webhooks.views import incident_wording as wording

KINDS: dict[str, ActKind] = {"acknowledge": "acknowledge", "snooze": "snooze", "close": "close", "note": "note"}
REFRESH = "refresh"
# The lengths that the menu offers; `morning` ends at 08:00 in TIMEZONE.
HOURS = {"1h": 1, "4h": 4, "24h": 24}
MORNING = time(8)


def act(visit: Visit, number: int, kind: str) -> Response:
    """Do something about an incident, and lead back to the page with the form. Raises an HTTPException."""
    record = visit.inbox.incidents.get(number)
    text = visit.services.redact(visit.field("note"))
    if record.incident.closed_at and kind != "note":
        name = wording.name(record.incident)
        raise Conflict(f"Incident {number} ({name}) is closed, so there is nothing left to {kind}.")
    if kind == REFRESH:
        visit.inbox.incidents.request_refresh(number, by=visit.person.name, origin=visit.person.origin)
    elif kind in KINDS:
        if kind == "note" and not text:
            raise BadRequest("The note is empty.")
        new = Act("", KINDS[kind], record.incident.id, visit.now, visit.person.name, end_of(visit, kind), text)
        visit.inbox.incidents.act(number, new, origin=visit.person.origin)
    else:
        raise NotFound(f"There is no act {kind}.")
    return done(visit.back(f"/incidents/{number}"), kind)


def done(path: str, kind: str) -> Response:
    """Lead to a page that says what was done."""
    there, _, query = path.partition("?")
    others = [(name, value) for name, value in parse_qsl(query) if name != "done"]
    response: Response = redirect(f"{there}?{urlencode([*others, ('done', kind)])}", 303)  # type: ignore[assignment]
    return response


def end_of(visit: Visit, kind: str) -> datetime | None:
    """Return the end that was chosen: of a snooze always, of an acknowledgement if there is one. Raises BadRequest."""
    chosen = visit.field("for")
    if not chosen and kind != "snooze":
        return None
    if chosen == "morning":
        here = visit.now.astimezone(visit.zone)
        day = here.date() + timedelta(days=here.time() >= MORNING)
        return datetime.combine(day, MORNING, visit.zone)
    if chosen not in HOURS:
        raise BadRequest(f"Unknown length {chosen!r}. Choose one of: {', '.join([*HOURS, 'morning'])}.")
    return visit.now + timedelta(hours=HOURS[chosen])
