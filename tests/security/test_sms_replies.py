"""Replies by text message: only those that Twilio signed for this address are carried out, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from tests.support.databases import some_event
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.incidents import DestinationPolicy, Policy
from webhooks.services import Services

TOKEN, PUBLIC, PATH = "t" * 32, "https://hooks.example.org/tableau", "/twilio/messages"
FORM = "application/x-www-form-urlencoded"
NUMBER = "+15550100"


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    changes = {"sms_replies": True, "public_url": PUBLIC, "twilio_auth_token": SecretStr(TOKEN)}
    app = create_app(settings.model_copy(update=changes))
    yield app.test_client()
    app.extensions["webhooks"].stop()


@pytest.fixture
def box(client: FlaskClient) -> Inbox:
    """Return an inbox with an open incident that the number was notified of."""
    services: Services = client.application.extensions["webhooks"]
    box = services.inbox
    box.events.receive(some_event(1, "WorkbookRefreshFailed", resource="EXTRACTS"))
    box.events.plan(lambda _: [])
    (incident,) = box.incidents.list()
    destination = f"twilio:{NUMBER}"
    notice = box.notices.register(incident.id, destination, Policy("R", (DestinationPolicy(destination),)))
    box.notices.save(notice, posted={"message": {"kind": "twilio", "channel": NUMBER, "id": "SM1"}}, shown={})
    return box


def form(body: str = "1", number: int = 0, **changes: str) -> dict[str, str]:
    sid = f"SM{number:032x}"
    return {"MessageSid": sid, "From": NUMBER, "To": "+15550199", "Body": body, "AccountSid": "AC1"} | changes


def send(
    client: FlaskClient, fields: dict[str, str], *, url: str = PUBLIC + PATH, token: str = TOKEN, query: str = ""
) -> TestResponse:
    signature = RequestValidator(token).compute_signature(url + query, fields)
    return client.post(
        PATH + query, data=urlencode(fields), headers={"X-Twilio-Signature": signature, "Content-Type": FORM}
    )


def state(box: Inbox) -> str:
    (found,) = box.incidents.list()
    return found.incident.state


def test_signed_reply_is_an_act(client: FlaskClient, box: Inbox) -> None:
    """The response sends nothing, and the act is committed; the same request again is none."""
    responses = [send(client, form()) for _ in range(3)]
    assert [response.status_code for response in responses] == [200] * 3
    assert responses[0].mimetype == "text/xml"
    assert responses[0].text == '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
    (found,) = box.incidents.list()
    assert (found.incident.state, found.incident.quiet_by, len(found.incident.acts)) == ("acknowledged", NUMBER, 1)
    assert len(box.jobs.claim("w", 10, 30, urgent=True)) == 2


def test_address_is_the_public_one(client: FlaskClient, box: Inbox) -> None:
    """Behind a proxy the request has another host and path; what Twilio signed for the public address counts."""
    assert send(client, form(), url=f"http://localhost{PATH}").status_code == 401
    assert send(client, form(), url=f"https://other.example.org{PATH}").status_code == 401
    assert state(box) == "open"
    assert send(client, form(), query="?a=1").status_code == 200
    assert state(box) == "acknowledged"


Send = Callable[[FlaskClient], TestResponse]
FORGERIES: dict[str, Send] = {
    "other account": lambda client: send(client, form(), token="of-another-account"),
    "no signature": lambda client: client.post(PATH, data=urlencode(form()), headers={"Content-Type": FORM}),
    "other body": lambda client: client.post(
        PATH,
        data=urlencode(form("1 all")),
        headers={
            "Content-Type": FORM,
            "X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(PUBLIC + PATH, form()),
        },
    ),
    "letters": lambda client: client.post(
        PATH, data=urlencode(form()), headers={"Content-Type": FORM, "X-Twilio-Signature": "\u00e9"}
    ),
    "no form": lambda client: client.post(PATH, data=b"\xff", headers={"Content-Type": FORM}),
    "many fields": lambda client: client.post(PATH, data=b"a=b&" * 5000, headers={"Content-Type": FORM}),
    "other query": lambda client: client.post(
        f"{PATH}?a=1",
        data=urlencode(form()),
        headers={
            "Content-Type": FORM,
            "X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(PUBLIC + PATH, form()),
        },
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forged_reply_is_401(client: FlaskClient, box: Inbox, forge: Send) -> None:
    """It gets a problem document, is no act, and no one is answered."""
    response = forge(client)
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert TOKEN not in response.text
    assert state(box) == "open"
    assert box.jobs.claim("w", 10, 30, urgent=True) == []


def test_other_requests(client: FlaskClient, box: Inbox) -> None:
    """A signed form that is no message is 400, JSON 415, a huge body 413, every other method 405."""
    assert send(client, {"a": "b"}).status_code == 400
    assert client.post(PATH, json={}).status_code == 415
    assert client.post(PATH, data=b"a" * 70_000, headers={"Content-Type": FORM}).status_code == 413
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert client.open(PATH, method=method).status_code == 405
    assert state(box) == "open"


def test_stop_is_left_to_twilio(client: FlaskClient, box: Inbox) -> None:
    """Twilio has answered what it marks as an opt-out, whatever its word: nothing is acknowledged, no one answered."""
    assert send(client, form("1", OptOutType="STOP")).status_code == 200
    assert send(client, form("Stop", number=1)).status_code == 200
    assert (state(box), box.jobs.claim("w", 10, 30, urgent=True)) == ("open", [])


def test_unavailable_inbox_is_503(client: FlaskClient, box: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that cannot be committed is no success: Twilio records the failure, or uses the fallback address."""

    def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(box.sms_replies, "record", fail)
    response = send(client, form())
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


def test_without_the_setting_there_is_no_such_page(settings: Settings) -> None:
    """A server that does not expect replies refuses all, and names the variable."""
    app = create_app(settings.model_copy(update={"twilio_auth_token": SecretStr(TOKEN), "public_url": PUBLIC}))
    response = send(app.test_client(), form())
    assert (response.status_code, "SMS_REPLIES" in response.text) == (404, True)
    app.extensions["webhooks"].stop()


def test_setting_needs_what_verifies_replies() -> None:
    """Without the auth token or the public address, the server does not start, and names what is missing."""
    with pytest.raises(RuntimeError, match="SMS_REPLIES needs PUBLIC_URL and TWILIO_AUTH_TOKEN"):
        Settings.read(sms_replies=True)
    assert Settings.read(sms_replies=True, public_url=PUBLIC, twilio_auth_token=TOKEN).sms_replies
