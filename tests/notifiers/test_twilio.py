"""The Twilio notifier against a small server that answers like Twilio."""

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


def config(url: str, **changes: str | None) -> TwilioConfig:
    values: dict[str, Any] = {"account_sid": "AC1", "auth_token": SECRET, "sender": "+15550199", "api_url": url}
    return TwilioConfig(**{**values, **changes})


@pytest.fixture
def twilio(vendor: Any) -> TwilioNotifier:
    """A notifier whose Twilio is the vendor."""
    return TwilioNotifier(config(vendor.url), clock=lambda: NOW)


def listed(body: str, *, age: float = 0, **changes: Any) -> dict[str, Any]:
    """A list with one message that was created `age` seconds ago."""
    created = format_datetime(datetime.now(UTC) - timedelta(seconds=age))
    return {"messages": [{"sid": "SM9", "body": body, "to": NUMBER, "date_created": created, **changes}]}


def test_send_posts_a_form_with_basic_auth(twilio: TwilioNotifier, vendor: Any, says: Any) -> None:
    """The Messages call with number, sender and body; the receipt has the number and the message's SID."""
    vendor.on(POST, says(SENT, status=201))
    assert twilio.send(MESSAGE, NUMBER) == Receipt(NUMBER, "SM1")
    (asked,) = vendor.asked
    assert asked.form == {"To": NUMBER, "From": "+15550199", "Body": BODY}
    assert b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode() == f"AC1:{SECRET}"


def test_send_through_a_messaging_service(vendor: Any, says: Any) -> None:
    """A sender that begins MG is a messaging service; a slash after the address does not hurt."""
    vendor.on(POST, says(SENT, status=201))
    TwilioNotifier(config(f"{vendor.url}/", sender="MG5", to="+1 (555) 01-00")).send(MESSAGE, None)
    assert vendor.asked[0].form == {"To": NUMBER, "MessagingServiceSid": "MG5", "Body": BODY}


@pytest.mark.parametrize(
    ("status", "code", "permanent", "words"),
    [
        (400, 21211, True, "21211 not a valid number"),
        (400, 21614, True, "21614 not a mobile number"),
        (400, 21610, True, "21610 this person has opted out"),
        (400, 21608, True, "21608 a trial account"),
        (400, 99999, True, "99999 said so"),
        (401, 20003, True, "20003 TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
        (429, 20429, False, "20429"),
        (400, 21611, False, "21611"),
        (429, None, False, "status 429"),
        (404, None, True, "status 404"),
        (302, None, True, "TWILIO_API_URL"),
        (500, None, False, "status 500"),
        (503, 20500, False, "20500"),
        (400, ["odd"], True, "status 400"),
    ],
)
def test_refusal_knows_what_is_final(status: int, code: Any, permanent: bool, words: str) -> None:
    """Bad and opted-out numbers and wrong credentials are final; load and server trouble pass."""
    body = b"{}" if code is None else b'{"code": %s, "message": "said so"}' % str(code).replace("'", '"').encode()
    error = refusal(Response(status, {"retry-after": "7"}, body), NOW)
    assert words in str(error)
    assert error.permanent is permanent
    assert error.retry_at == (None if permanent else NOW + timedelta(seconds=7))
    assert (error.uncertain, error.status) == (False, status)


def test_refused_number_is_asked_once(twilio: TwilioNotifier, vendor: Any, says: Any) -> None:
    """A clear no is not looked up and not repeated."""
    vendor.on(POST, says({"code": 21211, "message": "x"}, status=400))
    with pytest.raises(NotifierError, match="21211") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert caught.value.permanent
    assert len(vendor.asked) == 1


def test_rate_limit_says_when_to_come_back(twilio: TwilioNotifier, vendor: Any, says: Any) -> None:
    """429 was not processed, says Twilio, so it is safe to come back."""
    vendor.on(POST, says({"code": 20429, "message": "x"}, 429, {"Retry-After": "3"}))
    with pytest.raises(NotifierError) as caught:
        twilio.send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    assert caught.value.retry_at == NOW + timedelta(seconds=3)


def test_refused_connection_may_be_tried_again(nobody: str) -> None:
    """Nothing was sent."""
    with pytest.raises(NotifierError, match="cannot be reached") as caught:
        TwilioNotifier(config(nobody)).send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("trouble", "prefix"),
    [
        ({"hang": True}, ""),
        ({"drop": True}, ""),
        ({"drop": True}, "Sent from your Twilio trial account - "),
        ({"body": b"<html>", "status": 201}, ""),
    ],
)
def test_lost_answer_is_looked_up(
    twilio: TwilioNotifier, vendor: Any, says: Any, trouble: dict[str, Any], prefix: str
) -> None:
    """Twilio has the message although it did not tell us: it was sent, once."""
    vendor.on(POST, says(**trouble))
    vendor.on(LIST, says(listed(prefix + BODY)))
    assert twilio.send(MESSAGE, NUMBER) == Receipt(NUMBER, "SM9")
    assert [asked.method for asked in vendor.asked] == ["POST", "GET"]
    assert vendor.asked[1].query["To"] == NUMBER


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "answer",
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
def test_lost_answer_that_is_not_found_is_not_repeated(
    twilio: TwilioNotifier, vendor: Any, says: Any, answer: dict[str, Any]
) -> None:
    """It may have been sent: final, uncertain, with words that say what to do. An older message does not count."""
    vendor.on(POST, says(drop=True))
    vendor.on(LIST, says(**answer))
    with pytest.raises(NotifierError, match=r"may have been sent; it is not repeated\. Replay") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert (caught.value.permanent, caught.value.uncertain) == (True, True)
    assert [asked.method for asked in vendor.asked] == ["POST", "GET"]


