"""The notify action against a simulated Tableau and Slack, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tableau_rest import ConnectionFailed, Forbidden
from tests.support.simulated_actions import Simulation
from webhooks.clock import utc_now
from webhooks.context import call
from webhooks.errors import Permanent, RetryLater, Skip
from webhooks.event import RECONCILED, Event, parse
from webhooks.messages.failure_reason import failure_reason
from webhooks.registry import registry


def test_published_workbook_has_link_and_picture(simulation: Simulation) -> None:
    """The message names publisher and project and links to the workbook; the preview is in its thread."""
    event = simulation.cause("WorkbookCreated", name="Margins", project="Reports")
    simulation.run(event, "notify = { picture = true }")
    assert simulation.text.startswith("Workbook created: Margins")
    assert "Project: Finance/Reports" in simulation.text
    assert "Published by: " in simulation.text
    assert "@" in simulation.text
    assert f"Open in Tableau: {simulation.running.url}" in simulation.text
    (file,) = simulation.running.world.slack.files.values()
    assert file.name == "Margins.png"
    assert file.data
    assert file.data.startswith(b"\x89PNG")


def test_failed_refresh_has_its_reason(simulation: Simulation) -> None:
    """The reason comes from the job behind the event."""
    event = simulation.cause("WorkbookRefreshFailed", name="Sales", reason="java.lang.X: Disk full on db7")
    simulation.run(event)
    assert simulation.text.startswith(
        "Failing: Sales (workbook)\nDisk full on db7\n"
        "Free space, or raise the quota, on the site or on the server that the reason names.\nSince: "
    )
    assert "\nFailures: 1\nProject: Finance\nOwner: Ben Duarte" in simulation.text


def test_times_are_in_the_time_zone_of_the_settings(simulation: Simulation) -> None:
    """TIMEZONE decides about the times in messages."""
    event = simulation.cause("WorkbookRefreshSucceeded", name="Sales")
    tokyo = replace(simulation, settings=simulation.settings.model_copy(update={"timezone": "Asia/Tokyo"}))
    tokyo.run(event)
    assert " JST" in tokyo.text
    assert " UTC" not in tokyo.text


def test_waiting_for_the_reason_occupies_no_thread(simulation: Simulation) -> None:
    """While the job list does not show the failure, the message has no reason yet and the job is retried."""
    job = simulation.job(simulation.cause("DatasourceRefreshFailed", name="Orders"))
    simulation.running.world.home.jobs.clear()
    now = utc_now()
    waits = []
    for _ in range(3):
        with pytest.raises(RetryLater, match="does not show the failed refresh yet") as caught:
            call(registry.handler("notify"), simulation.context(job, clock=lambda: now))
        assert caught.value.retry_at
        waits.append((caught.value.retry_at - now).total_seconds())
        assert simulation.text.startswith("Failing: Orders (data source)\nSince: ")
    call(registry.handler("notify"), simulation.context(job))
    assert waits == [2.0, 5.0, 10.0]
    assert "The reason is unknown: Tableau's job list does not show this refresh." in simulation.text


def test_late_reason_is_in_the_message(simulation: Simulation) -> None:
    """A webhook that is faster than the job list still leads to the reason."""
    job = simulation.job(simulation.cause("WorkbookRefreshFailed", name="Sales", reason="Late but true"))
    hidden = dict(simulation.running.world.home.jobs)
    simulation.running.world.home.jobs.clear()
    with pytest.raises(RetryLater):
        call(registry.handler("notify"), simulation.context(job))
    simulation.running.world.home.jobs.update(hidden)
    call(registry.handler("notify"), simulation.context(job))
    assert "Late but true" in simulation.text


@pytest.mark.parametrize("event_type", ["WorkbookUpdated", "DatasourceRefreshFailed", "LabelCreated"])
def test_content_that_is_gone_still_leads_to_its_message(event_type: str, simulation: Simulation) -> None:
    """A 404 does not fail the job: the message has the webhook's facts, and says that the content is gone."""
    event = simulation.cause(event_type)
    for kind in ("workbook", "datasource"):
        simulation.running.world.home.content(kind).clear()
    simulation.run(event, 'notify = { to = "slack", picture = true }')
    assert str(event.resource_name) in simulation.text
    noun = {"workbook": "workbook", "datasource": "data source"}[str(event.content_kind)]
    assert f"This {noun} no longer exists, or the server's Tableau user cannot see it." in simulation.text


@pytest.mark.parametrize("event_type", ["WorkbookDeleted", "DatasourceDeleted", "ViewDeleted", "UserDeleted"])
def test_deletion_needs_no_lookup(event_type: str, simulation: Simulation) -> None:
    """Deleted content cannot be looked up, so Tableau is not asked."""
    event = simulation.cause(event_type)
    simulation.run(event)
    assert str(event.resource_name) in simulation.text
    assert [one for one in simulation.running.world.calls.log if one.target == "tableau"] == []


