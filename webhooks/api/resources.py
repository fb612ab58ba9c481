"""Content that has runs, by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webhooks.api.call import Call, Refused, cursor_of_name, name_of
from webhooks.api.parameters import Parameters, ResourcesQuery
from webhooks.incidents.evidence import RunOutcome
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.views.formats import iso
from webhooks.views.freshness import promises
from webhooks.views.incident_objects import incident_object
from webhooks.views.json_objects import hide_in, run_object

if TYPE_CHECKING:
    from webhooks.inbox.resources.lists import RefreshedContent

# Outcomes of each resource in a list; there may be 200 resources.
LAST_OUTCOMES = 20
LAST_RUNS = 100
OUTCOMES: dict[str, RunOutcome] = {
    "r": "running",
    "s": "succeeded",
    "f": "failed",
    "c": "cancelled",
    "u": "unknown",
}


def resources(call: Call, query: ResourcesQuery) -> dict[str, Any]:
    """Return workbooks, data sources and flows that have runs, by name, with the outcomes of their last runs."""
    found = call.inbox.resource_lists.page(
        names=query.name,
        projects=query.project,
        owners=query.owner,
        kinds=query.kind,
        states=query.state,
        after=name_of(query.cursor),
        limit=query.limit + 1,
    )
    shown = found[: query.limit]
    following = cursor_of_name(shown[-1].name, shown[-1].luid) if len(found) > len(shown) else None
    current = call.inbox.resource_lists.current_incidents(shown, query.state or OPEN_STATES)
    items = [_object(one, current[one.luid].id if one.luid in current else None) for one in shown]
    return {"items": hide_in(items, call.redact), "next": following}


def resource(call: Call, query: Parameters, luid: str) -> dict[str, Any]:  # noqa: ARG001 - all operations have these
    """Return a resource with its last runs, its next expected run, its freshness by month and its incidents."""
    lists = call.inbox.resource_lists
    content = lists.get(luid)
    if content is None:
        raise Refused(404, f"No refresh of {luid[:60]!r} was recorded.")
    incidents = lists.incidents_of(luid)
    current = next((record for record in incidents if record.incident.is_open), None)
    details, failed = (current.details, current.incident.in_a_row) if current else (None, 0)
    zone = call.services.settings.zone
    story = {
        "last_success_at": iso(lists.last_success(luid)),
        "next_expected_at": iso(lists.next_expected(luid, call.now) or (details.next_run_at if details else None)),
        "strikes": failed if details is None or details.strikes is None else details.strikes,
        "freshness": [
            {
                "watch": promise.watch,
                "fresh_by": promise.by,
                "months": [
                    {"month": f"{month.first_day:%Y-%m}", "kept": month.kept, "total": month.total}
                    for month in promise.months
                ],
            }
            for promise in promises(lists.promised(luid), zone)
        ],
    }
    runs = call.inbox.runs.list(resource_luid=luid, limit=LAST_RUNS)
    silences = call.silences_of(incidents)
    return {
        **hide_in(_object(content, current.id if current else None) | story, call.redact),
        "incidents": [incident_object(record, call.redact, silences.get(record.id)) for record in incidents],
        "runs": [run_object(run, call.redact) for run in runs],
    }


def _object(content: RefreshedContent, incident: int | None) -> dict[str, Any]:
    return {
        "luid": content.luid,
        "kind": content.kind,
        "site_luid": content.site_luid,
        "name": content.name,
        "project": content.project,
        "owner": content.owner,
        "last_run_at": iso(content.last_at),
        "outcomes": [OUTCOMES[letter] for letter in content.outcomes[:LAST_OUTCOMES]],
        "incident": incident,
    }