def test_lost_answer_is_judged_by_the_clock_of_twilio(twilio: TwilioNotifier, vendor: Any, says: Any) -> None:
    """The notifier's clock is years off in these tests; the Date of the list's answer is what counts."""
    vendor.on(POST, says(drop=True))
    vendor.on(LIST, says(listed(BODY, age=1)))
    assert twilio.send(MESSAGE, NUMBER).id == "SM9"


def test_server_error_is_looked_up_and_then_tried_again(twilio: TwilioNotifier, vendor: Any, says: Any) -> None:
    """A gateway may fail after Twilio took the message; if Twilio has it not, the job comes back."""
    vendor.on(POST, says(status=504))
    vendor.on(LIST, says({"messages": []}), says(listed(BODY)))
    with pytest.raises(NotifierError, match="504") as caught:
        twilio.send(MESSAGE, NUMBER)
    assert not caught.value.permanent
    assert twilio.send(MESSAGE, NUMBER).id == "SM9"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"account_sid": None}, "TWILIO_ACCOUNT_SID is not set"),
        ({"auth_token": "", "sender": None}, "TWILIO_AUTH_TOKEN, TWILIO_FROM are not set"),
    ],
)
def test_missing_settings_are_named(missing: dict[str, Any], words: str, nobody: str) -> None:
    """Asked for and not set up: a permanent error that says what to set."""
    with pytest.raises(NotifierError, match=words) as caught:
        TwilioNotifier(config(nobody, **missing)).send(MESSAGE, NUMBER)
    assert caught.value.permanent


@pytest.mark.parametrize(("to", "words"), [(None, "TWILIO_TO"), ("5550100", "country code")])
def test_missing_or_odd_number_is_permanent(twilio: TwilioNotifier, vendor: Any, to: str | None, words: str) -> None:
    """Nothing is asked of Twilio."""
    with pytest.raises(NotifierError, match=words) as caught:
        twilio.send(MESSAGE, to)
    assert caught.value.permanent
    assert vendor.asked == []


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "answer", [{"body": {"code": 20003, "message": f"no {SECRET}"}, "status": 401}, {"hang": True}, {"drop": True}]
)
def test_auth_token_stands_in_no_error_and_no_log(
    twilio: TwilioNotifier, vendor: Any, says: Any, caplog: pytest.LogCaptureFixture, answer: dict[str, Any]
) -> None:
    """Neither the words, nor the chained errors, nor any log down to DEBUG shows it."""
    caplog.set_level(logging.DEBUG)
    vendor.on("/Messages.json", says(**answer))
    with pytest.raises(NotifierError) as caught:
        twilio.send(MESSAGE, NUMBER)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + caplog.text + repr(config("x"))


def test_check_tries_the_credentials(twilio: TwilioNotifier, vendor: Any, says: Any) -> None:
    """The message log is read, nothing is sent; bad credentials are an error."""
    vendor.on(LIST, says({"messages": []}), says({"code": 20003}, status=401))
    assert twilio.check() == "Twilio: account AC1, sending from +15550199"
    with pytest.raises(NotifierError, match="20003"):
        twilio.check()
    assert {asked.method for asked in vendor.asked} == {"GET"}


def test_attach_does_nothing(twilio: TwilioNotifier, vendor: Any) -> None:
    """An SMS has no pictures, and that is no error."""
    twilio.attach(Picture(b"x", "x.png"), Receipt(NUMBER, "SM1"))
    assert vendor.asked == []