def test_new_administrator_is_named(simulation: Simulation) -> None:
    """The message has the full name, address and role of the promoted user."""
    simulation.run(simulation.cause("AdminPromoted", name="ben@acme.example"))
    assert simulation.text.startswith("Now a site administrator: Ben Duarte (ben@acme.example)")
    assert "Site role: SiteAdministratorExplorer" in simulation.text


def test_label_event_names_the_labelled_content(simulation: Simulation) -> None:
    """The LUID of a label event is that of the labelled content."""
    simulation.run(simulation.cause("LabelCreated"))
    assert simulation.text.startswith("Label created: ")
    assert "Owner: " in simulation.text


def test_unknown_event_type_leads_to_a_message(simulation: Simulation) -> None:
    """An event type that is not documented yet makes a message from its payload."""
    future = parse(b'{"event_type":"FlowRunCompleted","resource":"FLOW","resource_name":"Clean Orders"}')
    assert future
    simulation.run(future)
    assert simulation.text.startswith("Flow run completed: Clean Orders")


@pytest.mark.parametrize(
    "error", [Forbidden("403004 Forbidden", permanent=True), Permanent("TABLEAU_PAT_NAME is missing")]
)
def test_refusal_does_not_lose_the_message(error: Exception, simulation: Simulation) -> None:
    """Without rights or credentials the message has the webhook's facts, and says what could not be looked up."""

    def refuse() -> Any:
        raise error

    event = simulation.cause("WorkbookRefreshFailed", name="Sales")
    simulation.run(event, "notify = { picture = true }", tableau=refuse)
    expected = f"Failing: Sales (workbook)\nCould not look up the workbook in Tableau: {error}"
    assert simulation.text.startswith(expected)
    assert simulation.running.world.slack.files == {}


def test_reason_needs_an_administrator(simulation: Simulation) -> None:
    """A user who can see the workbook but not the jobs still gets all other details into the message."""
    event = simulation.cause("WorkbookRefreshFailed", name="Sales")
    simulation.inject(kind="error", path="/jobs", code="403004")
    simulation.run(event)
    assert "Could not look up the reason: 403004" in simulation.text
    assert "Owner: Ben Duarte" in simulation.text


def test_message_waits_while_tableau_is_down(simulation: Simulation) -> None:
    """An outage is waited out; on its last attempt the job sends the details it has."""

    def down() -> Any:
        raise ConnectionFailed("connection refused")

    (job,) = simulation.plan(simulation.cause("WorkbookUpdated", name="Sales"), 'notify = "slack"\nmax_attempts = 1')
    with pytest.raises(ConnectionFailed):
        call(registry.handler("notify"), simulation.context(replace(job, max_attempts=2), tableau=down))
    assert simulation.messages == []
    call(registry.handler("notify"), simulation.context(job, tableau=down))
    assert "Could not look up the workbook in Tableau: connection refused." in simulation.text


def test_retry_for_the_picture_does_not_repeat_the_message(simulation: Simulation) -> None:
    """While previews are unavailable the message is sent alone; the picture follows in its thread."""
    job = simulation.job(simulation.cause("WorkbookUpdated", name="Sales"), "notify = { picture = true }")
    fault = simulation.inject(kind="html", path="previewImage", status=503)
    with pytest.raises(RetryLater):
        call(registry.handler("notify"), simulation.context(job))
    simulation.running.world.faults.remove(fault)
    call(registry.handler("notify"), simulation.context(job))
    assert simulation.text.startswith("Workbook updated: Sales")
    assert len(simulation.running.world.slack.files) == 1


def test_rule_can_set_title_and_text(simulation: Simulation) -> None:
    """Headline and text of a rule replace the standard ones."""
    simulation.run(
        simulation.cause("WorkbookRefreshFailed", name="Sales", reason="Disk full"),
        'notify = { title = "{name} is stale", text = "{owner}, look: {reason}" }',
    )
    assert simulation.text.startswith("Sales is stale\nBen Duarte (ben@acme.example), look: Disk full\n")


def test_condition_on_a_project_is_evaluated_by_the_job(simulation: Simulation) -> None:
    """A workbook of another project makes no message, and the job has the reason."""
    event = simulation.cause("WorkbookUpdated", name="Campaign Results")
    rule = 'where = { project = "Finance*" }\nnotify = "slack"'
    with pytest.raises(Skip, match=r"project is Marketing, not Finance\*"):
        simulation.run(event, rule)
    simulation.run(simulation.cause("WorkbookUpdated", name="Cash Flow"), rule)
    assert simulation.text.startswith("Workbook updated: Cash Flow")


