"""Test the watch against the simulated Tableau over HTTP: a late refresh, a suspended schedule, and its own queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from simulator import Running
from tests.support.simulated_site import flask, inbox, make_flask, rules_file, server, services, settings, site
from webhooks.incidents import RunEvidence
from webhooks.incidents.wording import describe
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.watches.site_watch import SiteWatch
from webhooks.services import Services

__all__ = ["flask", "inbox", "make_flask", "rules_file", "server", "services", "settings", "site"]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def watch(services: Services) -> SiteWatch:
    """Return the watch of the simulated site."""
    return SiteWatch(services.inbox, services.client, JobBudget(services.inbox), UTC)


def post(site: Running, path: str, **body: object) -> None:
    """Call the simulator's own HTTP API."""
    response = requests.post(f"{site.url}/simulator/{path}", json=body, timeout=30)
    assert response.status_code == 200, response.text


def _successes(site: Running, luid: str) -> list[RunEvidence]:
    """Return the evidence of the successes of content that the simulated webhooks would report."""
    jobs = [job for job in site.world.home.jobs.values() if job.content == luid and job.completed_at]
    last = max(jobs, key=lambda job: job.completed_at or job.created_at)
    home, end = site.world.home.luid.lower(), last.completed_at
    assert end is not None
    return [RunEvidence("webhook", home, luid, "workbook", "succeeded", end, ended_at=end)]


def test_late_refresh_is_missed_and_comes(watch: SiteWatch, services: Services, site: Running) -> None:
    """A refresh that is due since 45 minutes is missed at the next look; its success closes the incident."""
    post(site, "schedules", name="Sales", late=45)
    now = datetime.now(UTC)
    watch.run(now)
    (one,) = services.inbox.incidents.list()
    assert (one.incident.kind, one.incident.resource_name) == ("missed", "Sales")
    post(site, "events", event_type="WorkbookRefreshSucceeded", name="Sales")
    watch.run(now + 11 * MINUTE)
    task = next(task for task in site.world.home.tasks.values() if task.content == one.incident.resource_luid)
    assert task.next_run_at > now
    # The job list has the success, also if no webhook reports it.
    services.inbox.incidents.learn(*_successes(site, one.incident.resource_luid))
    closed = services.inbox.incidents.get(one.id).incident
    assert (closed.state, describe(closed)[:5]) == ("closed", "Came ")


def test_refresh_that_runs_long_ends(watch: SiteWatch, services: Services, site: Running) -> None:
    """A refresh that has been running for four hours is too long after eight of five minutes; its failure ends it."""
    post(site, "schedules", name="Sales", running=240)
    (job,) = [job for job in site.world.home.jobs.values() if job.title == "Sales" and job.finish_code is None]
    home, now, began = site.world.home.luid.lower(), datetime.now(UTC), job.started_at
    assert began is not None
    assert abs(now - began - timedelta(hours=4)) < 5 * MINUTE
    for number in range(1, 9):
        start = began - timedelta(days=number)
        services.inbox.incidents.learn(
            RunEvidence("job list", home, job.content, "workbook", "succeeded", start,
                        started_at=start, ended_at=start + 5 * MINUTE, job_luid=f"job {number}")
        )  # fmt: skip
    services.inbox.incidents.learn(
        RunEvidence("webhook", home, job.content, "workbook", "running", began, started_at=began)
    )
    watch.run(now)
    (one,) = services.inbox.incidents.list()
    assert (one.incident.kind, one.incident.state, one.incident.resource_name) == ("long", "open", "Sales")
    post(site, "events", event_type="WorkbookRefreshFailed", name="Sales")
    assert job.finish_code == 1
    refused = requests.post(f"{site.url}/simulator/schedules", json={"name": "Sales", "running": "x"}, timeout=30)
    assert (refused.status_code, "number of minutes" in refused.text) == (400, True)


def test_suspended_after_five_failures(watch: SiteWatch, services: Services, site: Running) -> None:
    """Five failures in a row by Tableau's count suspend the schedule: it has no next run, and an incident is open."""
    watch.run(datetime.now(UTC))
    for _ in range(5):
        post(site, "events", event_type="WorkbookRefreshFailed", name="Web Traffic")
    watch.run(datetime.now(UTC) + 11 * MINUTE)
    (one,) = [one for one in services.inbox.incidents.list() if one.incident.kind == "suspended"]
    assert one.incident.resource_name == "Web Traffic"
    assert describe(one.incident) == "Suspended by Tableau"


def test_due_refresh_is_started_by_the_simulator(watch: SiteWatch, services: Services, site: Running) -> None:
    """A task whose time has come runs, and has a next run."""
    task = next(task for task in site.world.home.tasks.values() if task.content_kind == "workbook")
    before = len(site.world.home.jobs)
    task.next_run_at = site.world.now() - MINUTE
    watch.run(datetime.now(UTC))
    assert len(site.world.home.jobs) == before + 1
    assert task.next_run_at > site.world.now()
    assert services.inbox.incidents.list() == []
