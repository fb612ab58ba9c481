"""Dead letters by their causes, by the API: list them, run them again, or dismiss them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webhooks.api.call import Call, Refused, cursor_of, place_of
from webhooks.api.parameters import JobsBody, PageQuery
from webhooks.observability.logs import log_ids
from webhooks.text import count
from webhooks.views.formats import iso
from webhooks.views.json_objects import hide_in

if TYPE_CHECKING:
    from webhooks.inbox.events.lists import DeadCause

# Ids in a row of the audit log.
MAX_NAMED = 20


def causes(call: Call, query: PageQuery) -> dict[str, Any]:
    """Return the dead letters by their causes, with the ids of the jobs; the cause of the newest one comes first."""
    before = place_of(query.cursor)
    by_place = sorted(((_place(cause), cause) for cause in call.inbox.event_lists.dead_by_cause()), reverse=True)
    found = [(place, cause) for place, cause in by_place if before is None or place < before]
    shown = found[: query.limit]
    items = [
        {
            "handler": cause.handler,
            "rule": cause.rule,
            "error": cause.error,
            "number": cause.number,
            "last_at": iso(cause.last_at),
            "ids": list(cause.job_ids),
            "event_ids": list(cause.event_ids),
        }
        for _, cause in shown
    ]
    following = cursor_of(shown[-1][0][1], shown[-1][0][0]) if len(found) > len(shown) else None
    return {"items": hide_in(items, call.redact), "next": following}


def replay(call: Call, body: JobsBody) -> dict[str, Any]:
    """Run dead jobs again; a job that is not dead refuses them all."""
    ids = _require_dead(call, body)
    _record(call, "replay", ids)
    number = call.inbox.dead_letters.requeue_jobs(ids)
    call.inbox.incidents.announce()
    return {"number": number}


def dismiss(call: Call, body: JobsBody) -> dict[str, Any]:
    """Cancel dead jobs: they are reported and listed no more; a job that is not dead refuses them all."""
    ids = _require_dead(call, body)
    _record(call, "dismiss", ids)
    return {"number": call.inbox.dead_letters.dismiss(ids)}


def _place(cause: DeadCause) -> tuple[float, int]:
    """Return the time by which the list is sorted, and the id that makes it unique."""
    return (0.0 if cause.last_at is None else cause.last_at.timestamp()), cause.job_ids[0]


def _require_dead(call: Call, body: JobsBody) -> list[int]:
    """Return the ids, each once. Raises Refused if one of them is not that of a dead job."""
    ids = list(dict.fromkeys(body.ids))
    dead = call.inbox.event_lists.dead_jobs(ids)
    if missing := next((job_id for job_id in ids if job_id not in dead), None):
        raise Refused(404, f"ids: there is no dead job {missing}.")
    return ids


def _record(call: Call, act: str, ids: list[int]) -> None:
    named = ", ".join(map(str, ids[:MAX_NAMED])) + (", …" if len(ids) > MAX_NAMED else "")
    with log_ids(job=ids[0] if len(ids) == 1 else None):
        call.record(act, "dead letters", f"{count(len(ids), 'job')}: {named}")
