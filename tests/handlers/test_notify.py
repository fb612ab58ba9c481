"""The notify action against a simulated Tableau and Slack, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tableau_rest import ConnectionFailed, Forbidden
from tests.handlers.conftest import NOW
from tests.handlers.scene import Scene
from webhooks.context import call
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import parse
from webhooks.job import Job
from webhooks.registry import registry


def test_published_workbook_is_announced_with_link_and_picture(scene: Scene) -> None:
    """Who published it, where it lies, where to look, and the preview in the message's thread."""
    scene.run(scene.happen("WorkbookCreated", name="Margins", project="Reports"), "notify = { picture = true }")
    assert scene.text.startswith("Workbook created: Margins")
    assert "Project: Finance/Reports" in scene.text
    assert "Published by: " in scene.text
    assert "@" in scene.text
    assert f"Open in Tableau: {scene.running.url}" in scene.text
    (file,) = scene.running.world.slack.files.values()
    assert file.name == "Margins.png"
    assert file.data
    assert file.data.startswith(b"\x89PNG")


def test_failed_refresh_is_announced_with_its_reason(scene: Scene) -> None:
    """The reason comes from the job behind the event."""
    scene.run(scene.happen("WorkbookRefreshFailed", name="Sales", reason="java.lang.X: Disk full on db7"))
    assert scene.text.startswith(
        "Workbook refresh failed: Sales\nDisk full on db7\nProject: Finance\nOwner: Ben Duarte"
    )


def test_reason_is_waited_for_without_holding_a_thread(scene: Scene) -> None:
    """While the job list does not show the failure the job comes back; then the message goes without the reason."""
    job = scene.job(scene.happen("DatasourceRefreshFailed", name="Orders"))
    scene.running.world.home.jobs.clear()
    waits = []
    for _ in range(3):
        with pytest.raises(RetryLater, match="does not show the failed refresh yet") as caught:
            call(registry.handler("notify"), scene.context(job, clock=lambda: NOW))
        assert caught.value.retry_at
        waits.append((caught.value.retry_at - NOW).total_seconds())
        assert scene.messages == []
    call(registry.handler("notify"), scene.context(job))
    assert waits == [2.0, 5.0, 10.0]
    assert "Tableau's job list does not show the reason." in scene.text


def test_reason_that_comes_late_is_in_the_message(scene: Scene) -> None:
    """A webhook that is faster than the job list still leads to the reason."""
    job = scene.job(scene.happen("WorkbookRefreshFailed", name="Sales", reason="Late but true"))
    hidden = dict(scene.running.world.home.jobs)
    scene.running.world.home.jobs.clear()
    with pytest.raises(RetryLater):
        call(registry.handler("notify"), scene.context(job))
    scene.running.world.home.jobs.update(hidden)
    call(registry.handler("notify"), scene.context(job))
    assert "Late but true" in scene.text


@pytest.mark.parametrize("event_type", ["WorkbookUpdated", "DatasourceRefreshFailed", "LabelCreated"])
def test_content_that_is_gone_still_leads_to_its_message(event_type: str, scene: Scene) -> None:
    """A 404 makes no dead job: the message says what the webhook said, and that there is no more."""
    happened = scene.happen(event_type)
    for kind in ("workbook", "datasource"):
        scene.running.world.home.content(kind).clear()
    scene.run(happened, 'notify = { to = "slack", picture = true }')
    assert str(happened.resource_name) in scene.text
    assert "is not there any more, or this server's user may not see it." in scene.text


@pytest.mark.parametrize("event_type", ["WorkbookDeleted", "DatasourceDeleted", "ViewDeleted", "UserDeleted"])
def test_deletion_is_announced_without_asking(event_type: str, scene: Scene) -> None:
    """What is deleted cannot be looked up, so nobody tries."""
    happened = scene.happen(event_type)
    scene.run(happened)
    assert str(happened.resource_name) in scene.text
    assert [one for one in scene.running.world.calls.log if one.target == "tableau"] == []


def test_new_administrator_is_named(scene: Scene) -> None:
    """Full name, address and role of who was promoted."""
    scene.run(scene.happen("AdminPromoted", name="ben@acme.example"))
    assert scene.text.startswith("Now a site administrator: Ben Duarte (ben@acme.example)")
    assert "Site role: SiteAdministratorExplorer" in scene.text


def test_label_is_announced_with_the_content_it_is_on(scene: Scene) -> None:
    """The LUID of a label event is that of the labelled content."""
    scene.run(scene.happen("LabelCreated"))
    assert scene.text.startswith("Label created: ")
    assert "Owner: " in scene.text


