"""Webhooks are delivered the way Tableau does it."""

import json
from typing import Any

import pytest

from simulator import Config, Running, running
from simulator.world.events import CAUSES
from simulator.world.payload import RESOURCES, SOURCES, payload
from simulator.world.site import Webhook


def _listen(simulator: Running, url: str, *events: str) -> None:
    home, now = simulator.world.home, simulator.world.now()
    for event in events:
        luid = simulator.world.luid()
        home.webhooks[luid] = Webhook(luid, f"on {event}", event, url, next(iter(home.users)), now, now)


def test_request_has_tableaus_headers_and_fields(simulator: Running, receiver: Any, control: Any) -> None:
    """User agent, odd headers, compact JSON, seven fields in Tableau's order."""
    _listen(simulator, receiver.url, "WorkbookRefreshFailed")
    event = control("POST", "events", {"event_type": "WorkbookRefreshFailed", "name": "Sales"})["event"]
    assert simulator.world.timer.settle(5)
    [(path, headers, body)] = receiver.requests
    assert path == "/webhook/s3cret"
    assert headers["User-Agent"] == "TableauWebhooks/1.0"
    assert (headers["Content-Type"], headers["charset"]) == ("application/json", "utf-8")
    assert headers["Accept"].startswith("text/html, image/gif")
    assert json.loads(body) == event
    assert b": " not in body.split(b'"text"')[0]
    fields = ["resource", "event_type", "resource_name", "site_luid", "resource_luid", "created_at", "text"]
    assert list(event) == fields
    assert (event["resource"], event["resource_name"]) == ("EXTRACTS", "Sales")


def test_text_can_be_left_out_as_in_2019(receiver: Any) -> None:
    """The older shape has six fields."""
    with running(Config(payload_text=False)) as simulator:
        _listen(simulator, receiver.url, "AdminPromoted")
        simulator.world.emit(simulator.world.home, "AdminPromoted", name="x", luid="y")
        assert simulator.world.timer.settle(5)
    assert len(json.loads(receiver.requests[0][2])) == 6


def test_created_at_is_rounded_and_text_is_not() -> None:
    """The two times of one event differ as captured ones do."""
    from datetime import UTC, datetime

    at = datetime(2026, 1, 31, 9, 29, 59, 941_000, UTC)
    made = payload("WorkbookCreated", resource="WORKBOOK", name="S", luid="l", site="s", at=at, text=True)
    assert made["created_at"] == "2026-01-31T09:30:00Z"
    assert str(made["text"]).endswith("posted at 2026-01-31T09:29:59.941Z")


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_anything_but_2xx_is_tried_four_times(simulator: Running, receiver: Any, control: Any, status: int) -> None:
    """Three more attempts with the same bytes, then the event is gone."""
    receiver.statuses, receiver.headers = [status], {"Location": receiver.url}
    _listen(simulator, receiver.url, "UserDeleted")
    control("POST", "events", {"event_type": "UserDeleted"})
    assert simulator.world.timer.settle(5)
    assert len({body for _, _, body in receiver.requests}) == 1
    [delivery] = control("GET", "deliveries")["deliveries"]
    assert (delivery["state"], [attempt["status"] for attempt in delivery["attempts"]]) == ("given up", [status] * 4)


def test_second_attempt_may_succeed(simulator: Running, receiver: Any, control: Any) -> None:
    """A receiver that recovers gets the event."""
    receiver.statuses = [500, 204]
    _listen(simulator, receiver.url, "SiteUpdated")
    control("POST", "events", {"event_type": "SiteUpdated"})
    assert control("POST", "settle", {"seconds": 5}) == {"settled": True}
    [delivery] = control("GET", "deliveries?state=delivered")["deliveries"]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 204]


def test_slow_receiver_is_given_up_on(receiver: Any) -> None:
    """No answer within the read timeout is a failed attempt."""
    receiver.pause = 5
    with running(Config(read_timeout=0.1, retry_waits=())) as simulator:
        _listen(simulator, receiver.url, "SiteUpdated")
        simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
        assert simulator.world.timer.settle(5)
        [delivery] = simulator.world.sender.log
    assert (delivery.attempts[0].status, delivery.attempts[0].error) == (None, "Read timed out")


def test_unreachable_receiver_is_named_in_the_log(control: Any, simulator: Running) -> None:
    """A refused connection is an error in words."""
    _listen(simulator, "http://127.0.0.1:1/x", "SiteUpdated")
    control("POST", "events", {"event_type": "SiteUpdated"})
    assert simulator.world.timer.settle(5)
    assert simulator.world.sender.log[0].attempts[-1].error == "Connection refused"


def test_duplicates_repeat_the_same_bytes(simulator: Running, receiver: Any) -> None:
    """With a share of one every event comes twice, byte for byte."""
    simulator.world.set({"duplicates": 1})
    _listen(simulator, receiver.url, "SiteUpdated")
    simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
    assert simulator.world.timer.settle(5)
    assert [body for _, _, body in receiver.requests] == [receiver.requests[0][2]] * 2
    assert [delivery.duplicate for delivery in simulator.world.sender.log] == [False, True]


def test_disabled_webhook_hears_nothing(simulator: Running, receiver: Any) -> None:
    """isEnabled false means silence."""
    _listen(simulator, receiver.url, "SiteUpdated")
    next(iter(simulator.world.home.webhooks.values())).is_enabled = False
    simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
    assert not simulator.world.sender.log


