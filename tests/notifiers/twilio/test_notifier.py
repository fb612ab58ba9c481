"""The Twilio notifier against a small server that responds like Twilio."""

from __future__ import annotations

import logging
import traceback
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from notifiers import Message, NotifierError, Picture, Receipt, TwilioConfig
from notifiers.transport import Response
from notifiers.twilio import TwilioNotifier
from notifiers.twilio.errors import refusal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = "auth-token-not-to-be-seen"
SENT = {"sid": "SM1", "status": "queued"}
MESSAGE = Message("Refresh failed: Sales", "Login refused.", (("Owner", "Ann"),))
BODY = "Refresh failed: Sales\nLogin refused.\nOwner: Ann"
NUMBER = "+15550100"
POST, LIST = "POST /2010-04-01/Accounts/AC1/Messages.json", "GET /2010-04-01/Accounts/AC1/Messages.json"


def config(url: str, **changes: str) -> TwilioConfig:
    values: dict[str, Any] = {"account_sid": "AC1", "auth_token": SECRET, "sender": "+15550199", "api_url": url}
    return TwilioConfig(**{**values, **changes})


@pytest.fixture
def twilio(vendor: Any) -> TwilioNotifier:
    """Return a notifier whose Twilio is the vendor."""
    return TwilioNotifier(config(vendor.url), clock=lambda: NOW)


def listed(body: str, *, age: float = 0, **changes: Any) -> dict[str, Any]:
    """Return a list with one message that was created `age` seconds ago."""
    created = format_datetime(datetime.now(UTC) - timedelta(seconds=age))
    return {"messages": [{"sid": "SM9", "body": body, "to": NUMBER, "date_created": created, **changes}]}


def test_send_posts_a_form_with_basic_auth(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """The Messages call with number, sender and body; the receipt has the number and the message's SID."""
    vendor.on(POST, reply(SENT, status=201))
    assert twilio.send(MESSAGE, NUMBER) == Receipt(NUMBER, "SM1")
    (request,) = vendor.requests
    assert request.form == {"To": NUMBER, "From": "+15550199", "Body": BODY}
    assert b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode() == f"AC1:{SECRET}"


def test_send_through_a_messaging_service(vendor: Any, reply: Any) -> None:
    """A sender that starts with MG is a messaging service; a slash at the end of the address does not matter."""
    vendor.on(POST, reply(SENT, status=201))
    TwilioNotifier(config(f"{vendor.url}/", sender="MG5", to="+1 (555) 01-00")).send(MESSAGE, None)
    assert vendor.requests[0].form == {"To": NUMBER, "MessagingServiceSid": "MG5", "Body": BODY}


@pytest.mark.parametrize(
    ("status", "code", "permanent", "words"),
    [
        (400, 21211, True, "21211 (not a valid number)"),
        (400, 21614, True, "21614 (not a mobile number)"),
        (400, 21610, True, "21610 (this person has opted out"),
        (400, 21608, True, "21608 (a trial account"),
        (400, 99999, True, "99999 (said so)"),
        (401, 20003, True, "20003 (the credentials do not match; check TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN"),
        (429, 20429, False, "20429"),
        (400, 21611, False, "21611"),
        (400, 14107, False, "14107"),
        (400, 30001, False, "30001"),
        (400, 63038, False, "63038 (the account has reached its daily limit"),
        (400, 63018, False, "63018 (the WhatsApp sender has reached its limit"),
        (429, None, False, "status 429"),
        (404, None, True, "status 404"),
        (302, None, True, "TWILIO_API_URL"),
        (500, None, False, "status 500"),
        (503, 20500, False, "20500"),
        (400, ["odd"], True, "status 400"),
    ],
)
def test_refusal_knows_what_is_final(status: int, code: Any, permanent: bool, words: str) -> None:
    """Invalid and opted-out numbers and wrong credentials are permanent; rate limits and server errors are not."""
    body = b"{}" if code is None else b'{"code": %s, "message": "said so"}' % str(code).replace("'", '"').encode()
    error = refusal(Response(status, {"retry-after": "7"}, body), NOW)
    assert words in str(error)
    assert error.permanent is permanent
    assert error.retry_at == (None if permanent else NOW + timedelta(seconds=7))
    assert (error.uncertain, error.status) == (False, status)


def test_refused_number_is_asked_once(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """A refusal is not looked up and not repeated."""
    vendor.on(POST, reply({"code": 21211, "message": "x"}, status=400))
    with pytest.raises(NotifierError, match="21211") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert caught.value.permanent
    assert len(vendor.requests) == 1


def test_rate_limit_says_when_to_come_back(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """A 429 was not processed, says Twilio, so a retry is safe."""
    vendor.on(POST, reply({"code": 20429, "message": "x"}, 429, {"Retry-After": "3"}))
    with pytest.raises(NotifierError) as caught:
        twilio.send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    assert caught.value.retry_at == NOW + timedelta(seconds=3)


def test_refused_connection_was_not_sent(refusing_url: str) -> None:
    """Nothing was sent, so a retry is safe."""
    with pytest.raises(NotifierError, match="cannot be reached") as caught:
        TwilioNotifier(config(refusing_url)).send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (False, False, False)


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    ("trouble", "prefix"),
    [
        ({"hang": True}, ""),
        ({"drop": True}, ""),
        ({"drop": True}, "Sent from your Twilio trial account - "),
        ({"body": b"<html>", "status": 201}, ""),
    ],
)
def test_lost_response_is_looked_up(
    twilio: TwilioNotifier, vendor: Any, reply: Any, trouble: dict[str, Any], prefix: str
) -> None:
    """Twilio has the message although its response was lost: it was sent, once."""
    vendor.on(POST, reply(**trouble))
    vendor.on(LIST, reply(listed(prefix + BODY)))
    assert twilio.send(MESSAGE, NUMBER) == Receipt(NUMBER, "SM9")
    assert [request.method for request in vendor.requests] == ["POST", "GET"]
    assert vendor.requests[1].query["To"] == NUMBER


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    "response",
    [
        {"body": {"messages": []}},
        {"body": {}},
        {"body": {"messages": [None, 3, {}]}},
        {"body": listed("another text")},
        {"body": listed(BODY, age=60)},
        {"body": listed(BODY, date_created=None)},
        {"body": listed(BODY, date_created="yesterday")},
        {"body": b"<html>"},
        {"status": 500},
        {"hang": True},
    ],
)
def test_lost_response_that_is_not_found_is_not_repeated(
    twilio: TwilioNotifier, vendor: Any, reply: Any, response: dict[str, Any]
) -> None:
    """It may have been sent: permanent, uncertain, and the error says what to do. An older message does not count."""
    vendor.on(POST, reply(drop=True))
    vendor.on(LIST, reply(**response))
    with pytest.raises(NotifierError, match=r"may have been sent and is not repeated\. Replay") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.uncertain) == (True, True)
    assert [request.method for request in vendor.requests] == ["POST", "GET"]


