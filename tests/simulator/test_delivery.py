"""The delivery of webhooks, as Tableau does it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator import Config, Running, running
from simulator.world.events import CAUSES
from simulator.world.payload import RESOURCES, SOURCES, WITHOUT_WEBHOOK, payload
from simulator.world.site import Webhook


def _register(simulator: Running, url: str, *events: str) -> None:
    home, now = simulator.world.home, simulator.world.now()
    for event in events:
        luid = simulator.world.luid()
        home.webhooks[luid] = Webhook(luid, f"for {event}", event, url, next(iter(home.users)), now, now)


def test_request_has_tableaus_headers_and_fields(simulator: Running, receiver: Any, control: Any) -> None:
    """A request has Tableau's user agent, headers and compact JSON, with seven fields in Tableau's order."""
    _register(simulator, receiver.url, "WorkbookRefreshFailed")
    event = control("POST", "events", {"event_type": "WorkbookRefreshFailed", "name": "Sales"})["event"]
    assert simulator.world.timer.settle(60)
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


def test_text_can_be_left_out(receiver: Any) -> None:
    """The older payload has six fields."""
    with running(Config(payload_text=False)) as simulator:
        _register(simulator, receiver.url, "AdminPromoted")
        simulator.world.emit(simulator.world.home, "AdminPromoted", name="x", luid="y")
        assert simulator.world.timer.settle(60)
    assert len(json.loads(receiver.requests[0][2])) == 6


def test_created_at_is_rounded_and_text_is_not() -> None:
    """The two times of an event differ as in captured requests."""
    from datetime import UTC, datetime

    at = datetime(2026, 1, 31, 9, 29, 59, 941_000, UTC)
    made = payload("WorkbookCreated", resource="WORKBOOK", name="S", luid="l", site="s", at=at, text=True)
    assert made["created_at"] == "2026-01-31T09:30:00Z"
    assert str(made["text"]).endswith("posted at 2026-01-31T09:29:59.941Z")


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_failed_delivery_has_four_attempts(simulator: Running, receiver: Any, control: Any, status: int) -> None:
    """There are three more attempts with the same bytes, then the event is given up."""
    receiver.statuses, receiver.headers = [status], {"Location": receiver.url}
    _register(simulator, receiver.url, "UserDeleted")
    control("POST", "events", {"event_type": "UserDeleted"})
    assert simulator.world.timer.settle(60)
    assert len({body for _, _, body in receiver.requests}) == 1
    [delivery] = control("GET", "deliveries")["deliveries"]
    assert (delivery["state"], [attempt["status"] for attempt in delivery["attempts"]]) == ("given up", [status] * 4)


def test_second_attempt_may_succeed(simulator: Running, receiver: Any, control: Any) -> None:
    """A receiver that recovers gets the event."""
    receiver.statuses = [500, 204]
    _register(simulator, receiver.url, "SiteUpdated")
    control("POST", "events", {"event_type": "SiteUpdated"})
    assert control("POST", "settle", {"seconds": 5}) == {"settled": True}
    [delivery] = control("GET", "deliveries?state=delivered")["deliveries"]
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 204]


def test_slow_receiver_times_out(receiver: Any) -> None:
    """An attempt without a response within the read timeout has failed."""
    receiver.pause = 5
    with running(Config(read_timeout=0.1, retry_waits=())) as simulator:
        _register(simulator, receiver.url, "SiteUpdated")
        simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
        assert simulator.world.timer.settle(60)
        [delivery] = simulator.world.sender.log
    assert (delivery.attempts[0].status, delivery.attempts[0].error) == (None, "Read timed out")


def test_unreachable_receiver_is_reported(control: Any, simulator: Running) -> None:
    """The error of a refused connection says so."""
    _register(simulator, "http://127.0.0.1:1/x", "SiteUpdated")
    control("POST", "events", {"event_type": "SiteUpdated"})
    assert simulator.world.timer.settle(60)
    assert simulator.world.sender.log[0].attempts[-1].error == "Connection refused"


def test_duplicates_repeat_the_same_bytes(simulator: Running, receiver: Any) -> None:
    """With a share of one, every event is sent twice with the same bytes."""
    simulator.world.set({"duplicates": 1})
    _register(simulator, receiver.url, "SiteUpdated")
    simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
    assert simulator.world.timer.settle(60)
    assert [body for _, _, body in receiver.requests] == [receiver.requests[0][2]] * 2
    assert [delivery.duplicate for delivery in simulator.world.sender.log] == [False, True]


def test_disabled_webhook_gets_no_events(simulator: Running, receiver: Any) -> None:
    """A webhook with isEnabled false gets no events."""
    _register(simulator, receiver.url, "SiteUpdated")
    next(iter(simulator.world.home.webhooks.values())).is_enabled = False
    simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
    assert not simulator.world.sender.log


def test_failing_webhook_is_disabled(receiver: Any) -> None:
    """If configured, consecutive failed deliveries disable a webhook, with a reason."""
    receiver.statuses = [500]
    with running(Config(disable_after=2, retry_waits=())) as simulator:
        _register(simulator, receiver.url, "SiteUpdated")
        for _ in range(2):
            simulator.world.emit(simulator.world.home, "SiteUpdated", name="x", luid="y")
            assert simulator.world.timer.settle(60)
        [webhook] = simulator.world.home.webhooks.values()
    assert (webhook.is_enabled, webhook.status_change_reason) == (
        False,
        "Webhook disabled after repeated delivery failures",
    )


@pytest.mark.parametrize("event_type", sorted(RESOURCES))
def test_every_event_can_be_caused(simulator: Running, receiver: Any, control: Any, event_type: str) -> None:
    """Each of the 22 event types can be caused and is delivered to its webhook, with the LUID of the site."""
    if event_type in {"LabelUpdated", "LabelDeleted"}:
        control("POST", "events", {"event_type": "LabelCreated"})
    if event_type == "AdminDemoted":
        control("POST", "events", {"event_type": "AdminPromoted"})
    _register(simulator, receiver.url, event_type)
    response = control("POST", "events", {"event_type": event_type})
    assert response["deliveries"] == 1
    assert simulator.world.timer.settle(60)
    event = json.loads(receiver.requests[0][2])
    assert event["event_type"] == event_type
    assert event["resource"] in {RESOURCES[event_type], "DATASOURCE"}
    assert event["site_luid"] == simulator.world.home.luid


def test_event_names_and_sources_are_complete() -> None:
    """There are 22 event types, each with a cause and a source name, two of which are irregular."""
    assert len(RESOURCES) == 22
    assert set(RESOURCES) == set(SOURCES)
    assert set(CAUSES) == {*RESOURCES, *WITHOUT_WEBHOOK}
    assert SOURCES["WorkbookRefreshFailed"] == "webhook-source-event-workbook-refresh-failed"
    assert SOURCES["AdminPromoted"] == "webhook-event-user-promoted-admin"
    assert SOURCES["LabelDeleted"] == "webhook-source-event-label-deleted"


def test_failed_refresh_leaves_a_job_with_notes(simulator: Running, control: Any, rest: Any) -> None:
    """The event has no reason; the job list leads to it."""
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
    """Started and succeeded are events of the same job."""
    control("POST", "events", {"event_type": "WorkbookRefreshStarted", "name": "Sales"})
    [job] = rest.get("jobs?filter=title:eq:Sales,status:eq:InProgress")["backgroundJobs"]["backgroundJob"]
    assert rest.call("POST", f"workbooks/{_luid(rest, 'Sales')}/refresh", json={}).json()["error"]["code"] == "409093"
    control("POST", "events", {"event_type": "WorkbookRefreshSucceeded", "name": "Sales"})
    assert rest.get(f"jobs/{job['id']}")["job"]["finishCode"] == "0"


def _luid(rest: Any, name: str) -> str:
    luid: str = rest.get(f"workbooks?filter=name:eq:{name}")["workbooks"]["workbook"][0]["id"]
    return luid


def test_deleted_workbook_is_gone(control: Any, rest: Any) -> None:
    """After the event neither the content nor its views can be looked up."""
    luid = _luid(rest, "Sales")
    view = rest.get(f"workbooks/{luid}")["workbook"]["views"]["view"][0]["id"]
    control("POST", "events", {"event_type": "WorkbookDeleted", "luid": luid})
    assert rest.call("GET", f"workbooks/{luid}").json()["error"]["code"] == "404006"
    assert rest.call("GET", f"views/{view}").json()["error"]["code"] == "404011"


def test_change_by_rest_sends_updated_if_configured(simulator: Running, receiver: Any, rest: Any) -> None:
    """A client that renames a workbook causes an event, unless the setting is off."""
    _register(simulator, receiver.url, "WorkbookUpdated")
    luid = _luid(rest, "Sales")
    rest.call("PUT", f"workbooks/{luid}", json={"workbook": {"name": "Sales 2"}})
    simulator.world.set({"update_events": False})
    rest.call("PUT", f"workbooks/{luid}", json={"workbook": {"name": "Sales 3"}})
    assert simulator.world.timer.settle(60)
    assert [json.loads(body)["resource_name"] for _, _, body in receiver.requests] == ["Sales 2"]
