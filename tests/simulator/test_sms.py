"""Twilio's Messages resource: accounts, senders, pages, segments, callbacks."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import twilio.rest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from simulator import Config, Running, running
from simulator.config import utc_now
from simulator.twilio.account import Sms

NUMBERS = {"to": "+15550100", "from_": "+15005550006"}


def test_wrong_token_is_20003(simulator: Running, sms: twilio.rest.Client) -> None:
    """The status is 401, with the code of a failed authentication."""
    sms.auth = (sms.username, "wrong")
    with pytest.raises(TwilioRestException) as refused:
        sms.messages.create(**NUMBERS, body="x")
    assert (refused.value.code, refused.value.status) == (20003, 401)
    assert simulator.world.twilio.messages == []


def test_other_account_is_20404(simulator: Running) -> None:
    """The account in the address must be that of the credentials."""
    config = simulator.world.config
    address = f"{simulator.url}/twilio/2010-04-01/Accounts/AC{'9' * 32}/Messages.json"
    response = requests.post(address, auth=(config.twilio_account_sid, config.twilio_auth_token), timeout=30)
    assert (response.status_code, response.json()["code"]) == (404, 20404)


def test_messaging_service_sends_without_a_number(sms: twilio.rest.Client) -> None:
    """The message is accepted first, before its segments are counted."""
    sent = sms.messages.create(to="+15550100", messaging_service_sid="MG" + "0" * 32, body="x")
    assert (sent.status, sent.num_segments) == ("accepted", "0")
    with pytest.raises(TwilioRestException, match="does not exist"):
        sms.messages.create(to="+15550100", messaging_service_sid="MGx", body="x")


def test_trial_account_sends_to_verified_numbers_only() -> None:
    """Other numbers are refused with 21608."""
    with running(Config(twilio_verified=frozenset({"+15550100"}))) as simulator:
        config = simulator.world.config
        client = twilio.rest.Client(config.twilio_account_sid, config.twilio_auth_token)
        client.api.base_url = f"{simulator.url}/twilio"
        client.messages.create(**NUMBERS, body="x")
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to="+15550111", from_="+15005550006", body="x")
        client.http_client.session.close()
    assert refused.value.code == 21608


def test_list_has_pages(sms: twilio.rest.Client) -> None:
    """Twilio's client follows the pages to the end."""
    for number in range(5):
        sms.messages.create(**NUMBERS, body=str(number))
    assert [message.body for message in sms.messages.list(page_size=2)] == ["4", "3", "2", "1", "0"]
    today = utc_now().date()
    assert len(sms.messages.list(date_sent_after=today)) == 5
    assert sms.messages.list(from_="+15550000") == []


@pytest.mark.parametrize(
    ("body", "segments"),
    [
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("😀" * 36, 2),
    ],
)
def test_segments_are_counted(body: str, segments: int) -> None:
    """A segment has 160 characters of the GSM alphabet or 70 others, and fewer if there are several."""
    assert Sms("SM1", "+1", "+2", "", body, utc_now()).segments == segments


def test_status_callback_is_signed(receiver: Any) -> None:
    """Sent and delivered are reported, with a signature that Twilio's own validator accepts."""
    with running(Config(sms_seconds=0.01)) as simulator:
        config = simulator.world.config
        client = twilio.rest.Client(config.twilio_account_sid, config.twilio_auth_token)
        client.api.base_url = f"{simulator.url}/twilio"
        sent = client.messages.create(**NUMBERS, body="x", status_callback=receiver.url)
        assert simulator.world.timer.settle(60)
        client.http_client.session.close()
    forms = [{name: values[0] for name, values in parse_qs(body.decode()).items()} for _, _, body in receiver.requests]
    assert sorted(form["MessageStatus"] for form in forms) == ["delivered", "sent"]
    assert {form["MessageSid"] for form in forms} == {sent.sid}
    validator = RequestValidator(config.twilio_auth_token)
    assert all(
        validator.validate(receiver.url, form, headers["X-Twilio-Signature"])
        for form, (_, headers, _) in zip(forms, receiver.requests, strict=True)
    )


def test_message_is_not_delivered(receiver: Any) -> None:
    """With the fault, a message is accepted like any other, and its status and callback later have Twilio's code."""
    with running(Config(sms_seconds=0.01)) as simulator:
        config = simulator.world.config
        client = twilio.rest.Client(config.twilio_account_sid, config.twilio_auth_token)
        client.api.base_url = f"{simulator.url}/twilio"
        fault = {"kind": "undelivered", "target": "twilio", "code": "30007", "times": 1}
        assert requests.post(f"{simulator.url}/simulator/faults", json=fault, timeout=30).status_code == 201
        # A lookup does not use the fault up.
        assert client.messages.list() == []
        first = client.messages.create(**NUMBERS, body="x", status_callback=receiver.url)
        second = client.messages.create(**NUMBERS, body="y")
        assert (first.status, first.error_code) == ("queued", None)
        assert simulator.world.timer.settle(60)
        found = {sms.sid: (sms.status, sms.error_code) for sms in client.messages.list()}
        client.http_client.session.close()
    assert found[first.sid] == ("undelivered", 30007)
    assert found[second.sid][1] is None
    forms = [parse_qs(body.decode()) for _, _, body in receiver.requests]
    assert {form["MessageStatus"][0]: form.get("ErrorCode") for form in forms} == {
        "sent": None,
        "undelivered": ["30007"],
    }


def test_api_key_is_accepted() -> None:
    """A key of the account authenticates in place of its token, if one is configured."""
    with running(Config(twilio_api_key_sid="SK" + "1" * 32, twilio_api_key_secret="key-secret")) as simulator:
        config = simulator.world.config
        address = f"{simulator.url}/twilio/2010-04-01/Accounts/{config.twilio_account_sid}/Messages.json"
        for secret, status in (("key-secret", 200), ("wrong", 401)):
            assert requests.get(address, auth=(config.twilio_api_key_sid, secret), timeout=30).status_code == status
        assert simulator.environment["TWILIO_API_KEY_SID"] == config.twilio_api_key_sid
    assert "TWILIO_API_KEY_SID" not in Config().environment("http://127.0.0.1:1")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/Accounts/x/Nothing.json", 404), ("DELETE", "", 405)])
def test_unknown_address_is_json(method: str, path: str, status: int, simulator: Running) -> None:
    """Twilio's errors are JSON, also for an unknown address or method."""
    account = f"{simulator.url}/twilio/2010-04-01"
    url = f"{account}{path}" if path else f"{account}/Accounts/x/Messages.json"
    response = requests.request(method, url, timeout=30)
    assert (response.status_code, response.json()["status"]) == (status, status)


def test_reply_is_signed(control: Any, receiver: Any) -> None:
    """Twilio's own validator accepts the request of a reply, with the form of a received message."""
    control("POST", "settings", {"twilio_messages_url": f"{receiver.url}/twilio/messages"})
    replied = control("POST", "sms/replies", {"from": "+15550100", "body": "1"})
    assert (replied["status"], replied["error"]) == (200, "")
    _, headers, body = receiver.requests[-1]
    form = {name: value for name, (value,) in parse_qs(body.decode(), keep_blank_values=True).items()}
    assert (form["From"], form["Body"], form["MessageSid"]) == ("+15550100", "1", replied["sid"])
    validator = RequestValidator(Config().twilio_auth_token)
    assert validator.validate(f"{receiver.url}/twilio/messages", form, headers["X-Twilio-Signature"])
    assert control("GET", "messages")["sms"][-1]["status"] == "received"
    assert "from is missing" in control("POST", "sms/replies", {}, status=400)["error"]
