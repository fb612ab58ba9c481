"""Runs from Tableau's job list: what no webhook reported closes an incident, at no extra cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import text

from simulator import Running
from simulator.world.jobs import Job
from tests.support.simulated_site import inject_fault
from webhooks.event import parse
from webhooks.inbox import IncidentRecord
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.job_events import JobListCheck
from webhooks.monitor.job_list import JobList
from webhooks.monitor.reconcile import Reconciler
from webhooks.services import Services

FAILED, SUCCEEDED = "WorkbookRefreshFailed", "WorkbookRefreshSucceeded"


class Monitored:
    """A site whose events are caused, and received or missed, and the checks that read its job list."""

    def __init__(self, site: Running, services: Services) -> None:
        self.site, self.services, self.inbox = site, services, services.inbox
        jobs = JobList(services.client, JobBudget(self.inbox))
        self._reconciler = Reconciler(self.inbox, services.client, [FAILED], grace=timedelta(0))
        types = ["FlowRunFailed", "BridgeRefreshFailed"]
        self._check = JobListCheck(Alerts(self.inbox), services.client, lambda: types, jobs)
        self.run(-60)

    def cause(self, event_type: str, *, ago: float = 0, **fields: str) -> dict[str, Any]:
        """Make something happen on the site, `ago` minutes ago; its webhook does not arrive."""
        body = {"event_type": event_type, **fields}
        response = requests.post(f"{self.site.url}/simulator/events", json=body, timeout=5)
        assert response.status_code == 200, response.text
        payload: dict[str, Any] = response.json()["event"]
        job, earlier = self.last_job, timedelta(minutes=ago)
        if job.completed_at:
            job.created_at = job.started_at = job.completed_at = job.completed_at - earlier
        created_at = datetime.fromisoformat(payload["created_at"]) - earlier
        return {**payload, "created_at": f"{created_at:%Y-%m-%dT%H:%M:%SZ}", "text": ""}

    def receive(self, event_type: str, *, ago: float = 30, **fields: str) -> None:
        """Make something happen on the site, and receive its webhook."""
        event = parse(json.dumps(self.cause(event_type, ago=ago, **fields)).encode())
        assert event
        self.inbox.events.receive(event)
        self.plan()

    @property
    def last_job(self) -> Job:
        return [*self.site.world.home.jobs.values()][-1]

    def plan(self) -> None:
        while self.inbox.events.plan(lambda _: []):
            pass

    def run(self, later: float) -> Sequence[IncidentRecord]:
        """Run the checks, `later` minutes from now, and return all incidents."""
        now = datetime.now(UTC) + timedelta(minutes=later)
        self._check.run(now)
        self._reconciler.run(now)
        self.plan()
        return self.inbox.incidents.list()

    @property
    def job_calls(self) -> list[str]:
        return [call.path for call in self.site.world.calls.log if "/jobs" in call.path]


@pytest.fixture
def monitored(site: Running, services: Services) -> Monitored:
    return Monitored(site, services)


def states(incidents: Sequence[IncidentRecord]) -> list[str]:
    return sorted(record.incident.state for record in incidents)


def test_success_without_a_webhook_closes_the_incident(monitored: Monitored) -> None:
    """The job list shows the recovery, also if no rule needs events about successes; no event is made of it."""
    monitored.receive(FAILED, name="Sales")
    assert states(monitored.inbox.incidents.list()) == ["open"]
    monitored.cause(SUCCEEDED, name="Sales")
    (one,) = monitored.run(1)
    assert (one.incident.state, one.incident.failures) == ("closed", 1)
    assert len(monitored.inbox.events.list()) == 1
    (again,) = monitored.run(2)
    assert again == one


def test_job_and_webhook_are_one_run(monitored: Monitored) -> None:
    """The job adds its start and its LUID to the run that a webhook reported."""
    monitored.receive(FAILED, name="Sales")
    monitored.run(1)
    (run,) = monitored.inbox.runs.list()
    assert run.sources == {"webhook", "job list"}
    assert run.job_luid in monitored.site.world.home.jobs
    assert run.started_at is not None


def test_missed_failure_opens_one_incident(monitored: Monitored) -> None:
    """The reconciled event and its job are one failure, and the event is the incident's."""
    monitored.cause(FAILED, name="Sales")
    (one,) = monitored.run(1)
    assert (one.incident.failures, one.event_id) == (1, 1)
    (run,) = monitored.inbox.runs.list()
    assert run.sources == {"reconciled", "job list"}


