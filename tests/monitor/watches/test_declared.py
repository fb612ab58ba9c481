"""Test what `[[watch]]` declares: content that has to be fresh at a time, and refreshes that may take no longer."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from tableau_rest.models import Reference
from tests.monitor.watches.watched import BERLIN, DAY, HOUR, ORDERS, SALES, Watched, at, event_of
from webhooks.incidents import RunEvidence
from webhooks.incidents.wording import describe
from webhooks.rules.conditions import Where
from webhooks.rules.watches import Watch

MORNING = Watch("Morning", Where(tableau={"tags": ("morning",)}), fresh_by=time(7, 30))


@pytest.fixture
def morning(watched: Watched) -> Watched:
    """Return a site where Sales has the tag, and both have run the evening before."""
    watched.site.add("workbook", SALES, "Sales", tags=("morning", "gold"))
    watched.watches = (MORNING,)
    watched.runs(SALES, "25 18:00")
    watched.runs(ORDERS, "25 18:00")
    return watched


def test_content_is_not_fresh(morning: Watched) -> None:
    """At half past seven, only the content with the tag is missed; a failure does not make it fresh, a success does."""
    morning.runs(SALES, "26 05:00", 10, "failed")
    morning.until("26 07:25")
    assert ("missed", "Sales") not in morning.open()
    morning.until("26 08:00")
    assert ("missed", "Sales") in morning.open()
    assert len([kind for kind, _ in morning.open() if kind == "missed"]) == 1
    event = event_of(morning.inbox, "RefreshMissed")
    assert (event.created_at, event.payload["watch"]) == ("2026-11-26T07:30:00Z", "Morning")
    assert event.payload["reason"] == "It was not up to date at 07:30, as the watch Morning asks."
    morning.runs(SALES, "26 08:10", 10, "failed")
    assert ("missed", "Sales") in morning.open()
    morning.runs(SALES, "26 08:30", 10)
    (one,) = [one for one in morning.inbox.incidents.list() if one.incident.kind == "missed"]
    assert describe(morning.inbox.incidents.get(one.id).incident) == "Came 1 h 10 min late"


@pytest.mark.parametrize(("begin", "fresh"), [("25 19:00", False), ("25 19:30", True), ("26 07:15", True)])
def test_success_within_the_time(morning: Watched, begin: str, fresh: bool) -> None:
    """A success in the twelve hours before makes it fresh, also one that only the job list knows."""
    morning.site.run(SALES, at(begin), at(begin) + timedelta(minutes=10))
    morning.until("26 08:00")
    assert ([kind for kind, _ in morning.open()] == []) == fresh


def test_days_zone_and_conditions(watched: Watched) -> None:
    """The time is local, only the days count, and content is selected by project, owner, name and kind."""
    finance = Reference("", "Finance")
    watched.site.add("workbook", SALES, "Sales", project=finance, owner=Reference("u", "ann"))
    for luid in (SALES, ORDERS):
        watched.runs(luid, "20 18:00")
    where = Where({"resource": ("WORKBOOK",), "resource_name": ("S*",)}, {"project": ("Fin*",), "owner": ("ann",)})
    watched.watches = (Watch("W", where, fresh_by=time(7, 30), days=frozenset({0, 3})),)
    watched.zone = BERLIN
    watched.restart()
    watched.until("27 20:00", step=30 * (HOUR / 60))
    (one,) = watched.inbox.incidents.list()
    # 26 November 2026 is a Thursday.
    assert one.incident.opened_at == at("26 06:30")


def test_changed_rules_change_what_is_declared(morning: Watched) -> None:
    """A watch that is removed before its time declares nothing any more."""
    morning.until("26 06:00")
    morning.watches = ()
    morning.until("26 09:00")
    assert morning.open() == []


def test_declared_duration(watched: Watched) -> None:
    """Without any history, a run beyond the declared duration is too long."""
    watched.watches = (Watch("Short", Where(), longer_than=timedelta(minutes=45)),)
    began = at("26 02:00")
    piece = RunEvidence("webhook", watched.site.luid, SALES, "workbook", "running", began, started_at=began)
    watched.inbox.incidents.learn(piece)
    watched.site.run(SALES, began, None)
    (one,) = watched.until("26 04:00")
    assert (one.incident.kind, one.incident.opened_at) == ("long", at("26 02:45"))
    assert one.incident.reason == "It has been running since 02:00. The watch Short allows 45 min."
    assert event_of(watched.inbox, "RefreshRunsLong").payload["watch"] == "Short"
    assert one.incident.duration(began + DAY) > HOUR
