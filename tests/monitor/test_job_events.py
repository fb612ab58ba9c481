"""Events from Tableau's job list: each job makes one event, and a list that cannot be read is never an empty one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from simulator import Running
from simulator.world import refresh
from tests.support.simulated_site import inject_fault
from webhooks.event import RECONCILED
from webhooks.event_types import JOB_LIST_EVENT_TYPES
from webhooks.inbox import Inbox
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.job_budget import DETAILS, LISTS, SITE_QUERIES_PER_DAY, WATCHES, JobBudget
from webhooks.monitor.job_events import CURSOR, MAX_AGE, JobListCheck
from webhooks.monitor.job_list import JobList
from webhooks.monitor.reconcile import Reconciler
from webhooks.registration.job_list import PROBLEM
from webhooks.services import Services

FAILURES = ("BridgeRefreshFailed", "FlowRunFailed", "SubscriptionFailed")
Payload = dict[str, Any]
Check = Callable[..., list[Payload]]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def new_check(services: Services, desired: Collection[str] = FAILURES) -> JobListCheck:
    jobs = JobList(services.client, JobBudget(services.inbox))
    return JobListCheck(Alerts(services.inbox), services.client, lambda: desired, jobs)


@pytest.fixture
def check(services: Services) -> Check:
    """Check as a process that has just started, `later` minutes from now; return the payloads of new events."""

    def check(later: float = 0, desired: Collection[str] = FAILURES) -> list[Payload]:
        inbox = services.inbox
        before = {record.event.id for record in inbox.events.list(limit=5000)}
        new_check(services, desired).run(datetime.now(UTC) + minutes(later))
        stored = [record.event for record in inbox.events.list(limit=5000) if record.event.id not in before]
        return [dict(event.payload) for event in reversed(stored)]

    return check


def cause(site: Running, event_type: str, **fields: str) -> Payload:
    """Make a job end in the simulated site; return the payload that a webhook about it would have."""
    response = requests.post(f"{site.url}/simulator/events", json={"event_type": event_type, **fields}, timeout=30)
    assert response.status_code == 200, response.text
    payload: Payload = response.json()["event"]
    return payload


def add_failed_flows(site: Running, count: int) -> None:
    """Add failed runs of one flow."""
    world, home = site.world, site.world.home
    with world.lock:
        flow = next(iter(home.flows.values()))
        for number in range(count):
            job = refresh.queue(world, home, "flow", flow, how="flow")
            refresh.finish(world, home, job, reason=f"reason {number}")


def summary(payload: Payload) -> tuple[str, ...]:
    return tuple(payload[name] for name in ("event_type", "resource", "resource_luid", "resource_name", "site_luid"))


def job_queries(site: Running) -> list[str]:
    """Return the paths of the queries of jobs, each a part of the site's allowance."""
    paths = [call.path for call in site.world.calls.log if call.target == "tableau"]
    return [path for path in paths if "/jobs" in path]


@pytest.mark.parametrize("event_type", FAILURES)
def test_failure_without_a_webhook_becomes_one_event(
    check: Check, inbox: Inbox, site: Running, event_type: str
) -> None:
    """It names the content and the reason, its origin is ours, and further readings do not repeat it."""
    assert check() == []
    caused = cause(site, event_type, reason="Disk full")
    (stored,) = check(1)
    assert summary(stored) == summary(caused)
    assert stored["reason"] == "Disk full"
    assert stored["job_luid"] in site.world.home.jobs
    (record,) = inbox.events.list()
    assert record.event.origin == RECONCILED
    assert check(2) == check(10) == check(60) == []


def test_passwords_in_the_reason_are_not_stored(check: Check, inbox: Inbox, site: Running) -> None:
    """Tableau's notes may contain a connection string, and stored events are shown by commands."""
    check()
    cause(
        site, "FlowRunFailed", reason="java.lang.RuntimeException: cannot open postgres://etl:hunter2@db/x;PWD=hunter2"
    )
    (stored,) = check(1)
    assert stored["reason"] == "cannot open postgres://etl:***@db/x;PWD=***"
    (record,) = inbox.events.list()
    assert b"hunter2" not in record.event.body


