"""Scheduled tasks: extract refreshes, flows, linked tasks; and the runs of flows.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
"""

from __future__ import annotations

import re
from datetime import timedelta

from simulator.tableau import resources
from simulator.tableau.endpoints.content import find_content, paged
from simulator.tableau.endpoints.jobs import start
from simulator.tableau.query import page
from simulator.tableau.route import ANY_SCOPE, ApiCall, Result, find, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_text, format_time, object_at
from simulator.world import refresh, schedule
from simulator.world.jobs import Task

WRITE = "tableau:tasks:write"
RUNS = "tableau:flow_runs:read"
RUN_FIELDS = ("flowId", "userId", "status", "progress", "startedAt", "completedAt")
# The element of a task in responses, and its part in scopes, by the name in addresses.
ELEMENTS = {"extractRefreshes": "extractRefresh", "runFlow": "flowRun"}
SCOPES = {"extractRefreshes": "tasks", "runFlow": "flow_tasks"}
KIND = "<any(extractRefreshes,runFlow):kind>"
FREQUENCIES = ("Hourly", "Daily", "Weekly", "Monthly")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5][05]:00")


def _task(call: ApiCall, kind: str, luid: str) -> Task:
    task: Task = find(call.site.tasks, luid, "404036", "Task")
    if task.kind != ELEMENTS[kind]:
        raise ApiError("404036", f"Task {luid!r} could not be found.")
    return task


@route(f"/tasks/{KIND}", since="2.6", scope=ANY_SCOPE)
def list_tasks(call: ApiCall, kind: str) -> Document:
    """List all tasks of a kind, without pages."""
    require_scope(call, f"tableau:{SCOPES[kind]}:read")
    schedule.run_due(call.world, call.site)
    tasks = [resources.task(call.site, task) for task in call.site.tasks.values() if task.kind == ELEMENTS[kind]]
    return {"tasks": {"task": tasks}}


@route(f"/tasks/{KIND}/<luid>", since="2.6", scope=ANY_SCOPE)
def get_task(call: ApiCall, kind: str, luid: str) -> Document:
    """Return one task."""
    require_scope(call, f"tableau:{SCOPES[kind]}:read")
    return {"task": resources.task(call.site, _task(call, kind, luid))}


@route(f"/tasks/{KIND}/<luid>/runNow", "POST", since="2.6", scope=ANY_SCOPE)
def run_task(call: ApiCall, kind: str, luid: str) -> Result:
    """Run a task now, in addition to its schedule."""
    require_scope(call, f"tableau:{SCOPES[kind]}:run")
    task = _task(call, kind, luid)
    how = {"IncrementalRefresh": "incremental", "RunFlowTask": "flow"}.get(task.type, "full")
    many = f"{task.content_kind}s"
    result = start(call, many, find_content(call, many, task.content), how=how, task=luid)
    # runNow responds with 200, refresh with 202.
    return result[0] if isinstance(result, tuple) else result


@route(f"/tasks/{KIND}/<luid>", "DELETE", since="3.6", scope="tableau:tasks:delete")
def delete_task(call: ApiCall, kind: str, luid: str) -> Result:
    """Delete a task."""
    del call.site.tasks[_task(call, kind, luid).luid]
    return {}, 204


@route("/tasks/extractRefreshes", "POST", since="3.19", scope=WRITE)
def create_task(call: ApiCall) -> Result:
    """Create a refresh task with its own schedule, as on Cloud."""
    body = call.body()
    given = object_at(body, "extractRefresh")
    wanted = object_at(body, "schedule") or object_at(given, "schedule")
    kind = next((kind for kind in ("workbook", "datasource") if kind in given), "")
    if not kind:
        raise ApiError("400000", "A refresh task needs a workbook or a datasource.")
    item = find_content(call, f"{kind}s", as_text(object_at(given, kind).get("id")))
    how = "IncrementalRefresh" if "ncremental" in as_text(given.get("type")) else "FullRefresh"
    frequency, start_at = wanted.get("frequency"), as_text(object_at(wanted, "frequencyDetails").get("start"))
    if frequency not in FREQUENCIES or not TIME.fullmatch(start_at):
        raise ApiError("409004", "The schedule needs a frequency and a start time in steps of five minutes.")
    due = call.world.now() + timedelta(hours=1)
    task = Task(call.world.luid(), "extractRefresh", how, kind, item.luid, str(frequency), due, call.world.luid())
    call.site.tasks[task.luid] = task
    return resources.task(call.site, task) | {"schedule": {"frequency": frequency, "nextRunAt": format_time(due)}}, 201


@route("/tasks/linked", since="3.15")
def list_linked(call: ApiCall) -> Document:
    """List all linked tasks."""
    block, shown = page(
        [resources.linked_task(call.site, task) for task in call.site.linked_tasks.values()], call.query
    )
    return {"pagination": block, "linkedTasks": {"linkedTasks": shown}}


@route("/tasks/linked/<luid>", since="3.15")
def get_linked(call: ApiCall, luid: str) -> Document:
    """Return one linked task."""
    return {
        "linkedTasks": resources.linked_task(call.site, find(call.site.linked_tasks, luid, "404036", "Linked task"))
    }


@route("/tasks/linked/<luid>/runNow", "POST", since="3.15")
def run_linked(call: ApiCall, luid: str) -> Document:
    """Run the flows of a linked task now."""
    task = find(call.site.linked_tasks, luid, "404036", "Linked task")
    for _, _, flow in task.steps:
        if flow in call.site.flows and not refresh.running(call.site, flow):
            refresh.run(call.world, call.site, "flow", call.site.flows[flow], how="flow")
    job = {
        "id": call.world.luid(),
        "linkedTaskId": luid,
        "status": "InProgress",
        "createdAt": format_time(call.world.now()),
    }
    return {"linkedTaskJob": job}


@route("/flows/<luid>/run", "POST", since="3.3", scope="tableau:flows:run")
def run_flow(call: ApiCall, luid: str) -> Result:
    """Run a flow now."""
    result = start(call, "flows", find_content(call, "flows", luid), how="flow")
    return result[0] if isinstance(result, tuple) else result


@route("/flows/runs", since="3.10", scope=RUNS)
def list_flow_runs(call: ApiCall) -> Document:
    """List the runs of flows; the list and its entries have the same name."""
    now = call.world.now()
    runs = [resources.flow_run(call.site, run, now) for run in call.site.flow_runs.values()]
    return paged(call, runs, RUN_FIELDS, ("flowRuns", "flowRuns"))


@route("/flows/runs/<luid>", since="3.10", scope=RUNS)
def get_flow_run(call: ApiCall, luid: str) -> Document:
    """Return one run of a flow."""
    run = find(call.site.flow_runs, luid, "404020", "Flow run")
    return {"flowRun": resources.flow_run(call.site, run, call.world.now())}


@route("/flows/runs/<luid>", "PUT", since="3.10", scope="tableau:flow_runs:update")
def cancel_flow_run(call: ApiCall, luid: str) -> Document:
    """Cancel a run of a flow that has not ended."""
    run = find(call.site.flow_runs, luid, "404020", "Flow run")
    if call.site.jobs[run.job].finish_code is None:
        refresh.cancel(call.world, call.site.jobs[run.job])
    return {"flowRun": resources.flow_run(call.site, run, call.world.now())}
