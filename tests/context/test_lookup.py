"""The lookup of an event's content, and the reasons why there is none."""

from __future__ import annotations

import pytest

from tests.support.handler_context import LUID, MakeEvent, make_event
from tests.support.simulated_actions import Simulation
from webhooks.context.lookup import look_up

OTHER_SITE = "0f0f0f0f-1111-4222-8333-444444444444"


def test_lookup_finds_the_content(simulation: Simulation) -> None:
    """The content of the event, as Tableau knows it."""
    lookup = look_up(simulation.cause("WorkbookUpdated", name="Sales"), lambda: simulation.tableau)
    assert (lookup.content.name, lookup.problem, lookup.error) == ("Sales", "", None)


def test_event_of_another_site_is_named(simulation: Simulation) -> None:
    """Content of a site that the server is not signed in to is not reported as deleted."""
    home = simulation.running.world.home.luid
    lookup = look_up(simulation.event(site_luid=OTHER_SITE), lambda: simulation.tableau)
    assert (
        lookup.problem == f'this event comes from another site ({OTHER_SITE}); the server signs in to "acme" ({home})'
    )
    assert (lookup.content, lookup.error, lookup.other_site) == (None, None, True)


def test_sample_event_is_not_reported_as_an_event_of_another_site(simulation: Simulation) -> None:
    """The sample of `flask trigger` belongs to no real site, so its message explains why there are no details."""
    lookup = look_up(simulation.event(site_luid=OTHER_SITE, test=True), lambda: simulation.tableau)
    assert lookup.problem == 'this test event is not about content of "acme", so Tableau has no details about it'
    assert lookup.other_site


@pytest.mark.parametrize("site_luid", [None, "", 7, "same", "SAME"])
def test_content_that_is_gone_is_named(site_luid: object, simulation: Simulation) -> None:
    """Without a site, or with the server's own in any case, the content is gone or invisible."""
    home = simulation.running.world.home.luid
    luids = {"same": home, "SAME": home.upper()}
    event = simulation.event("DatasourceUpdated", site_luid=luids.get(str(site_luid), site_luid))
    lookup = look_up(event, lambda: simulation.tableau)
    assert lookup.problem == "this data source no longer exists, or the server's Tableau user cannot see it"
    assert not lookup.other_site


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"resource_luid": "99"},
            "the event's resource_luid 99 is not a LUID, so that it cannot be looked up in Tableau",
        ),
        (
            {"resource_luid": ["a"]},
            'the event\'s resource_luid ["a"] is not a LUID, so that it cannot be looked up in Tableau',
        ),
        ({"resource_luid": ""}, "the event has no resource_luid, so that it cannot be looked up in Tableau"),
        (
            {"event_type": "MetricRunCompleted", "resource": "METRIC"},
            "an event of type MetricRunCompleted does not say which kind of content its LUID belongs to",
        ),
    ],
)
def test_event_that_names_no_content(fields: dict[str, object], problem: str) -> None:
    """The problem names the value, and Tableau is not asked."""
    lookup = look_up(make_event(**fields), lambda: pytest.fail("Tableau was asked"))  # type: ignore[arg-type]
    assert lookup.problem == problem


def test_message_names_the_other_site(simulation: Simulation) -> None:
    """The message of another site's failure says so and does not claim to have searched for the reason."""
    simulation.run(simulation.event("WorkbookRefreshFailed", site_luid=OTHER_SITE))
    assert f"This event comes from another site ({OTHER_SITE})" in simulation.text
    assert "no longer exists" not in simulation.text
    assert "job list" not in simulation.text


def test_message_names_the_invalid_luid(simulation: Simulation) -> None:
    """Tableau's own documentation sample has 99 as LUID."""
    simulation.run(simulation.event("WorkbookUpdated", resource_luid="99"))
    assert "The event's resource_luid 99 is not a LUID" in simulation.text


def test_unknown_call_is_not_reported_as_deleted(simulation: Simulation) -> None:
    """404003 means that the server lacks the call, not that the content is gone."""
    event = simulation.cause("WorkbookUpdated", name="Sales")
    simulation.inject(kind="error", path="/workbooks/", code="404003")
    lookup = look_up(event, lambda: simulation.tableau)
    assert lookup.problem.startswith("could not look up the workbook in Tableau: 404003")
    assert lookup.error is not None


def test_response_for_other_content_is_an_error(simulation: Simulation, event: MakeEvent) -> None:
    """A response that contains other content than requested is not used."""
    simulation.inject(kind="document", path=f"/workbooks/{LUID}", document='{"workbook": {"id": "x", "name": "Other"}}')
    lookup = look_up(event(), lambda: simulation.tableau, last_attempt=True)
    assert lookup.content is None
    assert LUID in lookup.problem
