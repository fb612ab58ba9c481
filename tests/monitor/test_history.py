"""The history that Tableau's job list still has becomes runs and incidents, and no message."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import requests

from simulator import Running
from tests.support.flask_commands import RunFlask
from tests.support.simulated_site import inject_fault
from webhooks.clock import utc_now
from webhooks.inbox import Inbox
from webhooks.incidents import IncidentFilter
from webhooks.monitor import history
from webhooks.monitor.history import STATE, HistoryCheck, Imported, import_history
from webhooks.monitor.job_budget import DETAILS, JobBudget
from webhooks.monitor.open_incidents import OpenIncidents
from webhooks.services import Services

FAILED, SUCCEEDED = "WorkbookRefreshFailed", "WorkbookRefreshSucceeded"
# Days ago, the event type, and the workbook.
PAST = ((9.0, FAILED, "Sales"), (8.0, SUCCEEDED, "Sales"), (2.0, FAILED, "Cash Flow"), (1.0, FAILED, "Cash Flow"))


@pytest.fixture
def past(site: Running) -> Running:
    """Return a site whose job list has two failures that recovered and two that did not."""
    site.world.home.jobs.clear()
    for days, event_type, name in PAST:
        body = {"event_type": event_type, "name": name}
        assert requests.post(f"{site.url}/simulator/events", json=body, timeout=5).status_code == 200
        job = [*site.world.home.jobs.values()][-1]
        assert job.completed_at
        job.created_at = job.started_at = job.completed_at = job.completed_at - timedelta(days=days)
    return site


def imported(services: Services, *, days: float = 30, seconds: float = 60) -> Imported:
    """Import the history until a deadline that many seconds from now."""
    now = utc_now()
    return import_history(
        services.inbox,
        services.client(),
        since=now - timedelta(days=days),
        now=now,
        deadline=time.monotonic() + seconds,
    )


def summary(inbox: Inbox) -> list[tuple[str, str, int]]:
    found = [record.incident for record in inbox.incidents.list()]
    return [(one.resource_name, one.state, one.failures) for one in found]


EVERYTHING = [("Cash Flow", "open", 2), ("Sales", "closed", 1)]


def test_history_becomes_incidents_and_no_message(past: Running, services: Services) -> None:
    """Content that fails now is open since its first failure; no event, job or notice is made, also a year later."""
    found = imported(services)
    assert (found.runs, found.is_complete) == (4, True)
    inbox = services.inbox
    assert summary(inbox) == EVERYTHING
    assert inbox.events.list() == []
    assert all(not record.notices and record.due_at is None for record in inbox.incidents.list())
    assert inbox.incidents.wake() == 0
    assert inbox.counts()["ready"] == 0
    assert past.world.slack.messages == []


def test_second_import_changes_nothing(past: Running, services: Services) -> None:
    """The same jobs are the same runs."""
    imported(services)
    before = services.inbox.incidents.list(), services.inbox.runs.list()
    imported(services)
    assert (services.inbox.incidents.list(), services.inbox.runs.list()) == before


def test_interrupted_import_is_right_about_what_fails_now_and_continues(
    past: Running, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest jobs come first; after a deadline the next import goes on where this one ended."""
    monkeypatch.setattr(history, "LEARN_PAGE", 1)
    first = imported(services, seconds=0)
    assert (first.runs, first.is_complete) == (1, False)
    assert summary(services.inbox) == [("Cash Flow", "open", 1)]
    for _ in range(5):
        if imported(services, seconds=0).is_complete:
            break
    assert summary(services.inbox) == EVERYTHING
    assert services.inbox.state.get(STATE)["complete"] is True


def test_days_limit_the_import(past: Running, services: Services) -> None:
    """Jobs that are older are left out."""
    assert imported(services, days=1.5).runs == 1
    assert imported(services).runs == 4


def test_ambiguous_names_are_counted(past: Running, services: Services) -> None:
    """Runs of content that is gone, or whose name is not unique, are not attributed to any."""
    workbooks = list(past.world.home.workbooks.values())
    other = next(one for one in workbooks if one.name not in {"Sales", "Cash Flow"})
    other.name = "Sales"
    found = imported(services)
    assert (found.runs, found.unknown) == (2, 2)


def test_first_start_imports_once(past: Running, services: Services) -> None:
    """The monitor's check imports everything, and asks Tableau for nothing after that, also after a restart."""
    HistoryCheck(services.inbox, services.client, days=30).run(utc_now())
    assert summary(services.inbox) == EVERYTHING
    before = len(past.world.calls.log)
    HistoryCheck(services.inbox, services.client, days=30).run(utc_now())
    assert len(past.world.calls.log) == before


def test_refused_list_is_not_asked_again_and_again(
    past: Running, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    """A user who may not list jobs leads to one line in the log; the next start tries again."""
    inject_fault(past, kind="error", target="tableau", path="/jobs", code="403004")
    check = HistoryCheck(services.inbox, services.client, days=30)
    check.run(utc_now())
    check.run(utc_now())
    assert caplog.text.count("History not imported: 403004") == 1
    past.world.faults.remove()
    HistoryCheck(services.inbox, services.client, days=30).run(utc_now())
    assert summary(services.inbox) == EVERYTHING


def test_command_imports_and_says_how_much(past: Running, services: Services, flask: RunFlask) -> None:
    """`flask incidents import` names the runs; without a terminal there is no progress bar."""
    result = flask("incidents", "import", "--days", "5")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("Imported 2 runs since ")
    assert result.stderr == ""
    assert summary(services.inbox) == EVERYTHING[:1]


def test_incident_that_history_finds_open_is_completed(past: Running, services: Services) -> None:
    """Content, owner, schedule and reason are looked up once, with one job query; nothing is asked after that."""
    imported(services)
    budget = JobBudget(services.inbox)
    look = OpenIncidents(services.inbox, services.client, budget)
    for luid in past.world.home.jobs:
        past.world.home.jobs[luid].notes = "com.tableausoftware.nativeapi.dll.DataSourceException: Disk full"
    look.run(utc_now())
    (record,) = services.inbox.incidents.list(IncidentFilter(states=["open"]))
    details = record.details
    assert (details.project, record.incident.reason) == ("Finance/Reports", "Disk full")
    assert "@" in details.owner
    assert details.link.startswith("http")
    asked = len(past.world.calls.log)
    look.run(utc_now())
    assert len(past.world.calls.log) == asked
    assert services.inbox.counts()["ready"] == 0


def test_incident_whose_content_is_gone_says_so(past: Running, services: Services) -> None:
    """Content that no longer exists is not asked for again; its reason waits for the budget of job queries."""
    imported(services)
    budget = JobBudget(services.inbox)
    now = utc_now()
    budget.spend(DETAILS, now, DETAILS.burst)
    past.world.home.workbooks.clear()
    look = OpenIncidents(services.inbox, services.client, budget)
    look.run(now)
    (record,) = services.inbox.incidents.list(IncidentFilter(states=["open"]))
    assert record.details.problem == "It no longer exists, or the server's Tableau user cannot see it."
    assert record.incident.reason == ""
    look.run(now + timedelta(days=1))
    (record,) = services.inbox.incidents.list(IncidentFilter(states=["open"]))
    assert record.incident.reason
