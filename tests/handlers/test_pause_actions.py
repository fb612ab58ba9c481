"""The pause and resume actions against a simulated Tableau Server, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import simulator
from simulator.config import Config
from simulator.world.jobs import Schedule
from tableau_rest import Forbidden
from tests.support.handler_context import MakeEvent
from tests.support.simulated_actions import Simulation
from webhooks.config.settings import Settings
from webhooks.errors import Permanent, Skip
from webhooks.handlers.pause import require_server
from webhooks.inbox import Inbox
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.watches.site_watch import SiteWatch
from webhooks.registry import registry

MINUTE = timedelta(minutes=1)


@pytest.fixture
def server(inbox: Inbox, event: MakeEvent, settings: Settings) -> Iterator[Simulation]:
    """Simulate a Tableau Server."""
    registry.load()
    with simulator.running(replace(Config(), is_server=True)) as running:
        yield Simulation(running, inbox, event, settings)


def daily(server: Simulation) -> Schedule:
    """Return the schedule that is paused."""
    found = server.running.world.home.schedules.values()
    return next(one for one in found if one.name == "Daily extracts")


def test_schedule_is_paused_and_resumed_once(server: Simulation) -> None:
    """The state is checked first, so that nothing is done twice; the result says what was done."""
    failed, succeeded = ("DatasourceRefreshFailed", "DatasourceRefreshSucceeded")
    with pytest.raises(Skip, match="dry run: schedule Daily extracts would be paused"):
        server.run(server.happen(failed, name="Orders"), 'pause = { schedule = "daily extracts", dry_run = true }')
    assert (
        server.run(server.happen(failed, name="Orders"), 'pause = "daily extracts"') == "schedule Daily extracts paused"
    )
    assert daily(server).state == "Suspended"
    with pytest.raises(Skip, match="the schedule Daily extracts is paused already"):
        server.run(server.happen(failed, name="Orders"), f'pause = "{daily(server).luid}"')
    resume = f'resume = {{ schedule = "{daily(server).luid}", per_day = 1 }}'
    assert server.run(server.happen(succeeded, name="Orders"), resume) == "schedule Daily extracts resumed"
    with pytest.raises(Skip, match="the schedule Daily extracts is active already"):
        server.run(server.happen(succeeded, name="Orders"), resume)
    daily(server).state = "Suspended"
    with pytest.raises(Skip, match=r"limit reached: resume was done once within 24 hours \(per_day = 1\)"):
        server.run(server.happen(succeeded, name="Orders"), resume)


def test_schedule_has_to_be_found(server: Simulation) -> None:
    """An unknown name, one that two schedules have, and a missing permission are dead-lettered with the reason."""
    event = server.happen("DatasourceRefreshFailed")
    with pytest.raises(Permanent, match="The server has no schedule Nightly; it has: Daily extracts, "):
        server.run(event, 'pause = "Nightly"')
    twin = replace(daily(server), luid="5e3417f6-1c11-4a07-9f2e-0d3b5a6c7d8e")
    server.running.world.home.schedules[twin.luid] = twin
    with pytest.raises(Permanent, match=r"2 schedules are called Daily extracts; write the LUID: .* or "):
        server.run(server.happen("DatasourceRefreshFailed"), 'pause = "Daily extracts"')
    server.inject(kind="error", path=f"/schedules/{twin.luid}", code="403004", times=1)
    with pytest.raises(Forbidden) as refused:
        server.run(server.happen("DatasourceRefreshFailed"), f'pause = "{twin.luid}"')
    assert refused.value.permanent
    server.inject(kind="error", path=f"/schedules/{twin.luid}", code="404010", times=1)
    with pytest.raises(Skip, match="the schedule Daily extracts no longer exists"):
        server.run(server.happen("DatasourceRefreshFailed"), f'pause = "{twin.luid}"')


def test_schedules_need_tableau_server(simulation: Simulation) -> None:
    """A site whose tasks have schedules of their own, and a REST API without such a call, are named in the reason."""
    with pytest.raises(Permanent, match="need the schedules of Tableau Server, which Tableau does not list: 404003"):
        simulation.run(simulation.happen("DatasourceRefreshFailed"), 'pause = "Daily extracts"')
    with pytest.raises(Permanent, match="on Tableau Cloud each refresh has a schedule of its own"):
        require_server("https://10ax.online.tableau.com")


def test_paused_schedule_is_not_missed(server: Simulation) -> None:
    """Refreshes on a paused schedule do not run and open no incident; those that were due before are withdrawn."""
    home = server.running.world.home
    task = next(one for one in home.tasks.values() if one.schedule == daily(server).luid)
    task.next_run_at = datetime.now(UTC) + 5 * MINUTE
    watch = SiteWatch(server.inbox, lambda: server.tableau, JobBudget(server.inbox), UTC)
    watch.run(datetime.now(UTC))
    site = home.luid.lower()
    later = datetime.now(UTC) + 60 * MINUTE
    assert task.content.lower() in {one.resource_luid for one in server.inbox.expected_runs.due(site, later)}
    server.run(server.happen("DatasourceRefreshFailed"), 'pause = "Daily extracts"')
    task.next_run_at = datetime.now(UTC) - MINUTE
    started = len(home.jobs)
    watch.run(later)
    assert len(home.jobs) == started
    assert task.content.lower() not in {one.resource_luid for one in server.inbox.expected_runs.due(site, later)}
    missed = [one.incident for one in server.inbox.incidents.list() if one.incident.kind == "missed"]
    assert task.content.lower() not in {one.resource_luid for one in missed}
