"""The actions that cancel, start and transfer, and that notify the owners downstream, against a simulated Tableau."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest

from simulator.world import refresh
from simulator.world.jobs import Job
from tableau_rest import MemorySessions, PersonalAccessToken, Tableau
from tests.support.simulated_actions import Simulation
from tests.tableau_rest.test_metadata import PATH as METADATA
from tests.tableau_rest.test_metadata import failed
from tests.tableau_rest.tiny import OTHER, running
from webhooks.context import call
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import Event, build
from webhooks.planner import Planner
from webhooks.registry import Registry, registry
from webhooks.rules import parse
from webhooks.text import count


def content(simulation: Simulation, kind: str, name: str) -> str:
    """Return the LUID of content of the simulated site."""
    return next(luid for luid, one in simulation.running.world.home.content(kind).items() if one.name == name)


def queue(simulation: Simulation, kind: str, name: str) -> Job:
    """Let a run begin that does not end by itself."""
    world = simulation.running.world
    item = world.home.content(kind)[content(simulation, kind, name)]
    return refresh.queue(world, world.home, kind, item, how="flow" if kind == "flow" else "full")


def begun(simulation: Simulation, job: Job, *, seconds: int) -> Event:
    """Return the event about the start of a run, so long before the run's time in the job list."""
    event = simulation.cause("WorkbookUpdated", name="Sales")
    when = job.created_at - timedelta(seconds=seconds)
    return simulation.event(**{**event.payload, "created_at": f"{when:%Y-%m-%dT%H:%M:%SZ}"})


def test_run_is_cancelled_if_it_still_runs(simulation: Simulation) -> None:
    """The refresh of this content is found among those of the same name; one that has ended is left alone."""
    event = simulation.happen("WorkbookUpdated", name="Sales")
    with pytest.raises(Skip, match="the run has ended meanwhile"):
        simulation.run(event, "cancel = true")
    other = queue(simulation, "datasource", "Orders")
    job = queue(simulation, "workbook", "Sales")
    with pytest.raises(Skip, match=rf"dry run: run {job.luid} after .* would be cancelled"):
        simulation.run(begun(simulation, job, seconds=30), "cancel = { dry_run = true }")
    assert simulation.run(begun(simulation, job, seconds=60), "cancel = true").startswith(f"run {job.luid} after ")
    assert (job.finish_code, other.finish_code) == (2, None)


def test_another_run_is_not_cancelled(simulation: Simulation) -> None:
    """A run that began after the event is another one; users have no runs."""
    job = queue(simulation, "workbook", "Sales")
    with pytest.raises(Skip, match="another one began at"):
        simulation.run(begun(simulation, job, seconds=3600), "cancel = true")
    with pytest.raises(Skip, match="a user has no runs"):
        simulation.run(simulation.happen("AdminPromoted"), "cancel = true")
    assert job.finish_code is None


def test_cancellation_waits_as_configured(simulation: Simulation) -> None:
    """With `after`, the job waits without a thread, and looks then."""
    job = simulation.job(simulation.happen("WorkbookUpdated", name="Sales"), "cancel = { after = 90 }")
    with pytest.raises(RetryLater, match="Waiting whether it still runs after 90 minutes"):
        call(registry.handler("cancel"), simulation.context(job))
    with pytest.raises(Skip, match="the run has ended meanwhile"):
        call(registry.handler("cancel"), simulation.context(job))


