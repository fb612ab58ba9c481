"""The tag, refresh and planning_failed actions against a simulated Tableau, over HTTP."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.support.simulated_actions import Simulation
from webhooks.context import call
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import Event
from webhooks.inbox.events.tables import events
from webhooks.incidents import IncidentFilter
from webhooks.job import Job
from webhooks.planner import failed_plan
from webhooks.registry import registry


def test_tag_adds_missing_tags_once(simulation: Simulation) -> None:
    """Missing tags are added; if none is missing the job is skipped, which ends every loop."""
    simulation.run(simulation.cause("WorkbookUpdated", name="Sales"), 'tag = ["gold", "reviewed"]')
    (sales,) = [one for one in simulation.running.world.home.workbooks.values() if one.name == "Sales"]
    assert sorted(sales.tags) == ["gold", "reviewed"]
    with pytest.raises(Skip, match="it has these tags already"):
        simulation.run(simulation.cause("WorkbookRefreshSucceeded", name="Sales"), 'tag = ["Gold", "reviewed"]')


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [("AdminPromoted", "a user has no tags"), ("WorkbookDeleted", "this workbook no longer exists")],
)
def test_tag_skips_content_without_tags(event_type: str, reason: str, simulation: Simulation) -> None:
    """Users have no tags, and deleted content has none any more."""
    with pytest.raises(Skip, match=reason):
        simulation.run(simulation.cause(event_type), 'tag = "x"')


def test_tag_that_leads_to_the_content_is_not_removed(simulation: Simulation) -> None:
    """`..` in an address would be the workbook itself: the job is dead-lettered at once, and the workbook stays."""
    (book,) = [one for one in simulation.tableau.workbooks() if one.name == "Sales"]
    simulation.tableau.add_tags(book, [".."])
    with pytest.raises(Permanent, match="cannot be in an address"):
        simulation.run(simulation.cause("WorkbookRefreshSucceeded", name="Sales"), 'untag = ".."')
    assert ".." in simulation.tableau.workbook(book.luid).tags


def test_untag_removes_tags_once(simulation: Simulation) -> None:
    """Tags that are there are removed, whatever their case; without any the job is skipped, which ends every loop."""
    simulation.run(simulation.cause("WorkbookUpdated", name="Sales"), 'tag = ["Late", "gold"]')
    simulation.run(simulation.cause("WorkbookRefreshSucceeded", name="Sales"), 'untag = ["late", "never set"]')
    (sales,) = [one for one in simulation.running.world.home.workbooks.values() if one.name == "Sales"]
    assert set(sales.tags) == {"gold"}
    with pytest.raises(Skip, match="it has none of these tags"):
        simulation.run(simulation.cause("WorkbookRefreshFailed", name="Sales"), 'untag = "late"')
    with pytest.raises(Skip, match="a user has no tags"):
        simulation.run(simulation.cause("AdminPromoted"), 'untag = "x"')


def test_what_another_person_removed_is_done(simulation: Simulation) -> None:
    """If one of the tags is removed meanwhile, the others still are; if all are, nothing is left to do."""
    (sales,) = [one for one in simulation.running.world.home.workbooks.values() if one.name == "Sales"]
    sales.tags = ["late", "old", "gold"]
    simulation.inject(kind="error", path="/tags/late", code="404000", times=1)
    result = simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), 'untag = ["late", "old"]')
    assert (result, sales.tags) == ("tags late, old removed", ["late", "gold"])
    simulation.inject(kind="error", path="/tags/late", code="404000", times=1)
    with pytest.raises(Skip, match="they are removed already"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), 'untag = ["late", "old"]')
    simulation.run(simulation.happen("WorkbookRefreshFailed", name="Sales"), 'label = "stale"')
    simulation.inject(kind="error", path="/labels/", code="404000", times=1)
    with pytest.raises(Skip, match="it is removed already"):
        simulation.run(simulation.happen("WorkbookRefreshSucceeded", name="Sales"), 'unlabel = "stale"')


def failure(simulation: Simulation, minute: int, name: str = "Sales") -> Event:
    """Cause a failed refresh of a workbook at this minute: each event of Tableau has another time."""
    event = simulation.cause("WorkbookRefreshFailed", name=name)
    return simulation.event(**{**event.payload, "created_at": f"2026-01-31T10:{minute:02}:00Z"})


def count_starts(simulation: Simulation) -> int:
    """Return how many refreshes Tableau accepted."""
    calls = simulation.running.world.calls.log
    return len([one for one in calls if one.path.endswith("/refresh") and one.status == 202])


def test_refresh_starts_once(simulation: Simulation) -> None:
    """A job that runs again starts no second refresh."""
    job = simulation.job(failure(simulation, 1), "refresh = true")
    for _ in range(2):
        call(registry.handler("refresh"), simulation.context(job))
    assert count_starts(simulation) == 1


def test_refresh_ends_its_own_loop(simulation: Simulation) -> None:
    """Content that keeps failing is refreshed `per_day` times in 24 hours and not more."""
    for minute in (1, 2):
        simulation.run(failure(simulation, minute), "refresh = 2")
    with pytest.raises(Skip, match=r"limit reached: refreshed 2 times within 24 hours \(per_day = 2\)"):
        simulation.run(failure(simulation, 3), "refresh = 2")
    simulation.run(failure(simulation, 4, name="Cash Flow"), "refresh = 2")
    assert count_starts(simulation) == 3


def test_limit_holds_for_jobs_that_run_at_the_same_moment(simulation: Simulation) -> None:
    """Of two jobs of one content that are claimed together, one starts a refresh if one a day is allowed."""
    jobs = [simulation.job(failure(simulation, minute), "refresh = 1") for minute in (1, 2)]
    together = threading.Barrier(2, timeout=60)

    def run(job: Job) -> str:
        context = simulation.context(job)
        together.wait()
        try:
            return str(call(registry.handler("refresh"), context))
        except Skip as skip:
            return str(skip)

    with ThreadPoolExecutor(2) as pool:
        results = sorted(pool.map(run, jobs))
    assert results[0] == "limit reached: refreshed once within 24 hours (per_day = 1)"
    assert results[1].startswith("refresh started, job ")
    assert count_starts(simulation) == 1


def test_refresh_counts_from_its_start(simulation: Simulation) -> None:
    """A refresh counts from its start, not from the time of its event; one of yesterday no longer counts."""
    simulation.run(failure(simulation, 1), "refresh = 1")
    (started,) = (job.job for record in simulation.inbox.events.list() for job in record.jobs)
    assert started.finished_at
    old = started.finished_at - timedelta(days=2)
    simulation.inbox.store.write(
        lambda connection: connection.execute(update(events).values(received_at=old.timestamp()))
    )
    job = simulation.job(failure(simulation, 2), "refresh = 1")
    with pytest.raises(Skip, match="refreshed once within 24 hours"):
        call(registry.handler("refresh"), simulation.context(job))
    tomorrow = started.finished_at + timedelta(hours=25)
    call(registry.handler("refresh"), simulation.context(job, clock=lambda: tomorrow))
    assert count_starts(simulation) == 2


def test_planning_failed_reports_the_error(simulation: Simulation) -> None:
    """An event that could not be planned is announced with the error, not with a missing handler."""
    simulation.inbox.events.receive(failure(simulation, 1))
    simulation.inbox.events.plan(lambda _: failed_plan(KeyError("oops")).jobs)
    (job,) = simulation.inbox.jobs.claim("tests", 1, 60)
    with pytest.raises(Permanent, match="Could not plan the event: KeyError: 'oops'"):
        call(registry.handler(job.handler), simulation.context(job))
    assert "planning_failed" not in registry.actions


def test_refresh_waits_as_configured(simulation: Simulation) -> None:
    """The wait before a refresh occupies no thread."""
    job = simulation.job(failure(simulation, 1), "refresh = { after = 10 }")
    context = simulation.context(job)
    with pytest.raises(RetryLater, match="Waiting 10 minutes") as caught:
        call(registry.handler("refresh"), context)
    assert caught.value.retry_at
    assert abs(caught.value.retry_at - context.now() - timedelta(minutes=10)) < timedelta(seconds=5)
    call(registry.handler("refresh"), simulation.context(job))
    assert count_starts(simulation) == 1


def test_running_refresh_is_enough(simulation: Simulation) -> None:
    """Tableau's 409093 skips the job."""
    event = failure(simulation, 1)
    simulation.cause("WorkbookRefreshStarted", name="Sales")
    with pytest.raises(Skip, match="a refresh is queued or running already"):
        simulation.run(event, "refresh = true")


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        ("AdminPromoted", "only workbooks and data sources"),
        ("DatasourceDeleted", "this data source no longer exists"),
    ],
)
def test_refresh_skips_content_without_extracts(event_type: str, reason: str, simulation: Simulation) -> None:
    """Users cannot be refreshed, and deleted content neither."""
    with pytest.raises(Skip, match=reason):
        simulation.run(simulation.cause(event_type), "refresh = true")


