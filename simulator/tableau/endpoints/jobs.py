"""Background jobs: list, get, cancel; start a refresh.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_jobs_tasks_and_schedules.htm
"""

from __future__ import annotations

from datetime import timedelta

from simulator.tableau import resources
from simulator.tableau.endpoints.content import KINDS, find_content, paged
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, object_at
from simulator.world import refresh
from simulator.world.jobs import Job
from simulator.world.site import Content

READ = "tableau:jobs:read"
FIELDS = (
    "jobType", "status", "progress", "priority", "title", "subtitle", "notes", "args",
    "createdAt", "startedAt", "completedAt", "endedAt", "id",
)  # fmt: skip


@route("/jobs", since="3.1", scope=READ, admin=True)
def list_jobs(call: ApiCall) -> Document:
    """List all background jobs with their status, without the reasons of failures."""
    now = call.world.now()
    items = []
    for job in refresh.visible_jobs(now, list(call.site.jobs.values())):
        document = resources.listed_job(job, now)
        # These can be filtered by and are not part of the response.
        document |= {
            "notes": job.notes if job.finished(now) else "",
            "args": f"Job {job.content_kind.title()} {job.content}",
        }
        document |= {"completedAt": document["endedAt"], "progress": "100" if job.finished(now) else "0"}
        items.append(document)
    content = paged(call, items, FIELDS, ("backgroundJobs", "backgroundJob"))
    for document in content["backgroundJobs"]["backgroundJob"]:  # type: ignore[index]
        for name in ("notes", "args", "completedAt", "progress"):
            document.pop(name, None)
    return content


def _job(call: ApiCall, luid: str) -> Job:
    visible = {job.luid: job for job in refresh.visible_jobs(call.world.now(), list(call.site.jobs.values()))}
    job: Job = find(visible, luid, "404031", "Job")
    return job


@route("/jobs/<luid>", since="2.6", scope=READ)
def get_job(call: ApiCall, luid: str) -> Document:
    """Return one job, with its content and the notes on its failure."""
    return {"job": resources.job(_job(call, luid), call.world.now())}


@route("/jobs/<luid>", "PUT", since="3.1", scope="tableau:jobs:update")
def cancel_job(call: ApiCall, luid: str) -> Document:
    """Cancel a job that has not ended."""
    job = _job(call, luid)
    if job.finish_code is None:
        refresh.cancel(call.world, job)
    return {"job": resources.job(job, call.world.now())}


@route("/<any(workbooks,datasources):kind>/<luid>/refresh", "POST", since="2.8", scope="tableau:tasks:run")
def refresh_now(call: ApiCall, kind: str, luid: str) -> Result:
    """Start an extract refresh."""
    item = find_content(call, kind, luid)
    incremental = as_bool(object_at(call.body(), "extractRefresh").get("incremental"), False)
    return start(call, kind, item, how="incremental" if incremental else "full")


def start(call: ApiCall, kind: str, item: Content, *, how: str = "full", task: str = "") -> Result:
    """Start a job on content. Raises ApiError if one is running or the hourly limit is reached."""
    if kind != "flows" and not item.has_extracts:
        raise ApiError("400000", f"{KINDS[kind].noun} {item.luid!r} has no extract to refresh.")
    if refresh.running(call.site, item.luid):
        raise ApiError("409093", "Job for 'extract' is already queued. Not queuing a duplicate.")
    limit, now = call.world.config.refreshes_per_hour, call.world.now()
    recent = [job.created_at for job in call.site.jobs.values() if now - job.created_at < timedelta(hours=1)]
    if limit is not None and len(recent) >= limit:
        wait = timedelta(hours=1) - (now - min(recent))
        minutes = int(wait.total_seconds() // 60) + 1
        raise ApiError("429000", f"Too many requests for 'api.rest.refresh_extracts'. Try again in {minutes} minutes.")
    job = refresh.run(call.world, call.site, KINDS[kind].one, item, how=how, task=task)
    return {"job": resources.job(job, call.world.now())}, 202
