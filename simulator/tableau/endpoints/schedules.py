"""Schedules of Tableau Server, which Tableau Cloud does not have.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
"""

from __future__ import annotations

from flask import request

from simulator.tableau import resources
from simulator.tableau.query import page
from simulator.tableau.route import ApiCall, find, route
from simulator.tableau.wire import ApiError, Document, as_text, object_at

STATES = ("Active", "Suspended")


@route("//schedules", since="2.3")
def list_schedules(call: ApiCall) -> Document:
    """List the schedules of the server."""
    _require_server(call)
    block, shown = page(list(map(resources.schedule, call.site.schedules.values())), call.query)
    return {"pagination": block, "schedules": {"schedule": shown}}


@route("//schedules/<luid>", "PUT", since="2.3", admin=True)
def update_schedule(call: ApiCall, luid: str) -> Document:
    """Activate or suspend a schedule."""
    _require_server(call)
    schedule = find(call.site.schedules, luid, "404010", "Schedule")
    state = as_text(object_at(call.body(), "schedule").get("state")).capitalize()
    if state not in STATES:
        raise ApiError("400000", f"The state {state!r} is not one of {', '.join(STATES)}.")
    schedule.state = state
    return {"schedule": resources.schedule(schedule)}


def _require_server(call: ApiCall) -> None:
    if not call.world.config.is_server:
        raise ApiError("404003", f"The simulator does not support {request.method} {request.path}.")
