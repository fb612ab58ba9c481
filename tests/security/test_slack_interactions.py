"""Presses of buttons: only those that Slack signed now for this app are acts, each once, whatever the request holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import Connection, text
from werkzeug.test import TestResponse

from tests.support.databases import some_event
from tests.support.slack_press import SECRET, form, press_payload, signed
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.incidents import DestinationPolicy, Policy
from webhooks.services import Services

PATH = "/slack/interactions"
ACKNOWLEDGE = "incident_acknowledge"


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings.model_copy(update={"slack_signing_secret": SecretStr(SECRET)}))
    yield app.test_client()
    app.extensions["webhooks"].stop()


@pytest.fixture
def box(client: FlaskClient) -> Inbox:
    services: Services = client.application.extensions["webhooks"]
    return services.inbox


@pytest.fixture
def incident(box: Inbox) -> IncidentRecord:
    """Return an open incident."""
    box.events.receive(some_event(1, "WorkbookRefreshFailed", resource="EXTRACTS"))
    box.events.plan(lambda _: [])
    (found,) = box.incidents.list()
    return found


@pytest.fixture
def payload(incident: IncidentRecord) -> dict[str, Any]:
    return press_payload(ACKNOWLEDGE, f"{incident.id} {incident.incident.id}")


def send(client: FlaskClient, body: bytes, headers: dict[str, str] | None = None) -> TestResponse:
    return client.post(PATH, data=body, headers=signed(body) if headers is None else headers)


def state(box: Inbox) -> str:
    (found,) = box.incidents.list()
    return found.incident.state


def test_signed_press_is_an_act(client: FlaskClient, box: Inbox, payload: dict[str, Any]) -> None:
    """The 200 has no body, and the act is committed with the person's name and id."""
    response = send(client, form(payload))
    assert (response.status_code, response.data) == (200, b"")
    (found,) = box.incidents.list()
    assert (found.incident.state, found.incident.quiet_by) == ("acknowledged", "ann (U0ANN)")


def test_choice_in_the_menu_is_an_act(client: FlaskClient, box: Inbox, payload: dict[str, Any]) -> None:
    """It is stored once, as the press of a button is."""
    value = f"incident_snooze {payload['actions'][0]['value']}"
    menu = {"type": "overflow", "action_id": "menu", "action_ts": "1.5", "selected_option": {"value": value}}
    body = form(payload | {"actions": [menu]})
    assert [send(client, body).status_code for _ in range(2)] == [200, 200]
    (found,) = box.incidents.list()
    assert (found.incident.state, len(found.incident.acts)) == ("snoozed", 1)