def test_lost_response_is_looked_up_by_the_clock_of_twilio(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """The notifier's clock is years off in these tests; the Date of the list's response counts."""
    vendor.on(POST, reply(drop=True))
    vendor.on(LIST, reply(listed(BODY, age=1)))
    assert twilio.send(MESSAGE, NUMBER).id == "SM9"


def test_server_error_is_looked_up_and_then_retried(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """A gateway may fail after Twilio took the message; if Twilio does not have it, the job is retried."""
    vendor.on(POST, reply(status=504))
    vendor.on(LIST, reply({"messages": []}), reply(listed(BODY)))
    with pytest.raises(NotifierError, match="504") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert not caught.value.permanent
    assert twilio.send(MESSAGE, NUMBER).id == "SM9"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"account_sid": ""}, "TWILIO_ACCOUNT_SID is not set"),
        ({"auth_token": "", "sender": ""}, "TWILIO_FROM, TWILIO_AUTH_TOKEN are not set"),
    ],
)
def test_missing_settings_are_named(missing: dict[str, Any], words: str, refusing_url: str) -> None:
    """Used without being configured: a permanent error that says what to set."""
    with pytest.raises(NotifierError, match=words) as caught:
        TwilioNotifier(config(refusing_url, **missing)).send(MESSAGE, NUMBER)
    assert caught.value.permanent


@pytest.mark.parametrize(("to", "words"), [(None, "TWILIO_TO"), ("5550100", "country code")])
def test_missing_or_invalid_number_is_permanent(
    twilio: TwilioNotifier, vendor: Any, to: str | None, words: str
) -> None:
    """Twilio is not called."""
    with pytest.raises(NotifierError, match=words) as caught:
        twilio.send(MESSAGE, to)
    assert caught.value.permanent
    assert vendor.requests == []


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(
    "response", [{"body": {"code": 20003, "message": f"no {SECRET}"}, "status": 401}, {"hang": True}, {"drop": True}]
)
def test_auth_token_is_in_no_error_and_no_log(
    twilio: TwilioNotifier, vendor: Any, reply: Any, caplog: pytest.LogCaptureFixture, response: dict[str, Any]
) -> None:
    """Neither the message, nor the chained errors, nor any log line down to DEBUG shows it."""
    caplog.set_level(logging.DEBUG)
    vendor.on("/Messages.json", reply(**response))
    with pytest.raises(NotifierError) as caught:
        twilio.send(MESSAGE, NUMBER)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text + repr(config("x"))


