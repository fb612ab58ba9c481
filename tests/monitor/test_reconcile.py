"""Catching up after downtime: what was missed is found and told, what came is not told again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Running
from tests.acceptance.server import serving, wait_for
from tests.support.simulated_site import inject_fault, slack_messages
from webhooks.config.settings import Settings
from webhooks.event import parse
from webhooks.inbox import EventSummary, Inbox, Resource
from webhooks.monitor import Reconciler, reconcile
from webhooks.monitor.missed import EndedRefresh, ListedContent, MissedEvent, content_changes, has_event, was_received
from webhooks.services import Services

T = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
EVERYTHING = (
    "WorkbookCreated",
    "WorkbookUpdated",
    "WorkbookDeleted",
    "DatasourceUpdated",
    "DatasourceDeleted",
    "WorkbookRefreshFailed",
    "WorkbookRefreshSucceeded",
    "DatasourceRefreshFailed",
)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def arrival(event_type: str, luid: str = "w", name: str = "Sales", at: datetime = T) -> EventSummary:
    return EventSummary(event_type, luid, name, at.timestamp(), at.timestamp())


@pytest.mark.parametrize(
    ("event_type", "at", "expected"),
    [
        ("WorkbookUpdated", T + minutes(1), True),
        ("WorkbookUpdated", T + minutes(10), False),
        ("WorkbookDeleted", T + minutes(600), True),
        ("WorkbookCreated", T, False),
    ],
)
def test_event_that_came_is_known_by_type_resource_and_time(event_type: str, at: datetime, expected: bool) -> None:
    """A deletion happens once, so there the time does not matter."""
    arrivals = [arrival("WorkbookUpdated"), arrival("WorkbookDeleted"), arrival("WorkbookCreated", luid="other")]
    assert was_received(MissedEvent(event_type, "W", "Sales", at), arrivals) is expected


def test_refresh_is_known_by_name_and_time() -> None:
    """Without asking for the job: the list does not say which content it was."""
    ended = EndedRefresh("j", "", "Sales", succeeded=False, at=T)
    assert has_event(ended, [arrival("DatasourceRefreshFailed", at=T + minutes(1))])
    assert not has_event(ended, [arrival("DatasourceRefreshSucceeded")])
    assert not has_event(ended, [arrival("DatasourceRefreshFailed", name="Costs")])


def test_changes_are_told_apart_from_refreshes_and_from_what_was_known() -> None:
    """New is created; changed is updated, unless a refresh did it, or it was seen like this before."""
    old = T - minutes(6000)
    seen = [
        ListedContent("workbook", "new", "New", T, T),
        ListedContent("workbook", "changed", "Changed", old, T),
        ListedContent("workbook", "refreshed", "Refreshed", old, T),
        ListedContent("workbook", "seen", "Seen", old, T),
        ListedContent("workbook", "long ago", "Long ago", old, old),
        ListedContent("workbook", "too young", "Too young", T + minutes(9), T + minutes(9)),
    ]
    known = {"seen": Resource("seen", "workbook", "s", "Seen", updated_at=T.timestamp())}
    refreshed = [EndedRefresh("j", "workbook", "Refreshed", succeeded=True, at=T + minutes(1))]
    found = content_changes(seen, known, refreshed, since=T - minutes(5), until=T + minutes(5))
    assert [(one.event_type, one.luid) for one in found] == [("WorkbookCreated", "new"), ("WorkbookUpdated", "changed")]


@pytest.fixture
def look(services: Services) -> Callable[..., list[dict[str, Any]]]:
    """One round, `later` minutes from now; gives the payloads of the events that were made."""
    rounds: dict[int, Reconciler] = {}

    def once(later: float = 0, *, restarted: bool = True) -> list[dict[str, Any]]:
        inbox = services.inbox
        if restarted or not rounds:
            rounds[0] = Reconciler(inbox, lambda: services.tableau, EVERYTHING, grace=timedelta(0))
        before = {record.event.id for record in inbox.events.list(limit=500)}
        rounds[0].look(datetime.now(UTC) + minutes(later))
        made = [record.event for record in inbox.events.list(limit=500) if record.event.id not in before]
        return [dict(event.payload) for event in reversed(made)]

    return once


def happen(site: Running, **wish: str) -> dict[str, Any]:
    answer = requests.post(f"{site.url}/simulator/events", json=wish, timeout=5)
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()["event"]
    return event


def about(payload: dict[str, Any]) -> tuple[str, str, str]:
    return payload["event_type"], payload["resource_luid"], payload["resource_name"]


Check = Callable[..., list[dict[str, Any]]]


def test_first_round_only_takes_note(look: Check, inbox: Inbox, site: Running) -> None:
    """A new server tells nobody of last week; but it knows whose everything is."""
    assert look() == []
    workbook = next(iter(site.world.home.workbooks.values()))
    known = inbox.resources.get(workbook.luid)
    assert known
    owner = site.world.home.users[workbook.owner]
    assert known.name == workbook.name
    assert owner.full_name in known.owner
    assert known.project == site.world.home.projects[workbook.project].name


def test_what_was_missed_is_made(look: Check, site: Running) -> None:
    """Refreshes, new, changed and deleted content, each as Tableau would have sent it, and marked."""
    look(-1)
    events = [
        happen(site, event_type="WorkbookCreated", name="Born meanwhile"),
        happen(site, event_type="DatasourceUpdated"),
        happen(site, event_type="WorkbookRefreshFailed", reason="Login failed"),
    ]
    gone = happen(site, event_type="WorkbookDeleted", name=_other_workbook(site, events))
    made = look(1)
    assert sorted(map(about, made)) == sorted(map(about, [*events, gone]))
    assert {payload["origin"] for payload in made} == {"reconciled"}
    assert {payload["site_luid"] for payload in made} == {site.world.home.luid}
    assert look(2) == []


def _other_workbook(site: Running, events: list[dict[str, Any]]) -> str:
    luids = {event["resource_luid"] for event in events}
    return next(one.name for luid, one in site.world.home.workbooks.items() if luid not in luids)


def receive(inbox: Inbox, payload: dict[str, Any]) -> None:
    event = parse(json.dumps(payload).encode())
    assert event
    inbox.events.receive(event)


def test_what_came_is_not_made_again(look: Check, inbox: Inbox, site: Running) -> None:
    """Also where the times differ by seconds."""
    look(-1)
    for kind in ("WorkbookCreated", "DatasourceUpdated", "WorkbookRefreshFailed", "DatasourceDeleted"):
        sent = happen(site, event_type=kind)
        at = datetime.fromisoformat(sent["created_at"]) + timedelta(seconds=4)
        receive(inbox, {**sent, "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
    assert look(1) == []


def test_only_wanted_events_are_made_and_no_job_is_asked_for_in_vain(
    services: Services, inbox: Inbox, site: Running
) -> None:
    """Events that nothing needs have no webhook either."""
    catching_up = Reconciler(inbox, lambda: services.tableau, ["ViewDeleted"], grace=timedelta(0))
    catching_up.look(datetime.now(UTC) - minutes(1))
    happen(site, event_type="WorkbookRefreshFailed")
    happen(site, event_type="WorkbookCreated")
    catching_up.look(datetime.now(UTC) + minutes(1))
    assert inbox.events.list() == []
    assert not [call for call in site.world.calls.log if "/jobs/" in call.path]


def test_many_missed_refreshes_are_made_in_portions(
    look: Check, site: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site's budget of job queries is everybody's; the next round goes on where this one ended."""
    monkeypatch.setattr(reconcile, "MOST_JOBS", 2)
    look(-1)
    names = [one.name for one in site.world.home.workbooks.values() if one.has_extracts][:5]
    for name in names:
        happen(site, event_type="WorkbookRefreshFailed", name=name)
    portions = [look(minute) for minute in (1, 2, 3, 4)]
    assert [len(portion) for portion in portions] == [2, 2, 1, 0]
    assert sorted(payload["resource_name"] for portion in portions for payload in portion) == sorted(names)


