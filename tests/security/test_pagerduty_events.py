"""Reports of PagerDuty: only signed ones count, each once, and only what people do about alerts of this server."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from notifiers import IncidentRef, Message
from notifiers.pagerduty.notifier import dedup_key
from tests.dashboard.conftest import services_of
from tests.support.databases import some_event
from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox, IncidentRecord
from webhooks.incidents import Act, DestinationPolicy, Policy
from webhooks.job import JOINT_ACT

SECRET, OTHER, PATH = "secret-of-the-subscription", "secret-of-another-subscription", "/pagerduty/events"
KEYS = "data=R0123456789ABCDEF0123"


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    secrets = {"pagerduty_webhook_secret": SecretStr(f"{SECRET}, {OTHER}"), "pagerduty_keys": SecretStr(KEYS)}
    app = create_app(settings.model_copy(update=secrets))
    yield app.test_client()
    app.extensions["webhooks"].stop()


@pytest.fixture
def box(client: FlaskClient) -> Inbox:
    """Return an inbox with two open incidents, each with an alert in PagerDuty."""
    box = services_of(client).inbox
    for number in (1, 2):
        luid = f"00000000-0000-4000-8000-{number:012}"
        box.events.receive(some_event(number, "WorkbookRefreshFailed", resource="EXTRACTS", resource_luid=luid))
    box.events.plan(lambda _: [])
    for record in box.incidents.list():
        notice = box.notices.register(record.id, "pagerduty:data", Policy("R", (DestinationPolicy("pagerduty:data"),)))
        message = {"kind": "pagerduty", "channel": "data", "id": alert_of(record)}
        box.notices.save(notice, posted={"message": message}, shown={})
    return box


def alert_of(record: IncidentRecord) -> str:
    return dedup_key(Message("x", incident=IncidentRef(record.incident.id, "open", "x")))


def event(alert: str, event_type: str = "incident.acknowledged", **changes: Any) -> dict[str, Any]:
    agent = {"id": "PLH1HKV", "summary": "Ann Okafor", "type": "user_reference"}
    data = {"id": "PGR0VU2", "type": "incident", "status": "acknowledged", "incident_key": alert}
    fields = {"id": "01BRB6ZP4M6T8ZG4X6BP63ZB9O", "event_type": event_type, "resource_type": "incident"}
    fields |= {"occurred_at": utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    return fields | {"agent": agent, "client": {"name": "PagerDuty"}, "data": data} | changes


def send(client: FlaskClient, body: Any, *, secret: str = SECRET, header: str | None = None) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps({"event": body}).encode()
    signature = "v1=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return client.post(PATH, data=raw, headers={"X-PagerDuty-Signature": signature if header is None else header})


def acts(box: Inbox) -> list[tuple[int, str, str]]:
    """Return the acts after their jobs, by incident."""
    for job in box.jobs.claim("me", 10, 900):
        if job.handler == JOINT_ACT:
            box.incidents.acted(job.params["incidents"], cause=f"joint act {job.id}")
    records = [box.incidents.get(record.id) for record in box.incidents.list()]
    return sorted((record.id, act.kind, act.by) for record in records for act in record.incident.acts)


def test_acknowledgement_counts_once(client: FlaskClient, box: Inbox) -> None:
    """The incident of the alert is acknowledged by that person, however often PagerDuty reports it."""
    first, second = sorted(box.incidents.list(), key=lambda one: one.id)
    for _ in range(3):
        assert send(client, event(alert_of(first))).status_code == 204
    assert acts(box) == [(first.id, "acknowledge", "Ann Okafor (PagerDuty)")]
    assert [box.incidents.get(one.id).incident.state for one in (first, second)] == ["acknowledged", "open"]
    (row,) = box.audit.list()
    assert (row.act, row.by, row.origin) == ("acknowledge", "Ann Okafor (PagerDuty)", "PagerDuty")
    # The signature of each subscription is valid, and one of several of a request is enough.
    raw = json.dumps({"event": event(alert_of(second), id="B")}).encode()
    valid = hmac.new(OTHER.encode(), raw, hashlib.sha256).hexdigest()
    assert send(client, raw, header=f"v1={'0' * 64},v1={valid}").status_code == 204
    assert len(acts(box)) == 2


def test_resolution_leaves_the_incident_open(client: FlaskClient, box: Inbox) -> None:
    """It fails until it has recovered: a resolution is an acknowledgement, and says so in the audit log."""
    record = box.incidents.list()[0]
    assert send(client, event(alert_of(record), "incident.resolved")).status_code == 204
    assert [kind for _, kind, _ in acts(box)] == ["acknowledge"]
    incident = box.incidents.get(record.id).incident
    assert (incident.state, incident.closed_at) == ("acknowledged", None)
    assert "Resolved in PagerDuty." in box.audit.list()[0].details


def test_what_has_no_person_or_no_alert_changes_nothing(client: FlaskClient, box: Inbox) -> None:
    """Our own acknowledgements, rules and timeouts, other services, test requests and closed incidents: 204, no act."""
    first, second = box.incidents.list()
    alert = alert_of(first)
    service = {"id": "P1", "summary": "Events API v2", "type": "inbound_integration_reference"}
    box.incidents.act(second.id, Act("", "close", "", utc_now(), "Ben"))
    for number, one in enumerate(
        (
            event(alert, agent=service),
            event(alert, agent=None),
            event(alert, agent="Ann"),
            event(alert, "incident.unacknowledged"),
            event(alert, "incident.triggered"),
            event("d3640fbd41094207a1c11e58e46b1662"),
            event("message"),
            event("%"),
            event("tableau-webhooks-" + "0" * 40),
            event(alert_of(second)),
            event(alert, data=None),
            event(alert, data={"incident_key": None}),
            event("", "pagey.ping", data={"message": "Hello from your friend Pagey!", "type": "ping"}),
        )
    ):
        assert send(client, one | {"id": f"E{number}"}).status_code == 204, one
    assert [kind for _, kind, _ in acts(box)] == ["close"]


def test_forged_replayed_and_malformed_reports_are_refused(client: FlaskClient, box: Inbox) -> None:
    """Another secret, a changed body, no signature, another version, an old event: 401; no event: 400; and no act."""
    alert = alert_of(box.incidents.list()[0])
    raw = json.dumps({"event": event(alert)}).encode()
    valid = "v1=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
    assert send(client, event(alert), secret="x" * 26).status_code == 401
    for header in ("", "v1=", "v1", ",", valid.replace("v1", "v0"), valid.removeprefix("v1="), valid[:-1], "v1=é" * 9):
        assert send(client, raw, header=header).status_code == 401, header
    assert send(client, raw + b" ", header=valid).status_code == 401
    assert send(client, raw.replace(b"Ann", b"Eve"), header=valid).status_code == 401
    assert client.post(PATH, data=raw).status_code == 401
    old = (utc_now() - timedelta(minutes=61)).isoformat()
    assert send(client, event(alert, occurred_at=old)).status_code == 401
    malformed = [b"", b"[]", b"\xff", b"{}", b'{"event": 1}', b"[" * 9999, b'{"event": {"id": 1}}']
    wrong = [{"id": 7}, {"id": "x" * 200}, {"event_type": 7}, {"occurred_at": "yesterday"}, {"occurred_at": 7}]
    for body in [*malformed, *(event(alert, **one) for one in wrong)]:
        assert send(client, body).status_code == 400, body
    assert client.get(PATH).status_code == 405
    assert send(client, b"x" * 70_000).status_code == 413
    assert acts(box) == []


def test_names_of_people_are_shown_as_text(client: FlaskClient, box: Inbox) -> None:
    """A name is on one line of at most 80 characters; without one the id counts."""
    first, second = sorted(box.incidents.list(), key=lambda one: one.id)
    agent = {"id": "P1", "type": "user_reference", "summary": "<!channel>\n\u202e" + "x" * 300}
    assert send(client, event(alert_of(first), agent=agent)).status_code == 204
    assert send(client, event(alert_of(second), id="B", agent=agent | {"summary": None})).status_code == 204
    (_, _, long), (_, _, short) = acts(box)
    assert (len(long), long[:12], short) == (80 + len(" (PagerDuty)"), "<!channel> x", "P1 (PagerDuty)")


def test_without_the_secret_there_is_no_endpoint(settings: Settings) -> None:
    """A server that cannot verify reports takes none."""
    app = create_app(settings)
    assert app.test_client().post(PATH, data=b"").status_code == 404
    app.extensions["webhooks"].stop()


def test_secrets_are_masked(client: FlaskClient) -> None:
    """Each of several secrets is among those that no log and no message shows."""
    assert {SECRET, OTHER} <= set(services_of(client).settings.secrets())


def test_pagerduty_is_asked_to_come_again(client: FlaskClient, box: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be stored gets 503."""

    def fail(*_: object, **__: object) -> int:
        raise StoreUnavailable("away")

    monkeypatch.setattr(box.presses, "record_alert", fail)
    response = send(client, event(alert_of(box.incidents.list()[0])))
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)