def test_runs_cost_no_further_query(monitored: Monitored) -> None:
    """The refreshes that reconciliation reads are recorded, and Tableau is not asked for more."""
    for name in ("Sales", "Cash Flow"):
        monitored.cause(SUCCEEDED, name=name)
    before = len(monitored.job_calls)
    monitored.run(1)
    assert len(monitored.inbox.runs.list()) == 2
    assert [path for path in monitored.job_calls[before:] if "/jobs/" in path] == []
    assert len(monitored.job_calls) == before + 2


@pytest.mark.parametrize("recovered", [True, False])
def test_content_of_the_same_name_is_not_mixed_up(monitored: Monitored, recovered: bool) -> None:
    """Of two workbooks with one name, the success of the other one closes nothing."""
    workbooks = monitored.site.world.home.workbooks
    first, second = [one for one in workbooks.values() if one.has_extracts][:2]
    second.name = first.name
    monitored.run(0)
    failing, other = first, second
    body = {"name": first.name}
    monitored.receive(FAILED, **body)
    (one,) = monitored.inbox.incidents.list()
    assert one.incident.resource_luid == failing.luid
    monitored.cause(SUCCEEDED, **body)
    if not recovered:
        monitored.last_job.content = other.luid
    assert states(monitored.run(1)) == ["closed" if recovered else "open"]


def test_cancelled_refresh_changes_no_incident(monitored: Monitored) -> None:
    """A cancelled job neither opens nor closes an incident."""
    monitored.receive(FAILED, name="Sales")
    for name in ("Sales", "Cash Flow"):
        monitored.cause(SUCCEEDED, name=name)
        monitored.last_job.finish_code = 2
    assert states(monitored.run(1)) == ["open"]
    assert "cancelled" in {run.outcome for run in monitored.inbox.runs.list()}


def test_damaged_run_does_not_stop_the_others(monitored: Monitored, caplog: pytest.LogCaptureFixture) -> None:
    """An unreadable row concerns its own content; what else the job list says is recorded."""
    monitored.receive(FAILED, name="Sales")
    monitored.receive(FAILED, name="Cash Flow")
    sales = next(one.luid for one in monitored.site.world.home.workbooks.values() if one.name == "Sales")
    monitored.inbox.store.execute(
        text("UPDATE runs SET evidence = 'damaged' WHERE resource_luid = :luid"), {"luid": sales}
    )
    for name in ("Sales", "Cash Flow"):
        monitored.cause(SUCCEEDED, name=name)
    monitored.run(1)
    assert "Runs not recorded: jobs=" in caplog.text
    assert states(monitored.inbox.incidents.list()) == ["closed", "open"]


@pytest.mark.parametrize("failed", ["FlowRunFailed", "BridgeRefreshFailed"])
def test_flows_and_bridge_recover(monitored: Monitored, failed: str) -> None:
    """Their failures open incidents with Tableau's reason, and the next success in the job list closes them."""
    caused = monitored.cause(failed, ago=30, reason="Login failed")
    (one,) = monitored.run(0)
    assert (one.incident.state, one.incident.reason) == ("open", "Login failed")
    job_type = monitored.last_job.job_type
    succeeded = "FlowRunSucceeded" if failed == "FlowRunFailed" else "DatasourceRefreshSucceeded"
    monitored.cause(succeeded, name=caused["resource_name"])
    monitored.last_job.job_type = job_type
    (closed,) = monitored.run(2)
    assert (closed.incident.state, closed.incident.failures) == ("closed", 1)
    assert [record.event.event_type for record in monitored.inbox.events.list()] == [failed]


def test_flow_that_recovered_during_a_downtime_is_not_open(monitored: Monitored) -> None:
    """After ten hours, the success that followed the failure is found, too, and is known before the failure is."""
    caused = monitored.cause("FlowRunFailed", ago=30, reason="Login failed")
    monitored.cause("FlowRunSucceeded", name=caused["resource_name"])
    assert states(monitored.run(600)) == ["closed"]


def test_list_that_cannot_be_read_closes_nothing(monitored: Monitored) -> None:
    """While Tableau refuses the list, incidents stay as they are."""
    monitored.receive(FAILED, name="Sales")
    monitored.cause(SUCCEEDED, name="Sales")
    inject_fault(monitored.site, kind="error", target="tableau", path="/jobs", code="403004")
    assert "open" in states(monitored.run(1))
    monitored.site.world.faults.remove()
    assert states(monitored.run(2))[0] == "closed"