def test_what_ended_before_the_first_reading_is_not_reported(check: Check, site: Running) -> None:
    """A new rule reports no failures of yesterday; a rule that is removed and added again reports none of meanwhile."""
    cause(site, "FlowRunFailed")
    for job in site.world.home.jobs.values():
        job.completed_at = datetime.now(UTC) - minutes(5)
    assert check() == check(1) == []
    assert check(2, desired=()) == []
    cause(site, "FlowRunFailed")
    assert check(30) == check(31) == []


def test_nothing_is_asked_without_a_rule(check: Check, site: Running, inbox: Inbox) -> None:
    """There is not even a sign-in."""
    assert check(desired=()) == check(30, desired=()) == []
    assert site.world.calls.total == 0
    assert inbox.state.get(CURSOR) is None


def test_successes_are_stored_only_if_a_rule_selects_them(check: Check, site: Running) -> None:
    """Else they are not even requested; and their content costs no query of a single job."""
    check()
    failed, succeeded = cause(site, "FlowRunFailed"), cause(site, "FlowRunSucceeded")
    assert [summary(one) for one in check(1)] == [summary(failed)]
    before = len(job_queries(site))
    assert [summary(one) for one in check(2, desired=["FlowRunSucceeded"])] == [summary(succeeded)]
    assert len(job_queries(site)) == before + 1


def test_two_failures_within_a_second_are_two_events(check: Check, site: Running) -> None:
    """Tableau's times have whole seconds, but each job has its own LUID."""
    check()
    add_failed_flows(site, 3)
    assert len({one["job_luid"] for one in check(1)}) == 3


def test_two_machines_make_one_event(services: Services, site: Running) -> None:
    """If the lock changes hands in the middle of a reading, both find the same jobs at the same time."""
    checks = [new_check(services) for _ in range(4)]
    now = datetime.now(UTC)
    checks[0].run(now)
    add_failed_flows(site, 5)
    with ThreadPoolExecutor(len(checks)) as machines:
        list(machines.map(lambda one: one.run(now + minutes(1)), checks))
    assert len(services.inbox.events.list()) == 5


def test_job_that_the_list_shows_late_is_found(check: Check, site: Running) -> None:
    """The windows overlap by half an hour."""
    check()
    cause(site, "FlowRunFailed")
    with site.world.lock:
        hidden = {luid: job for luid, job in site.world.home.jobs.items() if job.job_type == "run_flow"}
        for luid in hidden:
            del site.world.home.jobs[luid]
    assert check(5) == check(20) == []
    site.world.home.jobs.update(hidden)
    assert len(check(29)) == 1


