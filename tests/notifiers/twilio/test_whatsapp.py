"""WhatsApp templates and reports on deliveries, through Twilio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from notifiers import Link, Message, NotifierError, Receipt, TwilioConfig
from notifiers.twilio import TwilioNotifier
from notifiers.twilio.replies import InvalidReply
from notifiers.twilio.status import parse_status, status_url
from notifiers.twilio.whatsapp import variables
from simulator import Running, running
from tests.notifiers.slack.test_render import MESSAGES

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTENT = "HX0123456789abcdef0123456789abcdef"
POST, LIST = "POST /2010-04-01/Accounts/AC1/Messages.json", "GET /2010-04-01/Accounts/AC1/Messages.json"
TO = "whatsapp:+15550100"
MESSAGE = Message(
    "Sales\n<b>",
    "Disk full\nCall the database team",
    (("Owner", "Ann"), ("Project", "Finance")),
    Link("https://tableau.example/7"),
    status="Failing",
    id="job 7 1.5 notify",
)
CONFIG = TwilioConfig(
    account_sid="AC1",
    auth_token="t" * 32,
    sender="+15550199",
    whatsapp_sender="+15550188",
    whatsapp_content=CONTENT,
)


def twilio(url: str, **changes: Any) -> TwilioNotifier:
    public_url = changes.pop("public_url", "")
    return TwilioNotifier(replace(CONFIG, api_url=url, **changes), clock=lambda: NOW, public_url=public_url)


def test_whatsapp_is_sent_as_a_template(vendor: Any, reply: Any) -> None:
    """Four variables take the place of the text; each is one line."""
    vendor.on(POST, reply({"sid": "SM1", "status": "queued"}, status=201))
    assert twilio(vendor.url).send(MESSAGE, "whatsapp:+1 (555) 01-00") == Receipt(TO, "SM1")
    form = vendor.requests[0].form
    values = {
        "1": "Failing: Sales <b>",
        "2": "Owner: Ann, Project: Finance",
        "3": "Disk full Call the database team",
        "4": "https://tableau.example/7",
    }
    assert json.loads(form.pop("ContentVariables")) == values
    assert form == {"To": TO, "From": "whatsapp:+15550188", "ContentSid": CONTENT}


def test_messaging_service_sends_whatsapp(vendor: Any, reply: Any) -> None:
    """A service is named in another field, without the prefix."""
    vendor.on(POST, reply({"sid": "SM1", "status": "queued"}, status=201))
    twilio(vendor.url, whatsapp_sender="MG" + "0" * 32).send(MESSAGE, TO)
    form = vendor.requests[0].form
    assert (form["MessagingServiceSid"], "From" in form) == ("MG" + "0" * 32, False)


@pytest.mark.parametrize("changes", [{"whatsapp_content": ""}, {"whatsapp_content": "HX1"}, {"whatsapp_sender": ""}])
def test_template_is_required(vendor: Any, changes: dict[str, str]) -> None:
    """Without a template WhatsApp would not show the message; the error says what to set. SMS needs none."""
    with pytest.raises(NotifierError, match=r"TWILIO_WHATSAPP_CONTENT_SID an approved template \(HX…\)") as caught:
        twilio(vendor.url, **changes).send(MESSAGE, TO)
    assert (caught.value.permanent, vendor.requests) == (True, [])


@pytest.mark.parametrize("text", ["whatsapp:", "whatsapp:5550100", "whatsapp:whatsapp:+15550100"])
def test_invalid_number_shows_a_valid_one(text: str) -> None:
    """A rule cannot name it."""
    with pytest.raises(ValueError, match="country code"):
        TwilioNotifier.parse_address(text)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES)
def test_variables_of_any_message_are_valid(message: Message) -> None:
    """No variable is empty, too long or has a new line, which WhatsApp would refuse."""
    values = json.loads(variables(message))
    assert list(values) == ["1", "2", "3", "4"]
    assert all(0 < len(value) <= 255 and value == " ".join(value.split()) for value in values.values())


def test_lost_response_of_a_template_is_looked_up(vendor: Any, reply: Any) -> None:
    """Twilio lists the text of the template, of which the first variable is a part."""
    vendor.on(POST, reply(drop=True))
    created = format_datetime(datetime.now(UTC))
    listed = {"sid": "SM9", "body": "Tableau: Failing: Sales <b> Owner: Ann", "to": TO, "date_created": created}
    vendor.on(LIST, reply({"messages": [listed]}))
    assert twilio(vendor.url).send(MESSAGE, TO) == Receipt(TO, "SM9")


def test_reports_are_asked_for(vendor: Any, reply: Any) -> None:
    """With a public address and the token that signs reports, each message names the address for its reports."""
    vendor.on(POST, reply({"sid": "SM1", "status": "queued"}, status=201))
    for changes in ({"public_url": "https://h.example/x"}, {}, {"public_url": "https://h.example", "auth_token": ""}):
        keys = {"api_key_sid": "SK1", "api_key_secret": "secret-of-the-key"} if "auth_token" in changes else {}
        twilio(vendor.url, **changes, **keys).send(MESSAGE, "+15550100")
    twilio(vendor.url, public_url="https://h.example").send(replace(MESSAGE, id=""), "+15550100")
    found = [request.form.get("StatusCallback") for request in vendor.requests]
    assert found == ["https://h.example/x/twilio/status?message=job%207%201.5%20notify", None, None, None]


def test_address_that_twilio_refuses_is_left_out(vendor: Any, reply: Any) -> None:
    """A message is more important than its report."""
    assert status_url("https://under_score.example", "job 1 ") == ""
    vendor.on(POST, reply({"code": 21609}, status=400), reply({"sid": "SM1", "status": "queued"}, status=201))
    twilio(vendor.url, public_url="http://intranet").send(MESSAGE, "+15550100")
    assert ["StatusCallback" in request.form for request in vendor.requests] == [True, False]


@pytest.mark.parametrize(
    ("changes", "failed", "reason"),
    [
        ({"MessageStatus": "delivered"}, False, ""),
        ({"MessageStatus": "undelivered", "ErrorCode": "30003"}, True, "Twilio: undelivered, 30003 (the phone is unre"),
        ({"MessageStatus": "failed", "ErrorCode": "x" * 9}, True, "Twilio: failed, (no reason given)"),
        ({"To": TO, "MessageStatus": "undelivered", "ErrorCode": "63016"}, True, "Twilio: undelivered, 63016 (outside"),
    ],
)
def test_report_says_what_became_of_a_message(changes: dict[str, str], failed: bool, reason: str) -> None:
    """A failure has Twilio's code and advice."""
    report = parse_status(list({"MessageSid": "SM" + "0" * 32, "To": "+15550100", **changes}.items()))
    assert (report.has_failed, report.reason(NOW)[: len(reason)]) == (failed, reason)