def test_webhook_that_nobody_takes_is_switched_off(receiver: Any) -> None:
    """If it is so configured, deliveries given up in a row disable a webhook, with a reason."""
    receiver.statuses = [500]
    with running(Config(disable_after=2, retry_waits=())) as simulator:
        _listen(simulator, receiver.url, "SiteUpdated")
        for _ in range(2):
            simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
            assert simulator.world.timer.settle(5)
        [webhook] = simulator.world.home.webhooks.values()
    assert (webhook.is_enabled, webhook.status_change_reason) == (
        False,
        "Webhook disabled after repeated delivery failures",
    )


@pytest.mark.parametrize("event_type", sorted(RESOURCES))
def test_every_event_can_happen(simulator: Running, receiver: Any, control: Any, event_type: str) -> None:
    """Each of the 22 events changes the site and reaches its webhook, with a LUID of the site."""
    if event_type in {"LabelUpdated", "LabelDeleted"}:
        control("POST", "events", {"event_type": "LabelCreated"})
    if event_type == "AdminDemoted":
        control("POST", "events", {"event_type": "AdminPromoted"})
    _listen(simulator, receiver.url, event_type)
    answer = control("POST", "events", {"event_type": event_type})
    assert answer["deliveries"] == 1
    assert simulator.world.timer.settle(5)
    event = json.loads(receiver.requests[0][2])
    assert event["event_type"] == event_type
    assert event["resource"] in {RESOURCES[event_type], "DATASOURCE"}
    assert event["site_luid"] == simulator.world.home.luid


def test_event_names_and_sources_are_complete() -> None:
    """22 events, each with something that happens, two of them with irregular names."""
    assert len(RESOURCES) == 22
    assert set(CAUSES) == set(RESOURCES) == set(SOURCES)
    assert SOURCES["WorkbookRefreshFailed"] == "webhook-source-event-workbook-refresh-failed"
    assert SOURCES["AdminPromoted"] == "webhook-event-user-promoted-admin"
    assert SOURCES["LabelDeleted"] == "webhook-source-event-label-deleted"


def test_failed_refresh_leaves_a_job_with_notes(simulator: Running, control: Any, rest: Any) -> None:
    """The event names no reason; the job list leads to it."""
    event = control("POST", "events", {"event_type": "WorkbookRefreshFailed", "name": "Sales", "reason": "disk full"})[
        "event"
    ]
    query = (
        "filter=jobType:in:[refresh_extracts,increment_extracts],status:eq:Failed,title:eq:Sales&sort=createdAt:desc"
    )
    [listed] = rest.get(f"jobs?{query}")["backgroundJobs"]["backgroundJob"]
    assert set(listed) >= {"id", "status", "jobType", "priority", "createdAt", "endedAt", "title", "subtitle"}
    assert not {"notes", "args"} & set(listed)
    job = rest.get(f"jobs/{listed['id']}")["job"]
    assert (job["finishCode"], job["extractRefreshJob"]["notes"]) == ("1", "disk full")
    assert job["extractRefreshJob"]["workbook"]["id"] == event["resource_luid"]


def test_started_refresh_ends_with_the_next_event(control: Any, rest: Any) -> None:
    """Started and succeeded are the two ends of one job."""
    control("POST", "events", {"event_type": "WorkbookRefreshStarted", "name": "Sales"})
    [job] = rest.get("jobs?filter=title:eq:Sales,status:eq:InProgress")["backgroundJobs"]["backgroundJob"]
    assert rest.call("POST", f"workbooks/{_luid(rest, 'Sales')}/refresh", json={}).json()["error"]["code"] == "409093"
    control("POST", "events", {"event_type": "WorkbookRefreshSucceeded", "name": "Sales"})
    assert rest.get(f"jobs/{job['id']}")["job"]["finishCode"] == "0"


def _luid(rest: Any, name: str) -> str:
    luid: str = rest.get(f"workbooks?filter=name:eq:{name}")["workbooks"]["workbook"][0]["id"]
    return luid


def test_deleted_workbook_is_gone(control: Any, rest: Any) -> None:
    """After the event the content cannot be looked up, nor its views."""
    luid = _luid(rest, "Sales")
    view = rest.get(f"workbooks/{luid}")["workbook"]["views"]["view"][0]["id"]
    control("POST", "events", {"event_type": "WorkbookDeleted", "luid": luid})
    assert rest.call("GET", f"workbooks/{luid}").json()["error"]["code"] == "404006"
    assert rest.call("GET", f"views/{view}").json()["error"]["code"] == "404011"


def test_change_by_rest_sends_updated_if_configured(simulator: Running, receiver: Any, rest: Any) -> None:
    """An automation that renames a workbook hears its own echo, unless switched off."""
    _listen(simulator, receiver.url, "WorkbookUpdated")
    luid = _luid(rest, "Sales")
    rest.call("PUT", f"workbooks/{luid}", json={"workbook": {"name": "Sales 2"}})
    simulator.world.set({"update_events": False})
    rest.call("PUT", f"workbooks/{luid}", json={"workbook": {"name": "Sales 3"}})
    assert simulator.world.timer.settle(5)
    assert [json.loads(body)["resource_name"] for _, _, body in receiver.requests] == ["Sales 2"]