def test_server_that_was_down_for_a_day_catches_up(
    check: Check, site: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """And one that was down for longer than a week reports the last week, and says so."""
    check(-60 * 24)
    cause(site, "FlowRunFailed")
    assert len(check(1)) == 1
    check()
    cause(site, "FlowRunFailed")
    week = MAX_AGE.total_seconds() / 60
    with caplog.at_level(logging.WARNING):
        assert check(week + 5) == []
    assert "is not reported" in caplog.text


def test_refused_list_is_not_an_empty_one(check: Check, inbox: Inbox, site: Running) -> None:
    """A user who may not list jobs leads to one alert; once the right is given, nothing is missing."""
    check()
    cause(site, "FlowRunFailed")
    inject_fault(site, kind="error", target="tableau", path="/jobs", code="403004")
    alerts = [*check(1), *check(10), *check(20)]
    assert [one["event_type"] for one in alerts] == ["JobListCheckFailed"]
    assert inbox.state.get(PROBLEM)["refused"] is True
    site.world.faults.remove()
    assert [one["event_type"] for one in check(240)] == ["FlowRunFailed"]
    assert inbox.state.get(PROBLEM) is None


@pytest.mark.parametrize("kind", ["html", "document"])
def test_response_that_is_no_list_is_not_an_empty_one(check: Check, inbox: Inbox, site: Running, kind: str) -> None:
    """A proxy's page, or an empty object, instead of the list."""
    check()
    cause(site, "FlowRunFailed")
    inject_fault(site, kind=kind, target="tableau", path="/jobs")
    check(1)
    assert inbox.state.get(PROBLEM)
    site.world.faults.remove()
    assert "FlowRunFailed" in [one["event_type"] for one in check(40)]


def test_job_whose_details_fail_waits_and_is_stored_without_them_in_the_end(check: Check, site: Running) -> None:
    """Other failures do not wait for it."""
    check()
    caused = cause(site, "FlowRunFailed")
    job = next(job for job in site.world.home.jobs.values() if job.job_type == "run_flow")
    inject_fault(site, kind="error", target="tableau", path=f"/jobs/{job.luid}", code="500000")
    cause(site, "BridgeRefreshFailed")
    assert [one["event_type"] for one in check(1)] == ["BridgeRefreshFailed"]
    (stored,) = check(40)
    assert stored["resource_name"] == caused["resource_name"]
    assert "reason" not in stored


@pytest.mark.second_stage
def test_all_queries_of_a_day_stay_within_two_percent(services: Services, site: Running) -> None:
    """With a check every minute, 300 failures, and reconciliation beside it; no failure is left out."""
    inbox, start = services.inbox, datetime.now(UTC)
    jobs = JobList(services.client, JobBudget(inbox), for_refreshes=True)
    check = JobListCheck(Alerts(inbox), services.client, lambda: FAILURES, jobs)
    reconciler = Reconciler(inbox, services.client, ["WorkbookRefreshFailed"], job_list=jobs)
    check.run(start)
    add_failed_flows(site, 300)
    for minute in range(1, 24 * 60, 2):
        for one in (check, reconciler):
            one.run(start + minutes(minute))
    queries = site.world.calls.counts
    asked = sum(count for name, count in queries.items() if "jobs" in str(name))
    assert 200 < asked <= SITE_QUERIES_PER_DAY * 0.02
    failures = inbox.events.list(event_types=["FlowRunFailed"], limit=500)
    assert len(failures) == 300
    # Beyond the budget for single jobs, the content is found by its name.
    assert len({record.event.resource_luid for record in failures}) == 1


def test_allowances_are_two_percent_of_the_sites() -> None:
    """At any time of the day, whatever was spent before."""
    assert sum(one.burst + one.per_day for one in (LISTS, DETAILS, WATCHES)) <= SITE_QUERIES_PER_DAY * 0.02


def test_budget_is_spent_and_regained(inbox: Inbox) -> None:
    """A burst, then one reading every five minutes, also after a restart; a clock that is set back gains nothing."""
    now = datetime.now(UTC)
    assert [JobBudget(inbox).take(LISTS, now) for _ in range(13)] == [True] * 12 + [False]
    assert not JobBudget(inbox).take(LISTS, now - minutes(60))
    assert not JobBudget(inbox).take(LISTS, now + minutes(4))
    assert JobBudget(inbox).take(LISTS, now + minutes(6))
    assert JobBudget(inbox, " other").take(LISTS, now)


def test_reconciliation_uses_the_same_reading(services: Services, site: Running) -> None:
    """One query of the list serves both; what happened to refreshes is found in it."""
    inbox, now = services.inbox, datetime.now(UTC)
    jobs = JobList(services.client, JobBudget(inbox), for_refreshes=True)
    check = JobListCheck(Alerts(inbox), services.client, lambda: FAILURES, jobs)
    reconciler = Reconciler(inbox, services.client, ["DatasourceRefreshFailed"], grace=timedelta(0), job_list=jobs)
    for one in (check, reconciler):
        one.run(now)
    cause(site, "FlowRunFailed")
    cause(site, "BridgeRefreshFailed")
    before = len(job_queries(site))
    for one in (check, reconciler):
        one.run(now + minutes(1))
    # One list, and the details of the flow, of Bridge, and of the refresh that no webhook reported.
    assert len(job_queries(site)) - before == 4
    stored = sorted(record.event.event_type for record in inbox.events.list())
    assert stored == ["BridgeRefreshFailed", "DatasourceRefreshFailed", "FlowRunFailed"]


def test_server_that_refuses_the_job_types_is_asked_for_all_jobs(check: Check, site: Running) -> None:
    """No failure is lost on a server whose names of job types differ from those in a filter."""
    check()
    caused = cause(site, "SubscriptionFailed")
    inject_fault(site, kind="error", target="tableau", path="jobType", code="400000")
    assert [summary(one) for one in check(1)] == [summary(caused)]


def test_every_type_from_the_job_list_is_stored(check: Check, site: Running) -> None:
    """None of the table is forgotten here."""
    check(desired=JOB_LIST_EVENT_TYPES)
    for event_type in JOB_LIST_EVENT_TYPES:
        cause(site, event_type)
    assert {one["event_type"] for one in check(1, desired=JOB_LIST_EVENT_TYPES)} == set(JOB_LIST_EVENT_TYPES)
