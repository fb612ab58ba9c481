"""The acts of the API; each is in the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from webhooks.api.call import LARGEST_ID, Call, Refused
from webhooks.api.parameters import (
    AcknowledgeBody,
    NoteBody,
    Parameters,
    SilenceBody,
    SnoozeBody,
    TextBody,
)
from webhooks.api.reads import get_event, get_incident, incident, silence_object
from webhooks.incidents import Act
from webhooks.incidents.incident import ActKind
from webhooks.observability.logs import log_ids
from webhooks.rules.policy import parse_weekly
from webhooks.views import silence_wording


def acknowledge(call: Call, body: AcknowledgeBody, number: int) -> dict[str, Any]:
    """Acknowledge an incident: no reminders and no escalations until it closes, or until the end."""
    call.require_future(body.until, "until")
    return _act(call, "acknowledge", number, text=body.note, until=body.until)


def snooze(call: Call, body: SnoozeBody, number: int) -> dict[str, Any]:
    """Snooze an incident: no reminders until a time."""
    call.require_future(body.until, "until")
    return _act(call, "snooze", number, text=body.note, until=body.until)


def close(call: Call, body: NoteBody, number: int) -> dict[str, Any]:
    """Close an incident by hand, for content that will not be refreshed again."""
    return _act(call, "close", number, text=body.note)


def note(call: Call, body: TextBody, number: int) -> dict[str, Any]:
    """Add a note to an incident."""
    return _act(call, "note", number, text=body.note)


def refresh(call: Call, body: Parameters, number: int) -> dict[str, Any]:  # noqa: ARG001 - all acts have these arguments
    """Refresh the content of an incident in Tableau. The result is an act of the incident."""
    record = get_incident(call, number)
    if record.incident.closed_at:
        raise Refused(409, f"Incident {number} is closed, so there is nothing left to refresh.")
    call.inbox.incidents.request_refresh(number, by=call.visitor.name, origin=call.visitor.origin)
    return {"id": number}


def add_silence(call: Call, body: SilenceBody) -> dict[str, Any]:
    """Add a silence."""
    call.require_future(body.end, "end")
    if body.start is not None and body.start > call.now:
        call.require_future(body.start, "start")
    start = max(body.start or call.now, call.now)
    if body.end is None and body.weekly is None:
        raise Refused(422, "end: give the end of the silence, or weekly times.")
    if body.end is not None and body.end <= start:
        raise Refused(409, "end: it is not after the start.")
    weekly = None
    if body.weekly is not None:
        times = {
            "from": f"{body.weekly.start:%H:%M}",
            "to": f"{body.weekly.end:%H:%M}",
            "days": ",".join(body.weekly.days),
        }
        try:
            weekly = parse_weekly(times, call.services.settings.zone)
        except ValueError as error:
            raise Refused(409, f"weekly: {error}.") from None
    try:
        silence = call.inbox.silences.add(
            matchers={field: list(patterns) for field, patterns in body.matchers.items() if patterns},
            start=start,
            end=body.end,
            by=call.visitor.name,
            reason=call.redact(body.reason),
            weekly=weekly,
        )
    except ValueError as error:
        raise Refused(422, f"matchers: {error}") from None
    call.record("add silence", f"silence {silence.id}", f"{silence_wording.matchers(silence)}: {silence.reason}")
    return silence_object(call, silence)


def end_silence(call: Call, body: Parameters, number: int) -> dict[str, Any]:  # noqa: ARG001 - as above
    """End a silence now; the messages that it held are sent."""
    if number > LARGEST_ID or not call.inbox.silences.end(number, call.now):
        raise Refused(404, f"There is no silence {number} that has not ended.")
    call.record("end silence", f"silence {number}")
    return {"id": number}


def replay(call: Call, body: Parameters, number: int) -> dict[str, Any]:  # noqa: ARG001 - as above
    """Run the actions of an event again: messages are sent again."""
    get_event(call, number)
    with log_ids(event=number):
        call.record("replay", "events", str(number))
    call.inbox.events.replay([number])
    call.inbox.incidents.announce()
    return {"id": number}


def _act(call: Call, kind: ActKind, number: int, *, text: str, until: datetime | None = None) -> dict[str, Any]:
    record = get_incident(call, number)
    if record.incident.closed_at and kind != "note":
        raise Refused(409, f"Incident {number} is closed, so there is nothing left to {kind}.")
    new = Act("", kind, record.incident.id, call.now, call.visitor.name, until, call.redact(text))
    call.inbox.incidents.act(number, new, origin=call.visitor.origin)
    return incident(call, Parameters(), number)
