"""The tag and refresh actions against a simulated Tableau, over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.handlers.scene import Scene
from webhooks.context import call
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import Event
from webhooks.inbox.schema import events
from webhooks.job import NewJob
from webhooks.registry import registry


def test_tag_puts_tags_on_the_content_once(scene: Scene) -> None:
    """Tags that are missing are added; where none is missing the job is skipped, which ends every circle."""
    happened = scene.happen("WorkbookUpdated", name="Sales")
    scene.run(happened, 'tag = ["gold", "looked at"]')
    (sales,) = [one for one in scene.running.world.home.workbooks.values() if one.name == "Sales"]
    assert sorted(sales.tags) == ["gold", "looked at"]
    with pytest.raises(Skip, match="it has these tags already"):
        scene.run(scene.happen("WorkbookRefreshSucceeded", name="Sales"), 'tag = ["Gold", "looked at"]')


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [("AdminPromoted", "a user has no tags"), ("WorkbookDeleted", "the workbook is not there any more")],
)
def test_tag_skips_what_has_no_tags(event_type: str, reason: str, scene: Scene) -> None:
    """Users have no tags, and what is gone has none any more."""
    with pytest.raises(Skip, match=reason):
        scene.run(scene.happen(event_type), 'tag = "x"')


def failure(scene: Scene, number: int, name: str = "Sales") -> Event:
    """The refresh of a workbook fails, at a minute of its own, as every event has its time."""
    happened = scene.happen("WorkbookRefreshFailed", name=name)
    return scene.event(**{**happened.payload, "created_at": f"2026-01-31T10:{number:02}:00Z"})


def test_refresh_starts_one_refresh(scene: Scene) -> None:
    """A job that comes back starts no second one."""
    job = scene.job(failure(scene, 1), "refresh = true")
    for _ in range(2):
        call(registry.handler("refresh"), scene.context(job))
    assert starts(scene) == 1


def test_refresh_ends_its_own_circle(scene: Scene) -> None:
    """What fails again and again is refreshed so many times a day, and no more."""
    for number in (1, 2):
        scene.run(failure(scene, number), "refresh = 2")
    with pytest.raises(Skip, match=r"refreshed 2 times within 24 hours, which is enough \(per_day = 2\)"):
        scene.run(failure(scene, 3), "refresh = 2")
    scene.run(failure(scene, 4, name="Cash Flow"), "refresh = 2")
    assert starts(scene) == 3


def test_refresh_counts_when_it_was_started(scene: Scene) -> None:
    """A refresh that waited counts from its start, not from its event; one of yesterday counts no more."""
    scene.run(failure(scene, 1), "refresh = 1")
    (started,) = (job.job for record in scene.inbox.events.list() for job in record.jobs)
    assert started.finished_at
    old = started.finished_at - timedelta(days=2)
    scene.inbox.store.write(lambda connection: connection.execute(update(events).values(received_at=old.timestamp())))
    job = scene.job(failure(scene, 2), "refresh = 1")
    with pytest.raises(Skip, match="refreshed 1 times within 24 hours"):
        call(registry.handler("refresh"), scene.context(job))
    tomorrow = started.finished_at + timedelta(hours=25)
    call(registry.handler("refresh"), scene.context(job, clock=lambda: tomorrow))
    assert starts(scene) == 2


def test_planning_dies_with_the_reason(scene: Scene) -> None:
    """An event that could not be planned is announced with what went wrong, not with a handler that is missing."""

    def matching(_: Event) -> list[NewJob]:
        raise KeyError("oops")

    scene.inbox.events.receive(failure(scene, 1))
    scene.inbox.events.plan(matching)
    (job,) = scene.inbox.jobs.claim("tests", 1, 60)
    with pytest.raises(Permanent, match="no job could be made: KeyError: 'oops'"):
        call(registry.handler(job.handler), scene.context(job))
    assert "planning_failed" not in registry.actions


def test_refresh_waits_as_long_as_the_rule_says(scene: Scene) -> None:
    """The wait holds no thread."""
    job = scene.job(failure(scene, 1), "refresh = { after = 10 }")
    context = scene.context(job)
    with pytest.raises(RetryLater, match="after 10 minutes") as caught:
        call(registry.handler("refresh"), context)
    assert caught.value.retry_at
    assert abs(caught.value.retry_at - context.now() - timedelta(minutes=10)) < timedelta(seconds=5)
    call(registry.handler("refresh"), scene.context(job))
    assert starts(scene) == 1


def test_refresh_that_runs_already_is_enough(scene: Scene) -> None:
    """Tableau's 409093 is no failure."""
    happened = failure(scene, 1)
    scene.happen("WorkbookRefreshStarted", name="Sales")
    with pytest.raises(Skip, match="a refresh is queued or running already"):
        scene.run(happened, "refresh = true")


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        ("AdminPromoted", "only workbooks and data sources"),
        ("DatasourceDeleted", "the datasource is not there any more"),
    ],
)
def test_refresh_skips_what_cannot_be_refreshed(event_type: str, reason: str, scene: Scene) -> None:
    """Users have no extracts, and what is gone has none any more."""
    with pytest.raises(Skip, match=reason):
        scene.run(scene.happen(event_type), "refresh = true")


def starts(scene: Scene) -> int:
    """How many refreshes Tableau accepted."""
    calls = scene.running.world.calls.log
    return len([one for one in calls if one.path.endswith("/refresh") and one.status == 202])
