"""Extract refreshes, flow runs and subscriptions: jobs that start, take a while, and succeed or fail."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from simulator.world.jobs import FlowRun, Job
from simulator.world.site import Content, Site, Subscription
from simulator.world.world import World

LOGIN = "com.tableausoftware.nativeapi.dll.TableauCOMException: [Microsoft][ODBC Driver 18 for SQL Server]Login failed"
REASONS = (
    f"{LOGIN} for user 'svc_tableau'.\nUnable to connect to the server \"warehouse.acme.example\".",
    "java.util.concurrent.TimeoutException: The query time resource limit (7200 seconds) was exceeded.",
    "com.tableausoftware.domain.exceptions.ColumnNotFound: The column 'net_amount' does not exist in 'order_lines'.",
    "java.net.UnknownHostException: warehouse.acme.example: Name or service not known",
)
CONTENT_GONE = "com.tableausoftware.domain.exceptions.ResourceNotFoundException: the content is gone"
# How a job is called in a single job and in the list of jobs.
TYPES = {
    "full": ("RefreshExtract", "refresh_extracts"),
    "incremental": ("RefreshExtract", "increment_extracts"),
    "flow": ("RunFlow", "run_flow"),
    "bridge": ("RefreshExtract", "refresh_extracts_via_bridge"),
    # The schema names no type for the single job of a subscription.
    "subscription": ("", "single_subscription_notify"),
}
# The kinds of jobs whose start and end are in the list of jobs only: there is no webhook for them.
WITHOUT_EVENTS = ("run_flow", "refresh_extracts_via_bridge", "single_subscription_notify")
EMAIL_REASONS = (
    "java.lang.RuntimeException: Unable to render the view: the user is not permitted to open it.",
    "com.sun.mail.smtp.SMTPAddressFailedException: 550 5.1.1 mailbox unavailable",
)
BRIDGE_REASONS = (
    "java.lang.RuntimeException: No Bridge client is connected in the pool for this data source.",
    "java.util.concurrent.TimeoutException: The Bridge client did not finish the refresh in time.",
)


def queue(world: World, site: Site, kind: str, item: Content, *, how: str = "full", task: str = "") -> Job:
    """Create a running job for a piece of content, without an event."""
    now = world.now()
    job_type, listed = TYPES[how]
    job = Job(world.luid(), job_type, listed, item.name, kind.title(), kind, item.luid, now, now, task=task)
    site.jobs[job.luid] = job
    if kind == "flow":
        run = FlowRun(world.luid(), item.luid, job.luid)
        site.flow_runs[run.luid] = run
        job.flow_run = run.luid
    return job


def end_subscription(world: World, site: Site, item: Subscription, *, reason: str = "") -> Job:
    """Add the job of one e-mail that has ended; with a `reason` it has failed."""
    now = world.now()
    job_type, listed = TYPES["subscription"]
    job = Job(world.luid(), job_type, listed, item.subject, item.content_kind, "subscription", item.luid, now, now)
    site.jobs[job.luid] = job
    _close(world, job, 1 if reason else 0, reason)
    world.changed()
    return job


def emit_started(world: World, site: Site, job: Job) -> dict[str, object]:
    """Emit the event that a job has started; there is none for flows and Bridge."""
    if job.job_type in WITHOUT_EVENTS:
        return {}
    name = f"{job.content_kind.title()}RefreshStarted"
    return world.emit(site, name, name=job.title, luid=job.content, at=job.started_at)


def run_since(world: World, site: Site, kind: str, item: Content, minutes: float) -> Job:
    """Let a refresh of the content have been running for these minutes; it goes on until its end is caused."""
    job = queue(world, site, kind, item, how="flow" if kind == "flow" else "full")
    job.created_at = job.started_at = world.now() - timedelta(minutes=minutes)
    emit_started(world, site, job)
    return job


def run(world: World, site: Site, kind: str, item: Content, *, how: str = "full", task: str = "") -> Job:
    """Start a job that ends after the configured seconds, as its content is set to end."""
    job = queue(world, site, kind, item, how=how, task=task)
    emit_started(world, site, job)
    world.timer.after(world.config.refresh_seconds, partial(_end, world, site, job))
    return job


def running(site: Site, luid: str) -> Job | None:
    """Return the running job of this content."""
    return next((job for job in site.jobs.values() if job.content == luid and job.finish_code is None), None)


def finish(world: World, site: Site, job: Job, *, reason: str = "") -> dict[str, object]:
    """End a job and emit the event; with a `reason` the job has failed."""
    _close(world, job, 1 if reason else 0, reason)
    item = site.content(job.content_kind).get(job.content)
    for task in site.tasks.values():
        if task.luid == job.task or (not job.task and task.content == job.content):
            task.consecutive_failed_count = task.consecutive_failed_count + 1 if reason else 0
            task.is_stuck = False
    if item and not reason:
        item.updated_at = world.now()
    if job.job_type in WITHOUT_EVENTS:
        world.changed()
        return {}
    ending = "RefreshFailed" if reason else "RefreshSucceeded"
    return world.emit(site, f"{job.content_kind.title()}{ending}", name=job.title, luid=job.content)


def cancel(world: World, job: Job) -> None:
    """Cancel a job; there is no event for that."""
    _close(world, job, 2, "")


def visible_jobs(now: datetime, jobs: list[Job]) -> list[Job]:
    """Return the jobs that a caller can see by now: a late one may not be listed at all yet."""
    return [job for job in jobs if not (job.absent and job.visible_at and now < job.visible_at)]


def _close(world: World, job: Job, code: int, notes: str) -> None:
    late, absent = world.faults.lateness()
    job.completed_at = world.now()
    job.visible_at = job.completed_at + timedelta(seconds=late) if late else None
    job.absent, job.finish_code, job.notes = absent, code, notes


def _end(world: World, site: Site, job: Job) -> None:
    """End a running job with the reason that its content is set to fail with, if any."""
    with world.lock:
        if job.finish_code is not None or job.luid not in site.jobs:
            return
        item = site.content(job.content_kind).get(job.content)
        if item is None:
            reason = CONTENT_GONE
        elif item.fail_next > 0:
            item.fail_next -= 1
            reason = item.fail_reason or item.failing or world.random.choice(REASONS)
        else:
            reason = item.failing
        finish(world, site, job, reason=reason)