def test_refresh_is_not_taken_for_an_update(look: Check, site: Running) -> None:
    """It changes the content's time, too."""
    look(-1)
    happen(site, event_type="WorkbookRefreshSucceeded")
    assert [payload["event_type"] for payload in look(1)] == ["WorkbookRefreshSucceeded"]


def test_round_that_fails_half_way_loses_nothing(look: Check, site: Running) -> None:
    """Tableau goes away in the middle: the next round finds it all, and makes nothing twice."""
    look(-1)
    happen(site, event_type="WorkbookCreated", name="Born meanwhile")
    happen(site, event_type="WorkbookRefreshFailed")
    inject_fault(site, kind="error", target="tableau", path="/datasources", code="500000")
    assert look(1) == []
    site.world.faults.remove()
    assert len(look(2)) == 2
    assert look(3) == []


def test_without_a_restart_only_news_are_listed(look: Check, site: Running) -> None:
    """Between restarts a round asks for what changed, not for everything."""
    look(-1)
    look(0)
    happen(site, event_type="WorkbookUpdated")
    assert [payload["event_type"] for payload in look(1, restarted=False)] == ["WorkbookUpdated"]


def test_real_event_behind_a_made_one_leads_to_nothing(
    services: Services, settings: Settings, look: Check, site: Running
) -> None:
    """Tableau's last try comes after we caught up: kept, and not told again."""
    object.__setattr__(services, "settings", settings.model_copy(update={"webhook_url": "https://h.example.org"}))
    look(-1)
    sent = happen(site, event_type="WorkbookRefreshFailed")
    assert len(look(1)) == 1
    assert services.inbox.events.plan(services.matching) == 1
    at = datetime.fromisoformat(sent["created_at"]) + timedelta(seconds=4)
    receive(services.inbox, {**sent, "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
    services.inbox.events.plan(services.matching)
    real, made = services.inbox.events.list()
    assert (real.state, made.state) == ("ignored", "planned")


def test_server_catches_up_and_tells_whose_it_was(site: Running, tmp_path: Path, rules_file: Path) -> None:
    """The real server: it is down while a workbook is deleted and another is published; then people read of both."""
    rules_file.write_text('[[rule]]\nname = "all"\non = ["WorkbookCreated", "WorkbookDeleted"]\nnotify = "slack:#bi"\n')
    workbook = next(iter(site.world.home.workbooks.values()))
    owner = site.world.home.users[workbook.owner].full_name
    more = {"WEBHOOK_URL": "http://hooks.example.org", "RULES_FILE": str(rules_file), "WATCH_MINUTES": "0.02"}
    with serving(tmp_path, site.environment, **more) as server:
        wait_for(lambda: _noted(server.environment["DATABASE_URL"]), what="the first round")
        wait_for(lambda: slack_messages(site), what="the notice that webhooks are missing")
    happen(site, event_type="WorkbookDeleted", name=workbook.name)
    happen(site, event_type="WorkbookCreated", name="Published meanwhile")
    _age(site, tmp_path)
    with serving(tmp_path, site.environment, **more):
        wait_for(lambda: len(slack_messages(site)) >= 3, seconds=40, what="both messages")
    told = "\n".join(slack_messages(site))
    assert f"Workbook deleted: {workbook.name}" in told
    assert owner.split("'")[0] in told
    assert "Workbook created: Published meanwhile" in told
    assert "found later: reconciled" in told


def _noted(url: str) -> bool:
    inbox = Inbox.open(url)
    try:
        return inbox.state.get("reconcile") is not None
    finally:
        inbox.close()


def _age(site: Running, folder: Path) -> None:
    """Moves what happened, and what the inbox knows, ten minutes into the past: the grace is over."""
    past = minutes(10)
    with site.world.lock:
        for one in site.world.home.workbooks.values():
            one.created_at, one.updated_at = one.created_at - past, one.updated_at - past
    inbox = Inbox.open(f"sqlite:///{folder / 'inbox.sqlite3'}")
    noted = inbox.state.get("reconcile")
    inbox.state.set("reconcile", {name: at - past.total_seconds() for name, at in noted.items()})
    inbox.close()
