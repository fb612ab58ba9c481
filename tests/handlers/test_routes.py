"""Messages of rules with `notify = "routes"` go to the destinations of the content's project."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.slack.workspace import Channel
from tests.support.simulated_actions import Simulation
from webhooks.context import call
from webhooks.errors import Skip
from webhooks.event import Event
from webhooks.inbox import Resource
from webhooks.registry import registry

RULE = """notify = "routes"
[routes]
"Finance/*" = "slack:#year-end"
finance = ["slack:#finance-data", "slack:#{{ resource.project | slug }}-audit"]
"*" = "slack:#bi"
"""
WITHOUT_ALL = 'notify = "routes"\n[routes]\nHR = "slack:#finance-data"\n'


@pytest.fixture(autouse=True)
def channels(simulation: Simulation) -> None:
    """Create the channels of the routes that the simulated Slack does not have."""
    known = simulation.running.world.slack.channels
    missing = {"year-end", "finance-data", "finance-audit", "bi"} - {one.name for one in known.values()}
    for number, name in enumerate(sorted(missing)):
        known[f"C{number + 900:09}"] = Channel(f"C{number + 900:09}", name)


def run(simulation: Simulation, event: Event, rule: str = RULE) -> list[str]:
    """Run the jobs of the rule; return the channels of the messages, and why jobs are skipped."""
    outcomes = []
    for job in simulation.plan(event, rule):
        try:
            call(registry.handler(job.handler), simulation.context(job))
        except Skip as error:
            outcomes.append(f"{job.key}: {error}")
    known = {one.id: one.name for one in simulation.running.world.slack.channels.values()}
    return [known[one.channel] for one in simulation.messages if not one.thread_ts] + outcomes


@pytest.mark.parametrize("event_type", ["WorkbookUpdated", "WorkbookRefreshFailed"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sales", ["finance-data", "finance-audit"]),
        ("Cash Flow", ["year-end", "R/notify/routes 2: the route Finance/* has no further destination"]),
        ("Web Traffic", ["bi", "R/notify/routes 2: the route * has no further destination"]),
    ],
)
def test_first_route_of_the_project(event_type: str, name: str, expected: list[str], simulation: Simulation) -> None:
    """Name or path decides, in the order of the file; other destinations of the route have their own jobs."""
    assert run(simulation, simulation.cause(event_type, name=name)) == expected


def test_project_without_a_route_has_default(simulation: Simulation) -> None:
    """The message is not lost: it goes where rules without a destination send it."""
    default = simulation.running.world.config.slack_channel.removeprefix("#")
    assert run(simulation, simulation.cause("WorkbookUpdated", name="Sales"), WITHOUT_ALL) == [default]


@pytest.mark.parametrize(("seen", "channel"), [("Finance/Reports", "year-end"), ("", "bi")])
def test_deleted_content_has_the_project_in_which_it_was_last_seen(
    seen: str, channel: str, simulation: Simulation
) -> None:
    """Content that was never seen has the route of all other projects."""
    event = simulation.cause("WorkbookDeleted", name="Sales")
    if seen:
        known = Resource(str(event.resource_luid), "workbook", str(event.site_luid), "Sales", project=seen)
        simulation.inbox.resources.save([known])
    assert run(simulation, event)[0] == channel


def test_destination_is_decided_once(simulation: Simulation) -> None:
    """An attempt after the content was moved to another project leads to no second message elsewhere."""
    event = simulation.cause("WorkbookUpdated", name="Sales")
    job, _ = simulation.plan(event, RULE)
    call(registry.handler("notify"), simulation.context(job))
    home = simulation.running.world.home
    book = home.workbooks[str(event.resource_luid)]
    marketing = next(one.luid for one in home.projects.values() if one.name == "Marketing")
    home.workbooks[book.luid] = replace(book, project=marketing)
    call(registry.handler("notify"), simulation.context(job))
    assert len(simulation.messages) == 1


def test_person_has_the_last_route(simulation: Simulation) -> None:
    """People belong to no project."""
    assert run(simulation, simulation.cause("UserDeleted"))[0] == "bi"


def test_private_content_has_the_last_route(simulation: Simulation) -> None:
    """Content in a Personal Space is in no project."""
    event = simulation.cause("WorkbookUpdated", name="Cash Flow")
    private = f'{{"workbook": {{"id": "{event.resource_luid}", "name": "x", "location": {{"type": "PersonalSpace"}}}}}}'
    simulation.inject(kind="document", path="/workbooks/", document=private)
    assert run(simulation, event)[0] == "bi"
