"""The representations of jobs, tasks and runs; a listed job and a single one have different fields."""

from __future__ import annotations

from datetime import datetime

from simulator.tableau.wire import Document, format_time
from simulator.world.jobs import FlowRun, Job, LinkedTask, Schedule, Task
from simulator.world.schedule import is_paused, is_suspended
from simulator.world.site import Site

# The element that contains the content of a job, by the type of the job; a job of publishing has none.
CONTENT_ELEMENTS = {"RefreshExtract": "extractRefreshJob", "RunFlow": "runFlowJobType"}
SUBSCRIPTION_ELEMENT = "subscriptionJobType"
INTERVALS: dict[str, list[Document]] = {
    "Hourly": [{"hours": "1"}, {"weekDay": "Monday"}, {"weekDay": "Friday"}],
    "Daily": [{"hours": "24"}, {"weekDay": "Monday"}],
    "Weekly": [{"weekDay": "Monday"}],
    "Monthly": [{"monthDay": "1"}],
}


def listed_job(item: Job, now: datetime) -> Document:
    """Return a job for the list: without notes and content, and with the list's names."""
    done = item.finished(now)
    return {
        "id": item.luid,
        "status": item.status(now),
        "jobType": item.job_type,
        "priority": str(item.priority),
        "createdAt": format_time(item.created_at),
        "startedAt": format_time(item.started_at),
        "endedAt": format_time(item.completed_at) if done else None,
        "title": item.title,
        "subtitle": item.subtitle,
    }


def job(item: Job, now: datetime) -> Document:
    """Return a single job, with its result and its content."""
    done = item.finished(now)
    content: Document = {item.content_kind: {"id": item.content, "name": item.title}}
    if item.flow_run:
        content["flowRunId"] = item.flow_run
    if done and item.notes:
        content["notes"] = item.notes
    document: Document = {
        "id": item.luid,
        "mode": "Asynchronous",
        "type": item.type or None,
        "progress": "100" if done else "0",
        "createdAt": format_time(item.created_at),
        "startedAt": format_time(item.started_at),
        "completedAt": format_time(item.completed_at) if done else None,
        "finishCode": str(item.finish_code) if done else None,
    }
    if item.content_kind == "subscription":
        notes = item.notes if done else ""
        subject = {"subscriptionId": item.content, "subscriptionSubject": item.title}
        document[SUBSCRIPTION_ELEMENT] = {"notes": notes, **subject}
    elif item.type in CONTENT_ELEMENTS:
        document[CONTENT_ELEMENTS[item.type]] = content
    return document


def task(site: Site, item: Task) -> Document:
    """Return a scheduled refresh or flow."""
    # An hourly schedule needs an end with the minutes of its start.
    end = {"end": item.next_run_at.strftime("23:%M:00")} if item.frequency == "Hourly" else {}
    schedule: Document = {
        "frequency": item.frequency,
        "nextRunAt": format_time(item.next_run_at),
        "frequencyDetails": {
            "start": item.next_run_at.strftime("%H:%M:%S"),
            **end,
            "intervals": {"interval": INTERVALS[item.frequency]},
        },
    }
    if shared := site.schedules.get(item.schedule):
        schedule |= {"id": shared.luid, "name": shared.name, "state": shared.state}
    if is_suspended(item) or is_paused(site, item):
        del schedule["nextRunAt"]
    schedule = {name: value for name, value in {**schedule, **item.described}.items() if value is not None}
    inner = {
        "id": item.luid,
        "priority": str(item.priority),
        "consecutiveFailedCount": str(item.consecutive_failed_count),
        "type": item.type,
        "schedule": schedule,
        item.content_kind: {"id": item.content},
    }
    if item.content in site.flows:
        inner["flow"] = {"id": item.content, "name": site.flows[item.content].name}
    return {item.kind: inner}


def schedule(item: Schedule) -> Document:
    """Return a schedule of Tableau Server."""
    return {
        "id": item.luid,
        "name": item.name,
        "state": item.state,
        "priority": "50",
        "type": item.type,
        "frequency": item.frequency,
    }


def linked_task(site: Site, item: LinkedTask) -> Document:
    """Return flows that run one after the other; the list and its entries have the same name."""
    steps = []
    for number, (luid, run, content) in enumerate(item.steps, 1):
        name = site.flows[content].name if content in site.flows else ""
        flow_task = {
            "id": run,
            "priority": str(number),
            "consecutiveFailedCount": "0",
            "type": "runFlow",
            "flow": {"id": content, "name": name},
        }
        steps.append(
            {
                "id": luid,
                "stepNumber": str(number),
                "stopDownstreamTasksOnFailure": "true",
                "task": {"flowRun": flow_task},
            }
        )
    schedule = {
        "id": item.schedule,
        "name": "Nightly flows",
        "state": "Active",
        "priority": "50",
        "type": "Flow",
        "frequency": "Daily",
    }
    return {
        "id": item.luid,
        "numSteps": str(len(steps)),
        "schedule": schedule,
        "linkedTaskSteps": {"linkedTaskSteps": steps},
    }


def flow_run(site: Site, item: FlowRun, now: datetime) -> Document:
    """Return one run of a flow."""
    job = site.jobs[item.job]
    done = job.finished(now)
    return {
        "id": item.luid,
        "flowId": item.flow,
        "status": job.status(now),
        "startedAt": format_time(job.started_at),
        "completedAt": format_time(job.completed_at) if done else None,
        "progress": "100" if done else "0",
        "backgroundJobId": job.luid,
    }