@pytest.mark.parametrize("created_at", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59Z"])
def test_impossible_time_does_not_prevent_the_message(created_at: str, simulation: Simulation) -> None:
    """A failure whose webhook gives an impossible time is reported, with its reason."""
    event = simulation.cause("WorkbookRefreshFailed", name="Sales", reason="Disk full")
    simulation.run(simulation.event(**{**event.payload, "created_at": created_at}))
    assert simulation.text.startswith("Failing: Sales (workbook)\nDisk full")


def from_job_list(simulation: Simulation, event_type: str, **wish: str) -> Event:
    """Cause an event that has no webhook; return it as the monitor stores it, with the job's notes as the reason."""
    event = simulation.cause(event_type, **wish)
    reason = {"reason": failure_reason(wish["reason"])} if "reason" in wish else {}
    return replace(simulation.event(**event.payload, **reason), origin=RECONCILED)


def test_failed_flow_has_reason_owner_and_link(simulation: Simulation) -> None:
    """The reason is the recorded one, so that the message costs no job query."""
    simulation.run(from_job_list(simulation, "FlowRunFailed", name="Clean Orders", reason="java.lang.X: Out of chairs"))
    assert simulation.text.startswith(
        "Failing: Clean Orders (flow)\nOut of chairs\nThe flow's outputs are not up to date."
    )
    assert "Project: Operations\nOwner: " in simulation.text
    assert f"Open in Tableau: {simulation.running.url}/#/site/acme/flows/" in simulation.text
    assert not [call for call in simulation.running.world.calls.log if "/jobs" in call.path]


def test_failed_subscription_names_recipient_and_content(simulation: Simulation) -> None:
    """Its owner is the recipient; project and link are those of the content."""
    home = simulation.running.world.home
    subscription = next(iter(home.subscriptions.values()))
    view = home.views[subscription.content]
    event = from_job_list(simulation, "SubscriptionFailed", name=subscription.subject, reason="Mailbox unavailable")
    simulation.run(event)
    recipient = home.users[subscription.user]
    assert simulation.text.startswith(f"Subscription failed: {subscription.subject}\nMailbox unavailable\n")
    assert f"Recipient: {recipient.full_name} ({recipient.email})".split("(")[0] in simulation.text
    assert f"Content: {view.name}" in simulation.text
    assert home.projects[home.workbooks[view.workbook].project].name in simulation.text
    assert f"/workbooks/{home.workbooks[view.workbook].number}" in simulation.text


def test_failed_bridge_refresh_says_where_to_look(simulation: Simulation) -> None:
    """The message is about the data source, and advises to check the Bridge clients."""
    simulation.run(from_job_list(simulation, "BridgeRefreshFailed", name="Orders", reason="No client"))
    assert simulation.text.startswith("Failing: Orders (data source)\nNo client\nCheck on the site's Bridge page")
    assert "/datasources/" in simulation.text


@pytest.mark.parametrize("event_type", ["FlowRunFailed", "SubscriptionFailed", "BridgeRefreshFailed"])
def test_message_needs_neither_reason_nor_content(simulation: Simulation, event_type: str) -> None:
    """A failure whose job was not looked up, of content that is gone, leads to its message."""
    event = simulation.cause(event_type)
    home = simulation.running.world.home
    for contents in (home.flows, home.subscriptions, home.datasources):
        contents.clear()
    simulation.run(event)
    assert "The reason was not looked up" in simulation.text
    assert "no longer exists" in simulation.text


@pytest.mark.parametrize(
    ("event_type", "name", "project"),
    [("FlowRunFailed", "Clean Orders", "Operations"), ("SubscriptionFailed", "", ""), ("BridgeRefreshFailed", "", "")],
)
def test_conditions_apply_to_events_from_the_job_list(
    simulation: Simulation, event_type: str, name: str, project: str
) -> None:
    """A flow, a data source, and the content of a subscription have a project."""
    home = simulation.running.world.home
    event = simulation.cause(event_type, **({"name": name} if name else {}))
    if event_type == "SubscriptionFailed":
        view = home.views[home.subscriptions[str(event.resource_luid)].content]
        project = home.projects[home.workbooks[view.workbook].project].name
    elif event_type == "BridgeRefreshFailed":
        project = home.projects[home.datasources[str(event.resource_luid)].project].name
    job = simulation.job(event)
    with pytest.raises(Skip, match=f"project is .*{project}"):
        call(registry.handler("notify"), simulation.context(replace(job, where={"project": [f"!{project}"]})))
    call(registry.handler("notify"), simulation.context(replace(job, where={"project": [project]})))
    assert simulation.messages


def test_destination_of_the_project(simulation: Simulation) -> None:
    """A template of a destination is the channel of the content's project."""
    event = simulation.cause("WorkbookUpdated", name="Sales")
    simulation.run(event, 'notify = "slack:#{{ resource.project | slug }}-data"')
    (message,) = simulation.messages
    assert simulation.running.world.slack.channels[message.channel].name == "finance-data"