@pytest.mark.parametrize("fields", [{}, {"MessageSid": "x"}, {"MessageStatus": ""}, {"To": "Ann"}])
def test_report_without_its_parts_is_invalid(fields: dict[str, str]) -> None:
    """A form about something else is an error."""
    right = {"MessageSid": "SM" + "0" * 32, "To": "+15550100", "MessageStatus": "sent"}
    with pytest.raises(InvalidReply):
        parse_status(list((right | fields).items()) if fields else [])


@pytest.fixture(scope="module")
def started() -> Iterator[Running]:
    with running() as simulator:
        yield simulator


def test_simulator_shows_templates_only(started: Running) -> None:
    """The simulated WhatsApp takes the template, and refuses variables and templates that it would not show."""
    config, url = started.world.config, f"{started.url}/twilio"
    account = {
        "account_sid": config.twilio_account_sid,
        "auth_token": config.twilio_auth_token,
        "whatsapp_sender": config.twilio_whatsapp_from,
        "whatsapp_content": config.twilio_whatsapp_content_sid,
    }
    twilio(url, **account).send(MESSAGE, TO)
    (sms,) = started.world.twilio.messages
    assert (sms.to, sms.body.splitlines()[0], sms.error_code) == (TO, "Failing: Sales <b>", 0)
    with pytest.raises(NotifierError, match="21655"):
        twilio(url, **{**account, "whatsapp_content": CONTENT}).send(MESSAGE, TO)