Forge = Callable[[bytes, dict[str, str]], tuple[bytes, dict[str, str]]]
FORGERIES: dict[str, Forge] = {
    "no signature": lambda body, _: (body, {"Content-Type": "application/x-www-form-urlencoded"}),
    "other app": lambda body, _: (body, signed(body, secret="of-another-app")),
    "old": lambda body, _: (body, signed(body, age=301)),
    "from the future": lambda body, _: (body, signed(body, age=-302)),
    "other body": lambda body, headers: (body.replace(b"U0ANN", b"U0BEN"), headers),
    "longer body": lambda body, headers: (body + b"&a=b", headers),
    "other time": lambda body, headers: (
        body,
        headers | {"X-Slack-Request-Timestamp": str(int(headers["X-Slack-Request-Timestamp"]) + 1)},
    ),
    "no time": lambda body, headers: (body, headers | {"X-Slack-Request-Timestamp": ""}),
    "time of letters": lambda body, headers: (body, headers | {"X-Slack-Request-Timestamp": "now"}),
    "endless time": lambda body, headers: (body, headers | {"X-Slack-Request-Timestamp": "9" * 5000}),
    # Larger than any float, and short enough for an integer.
    "long time": lambda body, headers: (body, headers | {"X-Slack-Request-Timestamp": "9" * 400}),
    "other digits": lambda body, headers: (body, headers | {"X-Slack-Request-Timestamp": "\u00b2\u00b3"}),
    "other letters": lambda body, headers: (body, headers | {"X-Slack-Signature": "v0=\u00e9"}),
    "other version": lambda body, headers: (
        body,
        headers | {"X-Slack-Signature": "v1" + headers["X-Slack-Signature"][2:]},
    ),
    "half a signature": lambda body, headers: (
        body,
        headers | {"X-Slack-Signature": headers["X-Slack-Signature"][:30]},
    ),
    "not UTF-8": lambda body, _: (b"payload=\xff", signed(b"payload=\xff", secret="of-another-app")),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_request_that_slack_did_not_sign_now_is_401(
    client: FlaskClient, box: Inbox, payload: dict[str, Any], forge: Forge
) -> None:
    """Forged, changed, old and foreign requests get a problem document and are no act."""
    body = form(payload)
    response = send(client, *forge(body, signed(body)))
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert state(box) == "open"
    assert box.jobs.claim("w", 10, 30, urgent=True) == []


def test_replayed_press_is_one_act(client: FlaskClient, box: Inbox, payload: dict[str, Any]) -> None:
    """The same request again, within the five minutes, gets 200 and changes nothing; a press by someone else counts."""
    body = form(payload)
    headers = signed(body)
    assert [send(client, body, headers).status_code for _ in range(3)] == [200] * 3
    assert len(box.jobs.claim("w", 10, 30, urgent=True)) == 1
    send(client, form(payload | {"user": {"id": "U0BEN", "name": "ben"}}))
    (answer,) = box.jobs.claim("w", 10, 30, urgent=True)
    assert answer.params["problem"] == "repeated"


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "no payload": b"a=b",
    "two payloads": form({}) + b"&" + form({}),
    "many fields": b"&".join(b"a=b" for _ in range(2000)),
    "no JSON": form("{"),
    "a list": form("[]"),
    "null": form("null"),
    "deep": form(nested(20_000)),
    "not UTF-8": b"payload=\xff\xfe",
    "NaN id": form('{"type": "block_actions", "actions": [{"type": "button", "action_id": NaN}]}'),
    "no person": form(press_payload(ACKNOWLEDGE, "1 a", user=None)),
    "person of letters": form(press_payload(ACKNOWLEDGE, "1 a", user={"id": "../U1"})),
    "no message": form(press_payload(ACKNOWLEDGE, "1 a", container={})),
    "endless value": form(press_payload(ACKNOWLEDGE, "1" * 5000)),
    "endless name": form(press_payload("a" * 5000, "1 a")),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_interaction_is_400(client: FlaskClient, box: Inbox, incident: IncidentRecord, body: bytes) -> None:
    """A signed request that is no interaction is refused with the reason, and nothing is stored."""
    response = send(client, body)
    assert (response.status_code, response.mimetype) in {
        (400, "application/problem+json"),
        (401, "application/problem+json"),
    }
    assert state(box) == "open"


OTHERS: dict[str, Any] = {
    "another type": {"type": "view_submission", "view": {}},
    "a list of actions": press_payload(ACKNOWLEDGE, "1 a", actions=[]),
    "actions of another type": press_payload(ACKNOWLEDGE, "1 a", actions={"a": 1}),
    "another app's button": press_payload("approve", "1 a"),
    "a link": press_payload("x", "", actions=[{"type": "button", "action_id": "x", "url": "https://tableau.example"}]),
    "a menu": press_payload("x", "", actions=[{"type": "overflow", "action_id": ACKNOWLEDGE}]),
    "a choice of nothing": press_payload(
        "x", "", actions=[{"type": "overflow", "action_id": "menu", "action_ts": "1.5"}]
    ),
    "a value of another program": press_payload(ACKNOWLEDGE, "approve"),
    "a huge number": press_payload(ACKNOWLEDGE, f"{'9' * 19} a"),
    "a group's value of another program": press_payload("group_acknowledge", "1 a"),
    "a huge number of a group": press_payload("group_acknowledge", f"group {'9' * 19}"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_other_interaction_is_200_and_no_act(
    client: FlaskClient, box: Inbox, incident: IncidentRecord, other: Any
) -> None:
    """Slack shows people an error for every other status, so what is not about incidents is accepted and ignored."""
    assert send(client, form(other)).status_code == 200
    assert state(box) == "open"
    assert box.jobs.claim("w", 10, 30, urgent=True) == []


def test_person_of_another_organization_is_no_act(client: FlaskClient, box: Inbox, payload: dict[str, Any]) -> None:
    """In a channel that is shared with another organization, its people can press the button; they get an answer."""
    send(client, form(payload | {"user": {"id": "U0EVE", "name": "eve", "team_id": "T0OTHER"}}))
    assert state(box) == "open"
    (answer,) = box.jobs.claim("w", 10, 30, urgent=True)
    assert (answer.params["is_member"], answer.params.get("act", 0)) == (False, 0)


def test_button_of_a_group(client: FlaskClient, box: Inbox, incident: IncidentRecord) -> None:
    """A press about several incidents is an act only if it is of the message that the group has."""
    policy = Policy(rule="Finance", destinations=(DestinationPolicy("slack:#bi"),))
    notice = box.notices.register(incident.id, "slack:#bi", policy)
    columns = "id, destination, kind, joined_at, wanted, created_at, posted"
    posted = json.dumps({"message": {"kind": "slack", "channel": "C0BI", "id": "1795600000.000100"}})

    def insert(connection: Connection) -> None:
        values = {"posted": posted, "notice": notice.id}
        new = f"INSERT INTO notice_groups ({columns}) VALUES (1, 'slack:#bi', 'storm', 0, 0, 0, :posted)"
        connection.execute(text(new), values)
        connection.execute(text("UPDATE notices SET group_id = 1 WHERE id = :notice"), values)

    box.store.write(insert)
    payload = press_payload("group_acknowledge", "group 1")
    other = payload | {"container": {"type": "message", "message_ts": "1.2", "channel_id": "C0BI"}}
    for sent in (other, payload | {"user": {"id": "U0EVE", "name": "eve", "team_id": "T0OTHER"}}):
        assert send(client, form(sent)).status_code == 200
        assert box.incidents.get(incident.id).incident.acts == ()
    assert [send(client, form(payload)).status_code for _ in range(2)] == [200] * 2
    (act,) = box.incidents.get(incident.id).incident.acts
    assert (act.kind, act.by) == ("acknowledge", "ann (U0ANN)")
    problems = [job.params["problem"] for job in box.jobs.claim("w", 10, 30, urgent=True)]
    assert problems == ["unknown", "", ""]


def test_hostile_name_is_one_short_line(client: FlaskClient, box: Inbox, payload: dict[str, Any]) -> None:
    """A person's name cannot add lines to a message or to the log, nor be endless."""
    name = "ann\n2026-01-31 ERROR forged\x1b[31m" + "x" * 5000
    send(client, form(payload | {"user": {"id": "U0ANN", "name": name}}))
    (found,) = box.incidents.list()
    assert len(found.incident.quiet_by) < 120
    assert found.incident.quiet_by.isprintable()


def test_huge_request_is_413(client: FlaskClient, box: Inbox, payload: dict[str, Any]) -> None:
    """The limit holds before the signature is computed; a message with a long table is below it."""
    assert send(client, b"payload=" + b"x" * 300_000).status_code == 413
    assert send(client, form(payload | {"message": {"text": "x" * 200_000}})).status_code == 200
    assert state(box) == "acknowledged"


def test_only_forms_by_post(client: FlaskClient, payload: dict[str, Any]) -> None:
    """JSON is 415, every other method 405."""
    body = json.dumps(payload).encode()
    response = send(client, body, signed(body) | {"Content-Type": "application/json"})
    assert (response.status_code, response.mimetype) == (415, "application/problem+json")
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert client.open(PATH, method=method).status_code == 405


def test_without_the_secret_there_is_no_such_page(settings: Settings) -> None:
    """A server whose secret is not set refuses all presses, and names the variable."""
    app = create_app(settings)
    body = form(press_payload(ACKNOWLEDGE, "1 a"))
    for headers in (signed(body), signed(body, secret="x"), {}):
        response = app.test_client().post(PATH, data=body, headers=headers)
        assert (response.status_code, response.mimetype) == (404, "application/problem+json")
        assert "SLACK_SIGNING_SECRET" in response.text
    app.extensions["webhooks"].stop()


def test_unavailable_inbox_is_503(
    client: FlaskClient, box: Inbox, payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A press that cannot be committed is no success: Slack shows the person that it failed."""

    def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(box.presses, "record", fail)
    response = send(client, form(payload))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