def test_check_tries_the_credentials(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """The message log is read, nothing is sent; wrong credentials are an error."""
    vendor.on(LIST, reply({"messages": []}), reply({"code": 20003}, status=401))
    assert twilio.check() == "Twilio: account AC1, sending from +15550199"
    with pytest.raises(NotifierError, match="20003"):
        twilio.check()
    assert {request.method for request in vendor.requests} == {"GET"}


def test_attach_does_nothing(twilio: TwilioNotifier, vendor: Any) -> None:
    """An SMS has no pictures, and adding one raises no error."""
    twilio.attach(Picture(b"x", "x.png"), Receipt(NUMBER, "SM1"))
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("status", "code", "wait"),
    [
        (429, None, timedelta(minutes=1)),
        (429, 20429, timedelta(minutes=1)),
        (400, 30001, timedelta(minutes=1)),
        *((400, code, timedelta(minutes=1)) for code in (30022, 63017)),
        *((400, code, timedelta(hours=1)) for code in (63038, 63018, 30017, 30023, 30027)),
    ],
)
def test_rate_limit_without_retry_after_names_a_time_as_well(status: int, code: int | None, wait: timedelta) -> None:
    """A rate limit always says when to retry, because a wait with a time costs no attempt."""
    body = b"{}" if code is None else b'{"code": %d}' % code
    assert refusal(Response(status, {}, body), NOW).retry_at == NOW + wait


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"status": "failed", "error_code": 30034}, r"failed, 30034 \(the US sender is not registered"),
        ({"status": "undelivered", "error_code": 30007}, r"undelivered, 30007 \(filtered by the carrier"),
        ({"status": "failed", "error_code": 1, "error_message": "said so"}, r"failed, 1 \(said so\)"),
        ({"status": "canceled"}, r"canceled, \(no reason given\)"),
    ],
)
def test_accepted_message_that_has_failed_is_no_success(
    twilio: TwilioNotifier, vendor: Any, reply: Any, response: dict[str, Any], words: str
) -> None:
    """Twilio responds with 201 for a message that it could not send; the error has its reason and advice."""
    vendor.on(POST, reply({"sid": "SM1", **response}, status=201))
    with pytest.raises(NotifierError, match=rf"Could not deliver to twilio:\+15550100\. Twilio: {words}") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.uncertain) == (True, False)
    assert len(vendor.requests) == 1


def test_message_that_met_a_full_queue_is_retried(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """A message that failed because of a limit is sent again later."""
    vendor.on(POST, reply({"sid": "SM1", "status": "failed", "error_code": 30001}, status=201))
    with pytest.raises(NotifierError, match="30001") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.retry_at) == (False, NOW + timedelta(minutes=1))


def test_delivery_can_be_looked_up(twilio: TwilioNotifier, vendor: Any, reply: Any) -> None:
    """A message is delivered, or still on its way, or undelivered for a reason; a failed lookup raises its error."""
    states = ["queued", "sent", "delivered"]
    failed = {"status": "undelivered", "error_code": 30003}
    vendor.on("GET /2010-04-01/Accounts/AC1/Messages/SM1.json", *(reply({"status": s}) for s in states), reply(failed))
    receipt = Receipt(NUMBER, "SM1")
    assert [twilio.is_delivered(receipt) for _ in states] == [False, False, True]
    with pytest.raises(
        NotifierError, match=r"twilio:\+15550100\. Twilio: undelivered, 30003 \(the phone is unreachable"
    ):
        twilio.is_delivered(receipt)


def test_api_key_takes_the_place_of_the_auth_token(vendor: Any, reply: Any) -> None:
    """An API key signs in, for the account in the address; without its secret the error names the variable."""
    vendor.on(POST, reply(SENT, status=201))
    keyed = config(vendor.url, auth_token="", api_key_sid="SK1", api_key_secret="key-secret")
    assert keyed.missing() == []
    TwilioNotifier(keyed).send(MESSAGE, NUMBER)
    assert b64decode(vendor.requests[0].headers["Authorization"].removeprefix("Basic ")).decode() == "SK1:key-secret"
    assert config(vendor.url, auth_token="", api_key_sid="SK1").missing() == ["TWILIO_API_KEY_SECRET"]
    assert "key-secret" not in repr(keyed)


@pytest.mark.parametrize(("sid", "hint"), [("SK1", "put an API key into TWILIO_API_KEY_SID"), ("xx", "starts with AC")])
def test_account_that_is_none_is_permanent(vendor: Any, sid: str, hint: str) -> None:
    """An API key in the wrong variable gets advice before Twilio is called."""
    with pytest.raises(NotifierError, match=hint) as caught:
        TwilioNotifier(config(vendor.url, account_sid=sid)).send(MESSAGE, NUMBER)
    assert caught.value.permanent
    assert vendor.requests == []


def test_error_names_the_variable_of_the_default_number(vendor: Any, reply: Any) -> None:
    """The error shows which number failed and where it was configured."""
    vendor.on(POST, reply({"code": 21211}, status=400))
    with pytest.raises(NotifierError, match=r"Could not deliver to twilio:\+15550100 \(TWILIO_TO\)\. Twilio: 21211"):
        TwilioNotifier(config(vendor.url, to=NUMBER)).send(MESSAGE, None)