def test_rule_names_what_a_watch_has_found(simulation: Simulation) -> None:
    """`RefreshRunsLong` written in full selects the finding, also of a flow; a pattern does not."""
    job = queue(simulation, "flow", "Clean Orders")
    luid = content(simulation, "flow", "Clean Orders")
    when = f"{job.created_at:%Y-%m-%dT%H:%M:%SZ}"
    site = simulation.running.world.home.luid
    fields = {"resource": "FLOW", "resource_name": "Clean Orders", "resource_luid": luid, "site_luid": site}
    found = build("RefreshRunsLong", origin="monitor", created_at=when, **fields)
    text = '[[rule]]\nname = "R"\non = {on}\ncancel = true\nnotify = "console"\n'
    verdicts = {
        on: [job.handler for job in Planner(parse(text.format(on=on), registry.actions), Registry()).plan(found).jobs]
        for on in ('"RefreshRunsLong"', '["*RefreshFailed", "RefreshRunsLong"]', '"*"')
    }
    assert verdicts['"RefreshRunsLong"'] == ["notify", "cancel"] or verdicts['"RefreshRunsLong"'] == [
        "cancel",
        "notify",
    ]
    assert sorted(verdicts['["*RefreshFailed", "RefreshRunsLong"]']) == ["cancel", "notify"]
    assert verdicts['"*"'] == ["notify"]
    assert parse(text.format(on='"RefreshRunsLong"'), registry.actions).warnings == ()
    assert simulation.run(found, "cancel = true").startswith(f"run {job.luid} ")
    assert job.finish_code == 2


def test_owners_downstream_are_notified_once(simulation: Simulation) -> None:
    """Each owner gets one message with the workbooks, within a limit; another failure on the same day gets none."""
    dry = "downstream = { dry_run = true }"
    with pytest.raises(Skip, match=r"dry run: \d owners? of \d workbooks? would be notified"):
        simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), dry)
    result = simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), "downstream = true")
    owners = simulation.tableau.downstream_workbooks(content(simulation, "datasource", "Orders")).workbooks
    people = {one.owner_email for one in owners}
    words = f"{count(len(people), 'owner')} of {count(len(owners), 'workbook')} notified"
    assert result == words
    assert len(simulation.messages) == len(people)
    assert all("of yours" in one.text and "Orders" in one.text for one in simulation.messages)
    with pytest.raises(Skip, match="limit reached: downstream was done once"):
        simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), "downstream = true")
    with pytest.raises(Skip, match="only existing data sources"):
        simulation.run(simulation.happen("WorkbookRefreshFailed", name="Sales"), "downstream = true")


def test_owner_who_cannot_be_notified_is_named(simulation: Simulation) -> None:
    """The other owners are notified; if none can be, the job is dead-lettered with the reason."""
    simulation.inject(kind="error", target="slack", path="lookupByEmail", code="users_not_found")
    with pytest.raises(Permanent, match="No owner could be notified"):
        simulation.run(simulation.happen("DatasourceRefreshFailed", name="Orders"), "downstream = true")


def test_incomplete_lineage_is_in_the_result(simulation: Simulation) -> None:
    """While Tableau builds its index, some workbooks are missing, and the job says so."""
    event = simulation.happen("DatasourceRefreshFailed", name="Orders")
    owner = {"name": "ann", "email": "ann@acme.example"}
    book = {"luid": OTHER, "name": "Sales", "projectName": "Finance", "owner": owner}
    source: dict[str, object] = {"luid": event.resource_luid, "name": "Orders", "downstreamWorkbooks": [book]}
    with closing(running()) as server:
        tiny = next(server)
        credential = PersonalAccessToken("bot", "s3cr3t-value")
        with Tableau(tiny.url, "mk", credential, sessions=MemorySessions()) as client:
            reply = partial(failed, "BACKFILL_RUNNING", "WARNING")
            tiny.replies[METADATA] = reply({"publishedDatasources": [source]})
            dry = "downstream = { dry_run = true }"
            with pytest.raises(Skip, match=r"1 owner of 1 workbook would be notified; .* owners may be missing"):
                simulation.run(event, dry, tableau=lambda: client)
            tiny.replies[METADATA] = reply({"publishedDatasources": [{**source, "downstreamWorkbooks": []}]})
            again = simulation.happen("DatasourceRefreshFailed", name="Orders")
            with pytest.raises(Skip, match=r"no workbook uses it; .* owners may be missing"):
                simulation.run(again, dry, tableau=lambda: client)