def test_refresh_is_an_act_of_the_incident(simulation: Simulation) -> None:
    """The message says that a rule has started a refresh; `times` ends it until the content recovers."""
    for minute in (1, 2):
        simulation.run(failure(simulation, minute), "refresh = { times = 2, per_day = 9 }")
    (record,) = simulation.inbox.incidents.list(IncidentFilter(states=["open"]))
    acts = simulation.inbox.incidents.get(record.id).incident.acts
    assert [(act.kind, act.by) for act in acts] == [("refresh", "the rule “R”")] * 2
    with pytest.raises(Skip, match=r"refreshed 2 times since it fails \(times = 2\)"):
        simulation.run(failure(simulation, 3), "refresh = { times = 2, per_day = 9 }")


def test_content_that_has_recovered_is_not_refreshed(simulation: Simulation) -> None:
    """During the wait the next run may have succeeded: a further one would only take time."""
    job = simulation.job(failure(simulation, 1), "refresh = { after = 15 }")
    with pytest.raises(RetryLater):
        call(registry.handler("refresh"), simulation.context(job))
    event = simulation.cause("WorkbookRefreshSucceeded", name="Sales")
    simulation.plan(simulation.event(**{**event.payload, "created_at": "2026-01-31T10:10:00Z"}), "refresh = true")
    with pytest.raises(Skip, match="it has recovered meanwhile"):
        call(registry.handler("refresh"), simulation.context(job))
    assert count_starts(simulation) == 0


def test_dry_run_starts_nothing(simulation: Simulation) -> None:
    """The job says what it would have done."""
    with pytest.raises(Skip, match="dry run: a refresh would be started"):
        simulation.run(failure(simulation, 1), "refresh = { dry_run = true }")
    assert count_starts(simulation) == 0


def test_refreshes_stay_within_tableaus_limit(simulation: Simulation) -> None:
    """Of many failures at once, a part is refreshed at once and the others in turn, at most 60 within an hour."""
    for minute in range(1, 13):
        simulation.run(failure(simulation, minute), "refresh = 100")
    assert count_starts(simulation) == 12
    with pytest.raises(RetryLater, match="Tableau accepts 60 refreshes an hour") as waits:
        simulation.run(failure(simulation, 20), "refresh = 100")
    assert waits.value.retry_at is not None
