"""The samples of `flask trigger` and Postman are about content of the simulated site."""

from __future__ import annotations

import pytest

from simulator.config import Config
from simulator.world.site import Site
from simulator.world.world import World
from webhooks.cli.trigger.sample import kind_of, luid, sample
from webhooks.event_types import RULE_EVENT_TYPES


@pytest.fixture(scope="module")
def home() -> Site:
    return World(Config()).home


@pytest.mark.parametrize("event_type", RULE_EVENT_TYPES)
def test_content_of_a_sample_exists(event_type: str, home: Site) -> None:
    """A message about it has project and owner, as one about a button of the page."""
    payload = sample(event_type)
    assert payload["site_luid"] == home.luid
    kind = kind_of(event_type)
    if kind != "site":
        found = getattr(home, f"{kind}s")[payload["resource_luid"]]
        assert payload["resource_name"] == getattr(found, "subject" if kind == "subscription" else "name")


def test_names_of_the_page_lead_to_the_same_content(home: Site) -> None:
    """`flask trigger … --name NAME` is about the workbook, data source, flow, view or user of that name."""
    for kind in ("workbook", "datasource", "flow", "view", "user"):
        items = getattr(home, f"{kind}s").values()
        assert {one.luid for one in items} == {luid(kind, one.name) for one in items}, kind


def test_other_companies_have_other_luids(home: Site) -> None:
    """Several simulators can be the sites of one server."""
    for config in (Config(content_url="bern"), Config(seed=8)):
        other = World(config).home
        assert not {home.luid, *home.workbooks, *home.users} & {other.luid, *other.workbooks, *other.users}
