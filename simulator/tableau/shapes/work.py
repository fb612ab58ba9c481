"""How jobs, tasks and runs are described to callers; a job in the list and a job alone have words of their own."""

from datetime import datetime

from simulator.tableau.wire import Answer, stamp
from simulator.world.site import FlowRun, Job, LinkedTask, Site, Task


def listed_job(item: Job, now: datetime) -> Answer:
    """A job as the list has it: neither notes nor content, and words of its own."""
    done = item.finished(now)
    return {
        "id": item.luid,
        "status": item.status(now),
        "jobType": item.job_type,
        "priority": str(item.priority),
        "createdAt": stamp(item.created_at),
        "startedAt": stamp(item.started_at),
        "endedAt": stamp(item.completed_at) if done else None,
        "title": item.title,
        "subtitle": item.subtitle,
    }


def job(item: Job, now: datetime) -> Answer:
    """A job asked for by its LUID; how it ended, and the content it was for."""
    done = item.finished(now)
    content: Answer = {item.content_kind: {"id": item.content, "name": item.title}}
    if item.flow_run:
        content["flowRunId"] = item.flow_run
    if done and item.notes:
        content["notes"] = item.notes
    return {
        "id": item.luid,
        "mode": "Asynchronous",
        "type": item.type,
        "progress": "100" if done else "0",
        "createdAt": stamp(item.created_at),
        "startedAt": stamp(item.started_at),
        "completedAt": stamp(item.completed_at) if done else None,
        "finishCode": str(item.finish_code) if done else None,
        "runFlowJobType" if item.content_kind == "flow" else "extractRefreshJob": content,
    }


def task(item: Task) -> Answer:
    """A refresh or a flow on its schedule."""
    schedule = {
        "frequency": item.frequency,
        "nextRunAt": stamp(item.next_run_at),
        "frequencyDetails": _details(item.frequency, item.next_run_at),
    }
    inner = {
        "id": item.luid,
        "priority": str(item.priority),
        "consecutiveFailedCount": str(item.consecutive_failed_count),
        "type": item.type,
        "schedule": schedule,
        item.content_kind: {"id": item.content},
    }
    return {item.kind: inner}


def _details(frequency: str, due: datetime) -> Answer:
    """When in the day, week or month; hourly needs an end with the minutes of its start."""
    begins = due.strftime("%H:%M:%S")
    every: dict[str, list[Answer]] = {
        "Hourly": [{"hours": "1"}, {"weekDay": "Monday"}, {"weekDay": "Friday"}],
        "Daily": [{"hours": "24"}, {"weekDay": "Monday"}],
        "Weekly": [{"weekDay": "Monday"}],
        "Monthly": [{"monthDay": "1"}],
    }
    ends = {"end": due.strftime("23:%M:00")} if frequency == "Hourly" else {}
    return {"start": begins} | ends | {"intervals": {"interval": every[frequency]}}


def linked_task(site: Site, item: LinkedTask) -> Answer:
    """Flows in a row; the list and its entries bear the same name."""
    steps = [_step(site, number, step) for number, step in enumerate(item.steps, 1)]
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


def _step(site: Site, number: int, step: tuple[str, str, str]) -> Answer:
    luid, run, content = step
    name = site.flows[content].name if content in site.flows else ""
    inner = {
        "id": run,
        "priority": str(number),
        "consecutiveFailedCount": "0",
        "type": "runFlow",
        "flow": {"id": content, "name": name},
    }
    return {"id": luid, "stepNumber": str(number), "stopDownstreamTasksOnFailure": "true", "task": {"flowRun": inner}}


def flow_run(site: Site, item: FlowRun, now: datetime) -> Answer:
    """One run of a flow."""
    work = site.jobs[item.job]
    done = work.finished(now)
    return {
        "id": item.luid,
        "flowId": item.flow,
        "status": work.status(now),
        "startedAt": stamp(work.started_at),
        "completedAt": stamp(work.completed_at) if done else None,
        "progress": "100" if done else "0",
        "backgroundJobId": work.luid,
    }