def test_content_is_transferred_once(simulation: Simulation) -> None:
    """Owner and project change in one call; names that Tableau does not have are dead-lettered."""
    home = simulation.running.world.home
    sales = home.workbooks[content(simulation, "workbook", "Sales")]
    owner = next(one for one in home.users.values() if one.luid != sales.owner)
    project = next(one for one in home.projects.values() if one.luid != sales.project and one.parent is None)
    wanted = f'transfer = {{ owner = "{owner.name}", project = "{project.name}" }}'
    result = simulation.run(simulation.happen("WorkbookUpdated", name="Sales"), wanted)
    assert result == f"owner {owner.name} and project {project.name} set"
    assert (sales.owner, sales.project) == (owner.luid, project.luid)
    with pytest.raises(Skip, match="it has this owner and project already"):
        simulation.run(simulation.happen("WorkbookUpdated", name="Sales"), wanted)
    with pytest.raises(Permanent, match="The site has no user nobody"):
        simulation.run(
            simulation.happen("WorkbookUpdated", name="Sales"), 'transfer = { owner = "nobody@acme.example" }'
        )
    with pytest.raises(Permanent, match="The site has no project Nowhere/At all"):
        simulation.run(simulation.happen("WorkbookUpdated", name="Sales"), 'transfer = { project = "Nowhere/At all" }')
    with pytest.raises(Skip, match="a user cannot be transferred"):
        simulation.run(simulation.happen("AdminPromoted"), wanted)


def test_content_is_not_given_to_one_of_several_users_of_a_name(simulation: Simulation) -> None:
    """Users of several domains may have the same name: the job is dead-lettered with their LUIDs, which can be used."""
    home = simulation.running.world.home
    sales = home.workbooks[content(simulation, "workbook", "Sales")]
    first, second = [one for one in home.users.values() if one.luid != sales.owner][:2]
    before, second.name = sales.owner, first.name
    with pytest.raises(Permanent, match=f"2 users are called {first.name}; write the LUID: .*{second.luid}"):
        simulation.run(simulation.happen("WorkbookUpdated", name="Sales"), f'transfer = {{ owner = "{first.name}" }}')
    assert sales.owner == before
    simulation.run(simulation.happen("WorkbookUpdated", name="Sales"), f'transfer = {{ owner = "{second.luid}" }}')
    assert sales.owner == second.luid


def test_flow_and_task_are_started(simulation: Simulation) -> None:
    """A flow by its name, and a task, each within Tableau's limit of starts; a flow does not start itself."""
    home = simulation.running.world.home
    flow = content(simulation, "flow", "Clean Orders")
    event = simulation.happen("DatasourceRefreshSucceeded", name="Orders")
    before = len(home.flow_runs)
    assert simulation.run(event, 'run_flow = "Clean Orders"').startswith("flow Clean Orders started, job ")
    assert len(home.flow_runs) == before + 1
    busy = queue(simulation, "flow", "Join Campaigns").content
    with pytest.raises(Skip, match="a refresh is queued or running already"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), f'run_flow = "{busy}"')
    with pytest.raises(Permanent, match="The site has no flow Nothing"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), 'run_flow = "Nothing"')
    fields = {"resource": "FLOW", "resource_luid": flow, "resource_name": "Clean Orders"}
    with pytest.raises(Skip, match="a flow does not start itself"):
        simulation.run(simulation.event("FlowRunSucceeded", **fields), 'run_flow = "Clean Orders"')
    task = next(one for one in home.tasks.values() if one.kind == "extractRefresh" and one.content_kind == "workbook")
    result = simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), f'run_task = "{task.luid}"')
    assert result.startswith(f"task {task.luid} started, job ")
    missing = "0" * 8 + task.luid[8:]
    with pytest.raises(Skip, match="this task no longer exists"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), f'run_task = "{missing}"')


def test_started_run_is_reported_though_the_limit_is_reached_meanwhile(simulation: Simulation) -> None:
    """A job that has started its run returns it on its next attempt; other rules have limits of their own."""
    rule = 'run_flow = { flow = "Clean Orders", per_day = 1 }'
    job = simulation.job(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), rule)
    result = call(registry.handler("run_flow"), simulation.context(job))
    simulation.inbox.jobs.finish(simulation.job(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), rule))
    assert call(registry.handler("run_flow"), simulation.context(job)) == result
    with pytest.raises(Skip, match="limit reached: run_flow was done once"):
        simulation.run(simulation.happen("DatasourceRefreshSucceeded", name="Orders"), rule)
