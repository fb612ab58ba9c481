"""Test the watch against schedules that the simulated Tableau describes oddly, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import select

from simulator import Running
from simulator.world.jobs import Task
from tests.support.simulated_site import flask, inbox, make_flask, rules_file, server, services, settings, site
from webhooks.clock import from_timestamp
from webhooks.inbox.runs.tables import expected_runs
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.watches.site_watch import SiteWatch
from webhooks.services import Services

__all__ = ["flask", "inbox", "make_flask", "rules_file", "server", "services", "settings", "site"]
NOW = datetime(2027, 2, 10, 12, 0, tzinfo=UTC)
TOMORROW, LAST_OF_MONTH = datetime(2027, 2, 11, 6, 30, tzinfo=UTC), datetime(2027, 2, 28, 6, 30, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TASKS = 2000


@pytest.fixture
def watch(services: Services) -> SiteWatch:
    """Return the watch of the simulated site."""
    return SiteWatch(services.inbox, services.client, JobBudget(services.inbox), UTC)


def schedule(site: Running, number: int, content: str, kind: str = "workbook", **described: object) -> None:
    """Add a task whose schedule the server describes with these elements instead of its own; None leaves one out."""
    # The simulator does not start it within this test.
    later = datetime.now(UTC) + DAY
    luid = f"7a5c0000-0000-4000-8000-{number:012}"
    task = Task(luid, "extractRefresh", "FullRefresh", kind, content, "Daily", later, "", described=described)
    site.world.home.tasks[luid] = task


def details(*intervals: Mapping[str, str], start: str = "06:30:00") -> dict[str, object]:
    """Return the `frequencyDetails` of a schedule."""
    return {"start": start, "intervals": {"interval": list(intervals)}}


def expected(services: Services) -> dict[str, list[datetime]]:
    """Return the times at which refreshes are expected, by the LUID of the content."""
    found: dict[str, list[datetime]] = {}
    for row in services.inbox.store.rows(select(expected_runs).order_by(expected_runs.c.expected_at)):
        found.setdefault(row["resource_luid"], []).append(from_timestamp(row["expected_at"]))
    return found


def test_odd_descriptions(watch: SiteWatch, services: Services, site: Running) -> None:
    """A schedule without a next run is computed, where that is possible; one that never runs expects nothing."""
    home = site.world.home
    home.tasks.clear()
    luids = [f"e3000000-0000-4000-8000-{number:012}" for number in range(12)]
    cases: list[tuple[list[dict[str, object]], list[datetime]]] = [
        ([{"nextRunAt": None, "frequencyDetails": details()}], [TOMORROW]),
        ([{"nextRunAt": "", "frequencyDetails": details()}], [TOMORROW]),
        ([{"nextRunAt": "soon", "frequencyDetails": details()}], [TOMORROW]),
        (
            [{"nextRunAt": None, "frequency": "Monthly", "frequencyDetails": details({"monthDay": "LastDay"})}],
            [LAST_OF_MONTH],
        ),
        # One interval may be an object instead of a list.
        (
            [
                {
                    "nextRunAt": None,
                    "frequency": "Monthly",
                    "frequencyDetails": {"start": "06:30:00", "intervals": {"interval": {"monthDay": "LastDay"}}},
                }
            ],
            [LAST_OF_MONTH],
        ),
        # Several schedules of one piece of content.
        (
            [
                {"nextRunAt": "2027-02-11T02:00:00Z"},
                {"nextRunAt": None, "frequencyDetails": details()},
                {"nextRunAt": "2027-02-12T02:00:00Z", "state": "Suspended"},
            ],
            [datetime(2027, 2, 11, 2, 0, tzinfo=UTC), TOMORROW],
        ),
        # Disabled by an administrator.
        ([{"nextRunAt": "2027-02-11T02:00:00Z", "state": "Suspended"}], []),
        ([{"nextRunAt": None, "frequency": "Monthly", "frequencyDetails": details({"monthDay": "32"})}], []),
        ([{"nextRunAt": None, "frequency": "On Demand", "frequencyDetails": None}], []),
        ([{"nextRunAt": None, "frequency": None, "frequencyDetails": None}], []),
        ([{"nextRunAt": None, "frequencyDetails": details(start="half past six")}], []),
        # The time of a schedule that stopped long ago.
        ([{"nextRunAt": "2026-03-01T02:00:00Z"}], []),
    ]
    for number, (luid, (schedules, _)) in enumerate(zip(luids, cases, strict=True)):
        for each, described in enumerate(schedules):
            schedule(site, number * 10 + each, luid, **described)
    watch.run(NOW)
    assert expected(services) == {luid: times for luid, (_, times) in zip(luids, cases, strict=True) if times}
    assert services.inbox.incidents.list() == []


def test_bridge_refresh_has_come(watch: SiteWatch, services: Services, site: Running) -> None:
    """A refresh by Bridge, which sends no webhook, is found in the job list; one that does not come is missed."""
    home = site.world.home
    home.tasks.clear()
    names = ["Orders", "Stock Levels"]
    luids = [next(one.luid for one in home.datasources.values() if one.name == name) for name in names]
    now = datetime.now(UTC)
    due = (now + 5 * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")
    for number, luid in enumerate(luids):
        schedule(site, number, luid, "datasource", nextRunAt=due)
    watch.run(now)
    body = {"event_type": "BridgeRefreshFailed", "name": names[0]}
    assert requests.post(f"{site.url}/simulator/events", json=body, timeout=30).status_code == 200
    watch.run(now + 50 * MINUTE)
    found = [(one.incident.kind, one.incident.resource_name) for one in services.inbox.incidents.list()]
    assert sorted(found) == [("failing", names[0]), ("missed", names[1])]


def test_renamed_and_moved_content_keeps_its_schedule(watch: SiteWatch, services: Services, site: Running) -> None:
    """A missed refresh of content that was renamed and moved meanwhile is reported once, under its new name."""
    home = site.world.home
    home.tasks.clear()
    item = next(iter(home.workbooks.values()))
    now = datetime.now(UTC)
    due = (now + 5 * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")
    schedule(site, 1, item.luid, nextRunAt=due)
    watch.run(now)
    item.name = "Sales (new)"
    item.project = next(luid for luid in home.projects if luid != item.project)
    watch.run(now + 50 * MINUTE)
    watch.run(now + 61 * MINUTE)
    (one,) = services.inbox.incidents.list()
    assert (one.incident.kind, one.incident.resource_name) == ("missed", "Sales (new)")
    assert len(expected(services)[item.luid.lower()]) == 1


def test_thousands_of_tasks(watch: SiteWatch, services: Services, site: Running) -> None:
    """Tableau lists all tasks in one response, of any size; each has its next run, and a second reading adds none."""
    home = site.world.home
    home.tasks.clear()
    for number in range(TASKS):
        schedule(site, number, f"e3000000-0000-4000-8000-{number:012}", nextRunAt="2027-02-11T02:00:00Z")
    for minutes in (0, 11):
        watch.run(NOW + minutes * MINUTE)
        assert len(expected(services)) == TASKS
    assert services.inbox.incidents.list() == []
