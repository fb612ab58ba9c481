"""What runs on a schedule: extract refreshes, flows, and flows in a row.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
"""

import re
from datetime import timedelta

from simulator.tableau import resources
from simulator.tableau.endpoints.content import found, paged
from simulator.tableau.endpoints.jobs import start
from simulator.tableau.query import page
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_text, format_time, object_at
from simulator.world import refresh
from simulator.world.site import Task

READ, RUN, WRITE = "tableau:tasks:read", "tableau:tasks:run", "tableau:tasks:write"
RUNS = "tableau:flow_runs:read"
RUN_FIELDS = ("flowId", "userId", "status", "progress", "startedAt", "completedAt")
NAMES = {"extractRefreshes": "extractRefresh", "runFlow": "runFlow"}
KIND = "<any(extractRefreshes,runFlow):kind>"
FREQUENCIES = ("Hourly", "Daily", "Weekly", "Monthly")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5][05]:00")


def _task(call: ApiCall, kind: str, luid: str) -> Task:
    task: Task = find(call.site.tasks, luid, "404036", "Task")
    if task.kind != NAMES[kind]:
        raise ApiError("404036", f"Task {luid!r} could not be found.")
    return task


@route(f"/tasks/{KIND}", since="2.6", scope=READ)
def list_tasks(call: ApiCall, kind: str) -> Document:
    """All tasks of a kind; not in pages."""
    return {"tasks": {"task": [resources.task(task) for task in call.site.tasks.values() if task.kind == NAMES[kind]]}}


@route(f"/tasks/{KIND}/<luid>", since="2.6", scope=READ)
def get_task(call: ApiCall, kind: str, luid: str) -> Document:
    """One task."""
    return {"task": resources.task(_task(call, kind, luid))}


@route(f"/tasks/{KIND}/<luid>/runNow", "POST", since="2.6", scope=RUN)
def run_task(call: ApiCall, kind: str, luid: str) -> Result:
    """Run a task now, beside its schedule."""
    task = _task(call, kind, luid)
    how = {"IncrementalRefresh": "incremental", "RunFlowTask": "flow"}.get(task.type, "full")
    many = f"{task.content_kind}s"
    result = start(call, many, found(call, many, task.content), how=how, task=luid)
    return result[0] if isinstance(result, tuple) else result  # runNow says 200 where refresh says 202


@route(f"/tasks/{KIND}/<luid>", "DELETE", since="3.6", scope="tableau:tasks:delete")
def delete_task(call: ApiCall, kind: str, luid: str) -> Result:
    """Take a task off its schedule."""
    del call.site.tasks[_task(call, kind, luid).luid]
    return {}, 204


@route("/tasks/extractRefreshes", "POST", since="3.19", scope=WRITE)
def create_task(call: ApiCall) -> Result:
    """Put a refresh on a schedule of its own, as on Cloud."""
    body = call.body()
    wish, schedule = (
        object_at(body, "extractRefresh"),
        object_at(body, "schedule") or object_at(body, "extractRefresh", "schedule"),
    )
    kind = next((kind for kind in ("workbook", "datasource") if kind in wish), "")
    if not kind:
        raise ApiError("400000", "A refresh is of a workbook or a datasource.")
    item = found(call, f"{kind}s", as_text(object_at(wish, kind).get("id")))
    how = "IncrementalRefresh" if "ncremental" in as_text(wish.get("type")) else "FullRefresh"
    frequency = _frequency(schedule)
    due = call.world.now() + timedelta(hours=1)
    task = Task(call.world.luid(), "extractRefresh", how, kind, item.luid, frequency, due, call.world.luid())
    call.site.tasks[task.luid] = task
    return resources.task(task) | {"schedule": {"frequency": frequency, "nextRunAt": format_time(due)}}, 201


def _frequency(schedule: Document) -> str:
    frequency, begins = (
        as_text(schedule.get("frequency")),
        as_text(object_at(schedule, "frequencyDetails").get("start")),
    )
    if frequency not in FREQUENCIES or not TIME.fullmatch(begins):
        raise ApiError("409004", "The schedule needs a frequency and a start on a five-minute mark.")
    return frequency


@route("/tasks/linked", since="3.15", scope=READ)
def list_linked(call: ApiCall) -> Document:
    """All flows in a row."""
    block, shown = page(
        [resources.linked_task(call.site, task) for task in call.site.linked_tasks.values()], call.query
    )
    return {"pagination": block, "linkedTasks": {"linkedTasks": shown}}


@route("/tasks/linked/<luid>", since="3.15", scope=READ)
def get_linked(call: ApiCall, luid: str) -> Document:
    """One of them."""
    return {
        "linkedTasks": resources.linked_task(call.site, find(call.site.linked_tasks, luid, "404036", "Linked task"))
    }


@route("/tasks/linked/<luid>/runNow", "POST", since="3.15", scope=RUN)
def run_linked(call: ApiCall, luid: str) -> Document:
    """Run its flows now."""
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


@route("/flows/<luid>/run", "POST", since="3.3", scope=RUN)
def run_flow(call: ApiCall, luid: str) -> Result:
    """Run a flow now."""
    result = start(call, "flows", found(call, "flows", luid), how="flow")
    return result[0] if isinstance(result, tuple) else result


@route("/flows/runs", since="3.10", scope=RUNS)
def list_flow_runs(call: ApiCall) -> Document:
    """How flows went; the list and its entries bear the same name."""
    now = call.world.now()
    runs = [resources.flow_run(call.site, run, now) for run in call.site.flow_runs.values()]
    return paged(call, runs, RUN_FIELDS, ("flowRuns", "flowRuns"))


@route("/flows/runs/<luid>", since="3.10", scope=RUNS)
def get_flow_run(call: ApiCall, luid: str) -> Document:
    """How one run of a flow went."""
    run = find(call.site.flow_runs, luid, "404020", "Flow run")
    return {"flowRun": resources.flow_run(call.site, run, call.world.now())}


@route("/flows/runs/<luid>", "PUT", since="3.10", scope="tableau:flow_runs:update")
def cancel_flow_run(call: ApiCall, luid: str) -> Document:
    """Stop a run of a flow that has not ended."""
    run = find(call.site.flow_runs, luid, "404020", "Flow run")
    if call.site.jobs[run.job].finish_code is None:
        refresh.cancel(call.world, call.site.jobs[run.job])
    return {"flowRun": resources.flow_run(call.site, run, call.world.now())}