def test_event_of_the_future_is_announced(scene: Scene) -> None:
    """An event type that nobody knows yet makes a message of what it says itself."""
    future = parse(b'{"event_type":"FlowRunCompleted","resource":"FLOW","resource_name":"Clean Orders"}')
    assert future
    scene.run(future)
    assert scene.text.startswith("Flow run completed: Clean Orders")


@pytest.mark.parametrize(
    "error", [Forbidden("403004 Forbidden", permanent=True), Permanent("TABLEAU_PAT_NAME is missing")]
)
def test_message_is_not_lost_where_tableau_refuses(error: Exception, scene: Scene) -> None:
    """Without rights or credentials the message says what the webhook says, and what could not be looked up."""

    def refuse() -> Any:
        raise error

    scene.run(scene.happen("WorkbookRefreshFailed", name="Sales"), "notify = { picture = true }", tableau=refuse)
    assert scene.text.startswith(f"Workbook refresh failed: Sales\nTableau could not be asked: {error}")
    assert scene.running.world.slack.files == {}


def test_reason_needs_an_administrator(scene: Scene) -> None:
    """A user who may see the workbook but not the jobs still gets all the rest into the message."""
    happened = scene.happen("WorkbookRefreshFailed", name="Sales")
    scene.running.world.faults.add({"kind": "error", "target": "tableau", "path": "/jobs", "code": "403004"})
    scene.run(happened)
    assert "The reason could not be looked up: 403004" in scene.text
    assert "Owner: Ben Duarte" in scene.text


def test_message_waits_while_tableau_is_down(scene: Scene) -> None:
    """An outage is waited out; on its last attempt the job sends what it has."""

    def down() -> Any:
        raise ConnectionFailed("connection refused")

    (job,) = scene.plan(scene.happen("WorkbookUpdated", name="Sales"), 'notify = "slack"\nmax_attempts = 1')
    patient = Job(**{**{name: getattr(job, name) for name in job.__slots__}, "max_attempts": 2})
    with pytest.raises(ConnectionFailed):
        call(registry.handler("notify"), scene.context(patient, tableau=down))
    assert scene.messages == []
    call(registry.handler("notify"), scene.context(job, tableau=down))
    assert "Tableau could not be asked: connection refused." in scene.text


def test_retry_for_the_picture_does_not_repeat_the_message(scene: Scene) -> None:
    """While previews cannot be had the message stands alone; the picture follows in its thread."""
    job = scene.job(scene.happen("WorkbookUpdated", name="Sales"), "notify = { picture = true }")
    fault = scene.running.world.faults.add({"kind": "html", "target": "tableau", "path": "previewImage", "status": 503})
    with pytest.raises(RetryLater):
        call(registry.handler("notify"), scene.context(job))
    scene.running.world.faults.remove(fault.id)
    call(registry.handler("notify"), scene.context(job))
    assert scene.text.startswith("Workbook updated: Sales")
    assert len(scene.running.world.slack.files) == 1


def test_rule_says_it_in_its_own_words(scene: Scene) -> None:
    """Headline and text of a rule replace ours."""
    scene.run(
        scene.happen("WorkbookRefreshFailed", name="Sales", reason="Disk full"),
        'notify = { title = "{name} is stale", text = "{owner}, look: {reason}" }',
    )
    assert scene.text.startswith("Sales is stale\nBen Duarte (ben@acme.example), look: Disk full\n")


def test_condition_on_a_project_is_looked_at_by_the_job(scene: Scene) -> None:
    """A workbook of another project makes no message, and the job says why."""
    happened = scene.happen("WorkbookUpdated", name="Campaign Results")
    with pytest.raises(Skip, match=r"project is Marketing, not Finance\*"):
        scene.run(happened, 'where = { project = "Finance*" }\nnotify = "slack"')
    scene.run(scene.happen("WorkbookUpdated", name="Cash Flow"), 'where = { project = "Finance*" }\nnotify = "slack"')
    assert scene.text.startswith("Workbook updated: Cash Flow")


@pytest.mark.parametrize("created_at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59Z"])
def test_odd_time_does_not_keep_the_message(created_at: str, scene: Scene) -> None:
    """A failure whose webhook gives an impossible time is told all the same, with its reason."""
    happened = scene.happen("WorkbookRefreshFailed", name="Sales", reason="Disk full")
    scene.run(scene.event(**{**happened.payload, "created_at": created_at}))
    assert scene.text.startswith("Workbook refresh failed: Sales\nDisk full")
