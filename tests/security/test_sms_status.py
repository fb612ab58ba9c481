"""Reports on text messages: only those that Twilio signed count, and an undelivered message is reported once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from simulator.twilio.status_callback import signature as simulated_signature
from tests.support.databases import some_event
from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.errors import Permanent, Skip, StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.job import NewJob
from webhooks.services import Services

TOKEN, PUBLIC, PATH = "t" * 32, "https://hooks.example.org/tableau", "/twilio/status"
FORM = "application/x-www-form-urlencoded"
NUMBER = "+15550100"


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings.model_copy(update={"public_url": PUBLIC, "twilio_auth_token": SecretStr(TOKEN)}))
    yield app.test_client()
    app.extensions["webhooks"].stop()


def services_of(client: FlaskClient) -> Services:
    found: Services = client.application.extensions["webhooks"]
    return found


@pytest.fixture
def box(client: FlaskClient) -> Inbox:
    """Return an inbox with two events, the first of which has a job that is done."""
    box = services_of(client).inbox
    for number in (1, 2):
        box.events.receive(some_event(number, "WorkbookCreated"))
    box.events.plan(lambda event: [NewJob("notify", "notify")] if event.id == 1 else [])
    (job,) = box.jobs.claim("w", 10, 30)
    box.jobs.finish(job)
    return box


def form(status: str = "undelivered", number: int = 0, **changes: str) -> dict[str, str]:
    fields = {"MessageSid": f"SM{number:032x}", "MessageStatus": status, "To": NUMBER, "From": "+15550199"}
    return fields | ({"ErrorCode": "30003"} if status == "undelivered" else {}) | changes


def send(
    client: FlaskClient, fields: dict[str, str], *, message: str = "job 1 1.5 notify", token: str = TOKEN
) -> TestResponse:
    query = f"?message={quote(message, safe='')}"
    signature = RequestValidator(token).compute_signature(PUBLIC + PATH + query, fields)
    headers = {"X-Twilio-Signature": signature, "Content-Type": FORM}
    return client.post(PATH + query, data=urlencode(fields), headers=headers)


def reports(box: Inbox) -> list[str]:
    """Return the recipients of the jobs that report, by event."""
    found = [(record.event.id, job.job) for record in box.events.list(limit=10) for job in record.jobs]
    return [f"{event} {job.params['to']}" for event, job in found if job.handler == "undelivered"]


def test_undelivered_message_becomes_a_job_of_its_event(client: FlaskClient, box: Inbox) -> None:
    """The report is stored once, however often Twilio sends it; other statuses store nothing."""
    for status in ("queued", "sent", "delivered"):
        assert send(client, form(status)).status_code == 204
    assert reports(box) == []
    for _ in range(3):
        assert send(client, form()).status_code == 204
    assert reports(box) == [f"1 twilio:{NUMBER}"]
    # Of a message that is no longer known, the newest event has the report.
    for number, message in enumerate(("job 99 x", "notice 99 x", "", "x" * 999), 1):
        assert send(client, form(number=number), message=message).status_code == 204
    assert reports(box).count(f"2 twilio:{NUMBER}") == 4


def test_report_is_dead_lettered_and_announced(client: FlaskClient, box: Inbox) -> None:
    """It fails for good with Twilio's reason; if the job that sent the message has reported it, it is skipped."""
    send(client, form())
    services = services_of(client)
    (job,) = [
        job.job for record in box.events.list(limit=10) for job in record.jobs if job.job.handler == "undelivered"
    ]
    assert job.due_at - utc_now() > timedelta(seconds=60)
    run = services.runner.run
    with pytest.raises(
        Permanent, match=rf"Could not deliver to twilio:\{NUMBER}\. Twilio: undelivered, 30003 \(the ph"
    ):
        run(job)
    box.events.plan(lambda _: [])
    box.events.receive(some_event(3, "WorkbookCreated"))
    box.events.plan(lambda _: [NewJob("notify", "notify")])
    (sender,) = box.jobs.claim("w", 10, 30)
    box.dead_letters.dead_letter(sender, f"Could not deliver to twilio:{NUMBER}. Twilio: undelivered, 30003")
    with pytest.raises(Skip, match="reports that it was not delivered"):
        run(job)


def test_simulator_signs_as_twilio_does(client: FlaskClient, box: Inbox) -> None:
    """The reports of the simulated Twilio are accepted."""
    fields, query = form(), "?message=job%201%20x"
    headers = {"X-Twilio-Signature": simulated_signature(PUBLIC + PATH + query, fields, TOKEN), "Content-Type": FORM}
    assert client.post(PATH + query, data=urlencode(fields), headers=headers).status_code == 204
    assert reports(box) == [f"1 twilio:{NUMBER}"]


def test_forged_reports_are_refused(client: FlaskClient, box: Inbox) -> None:
    """Another token, a changed field, a changed address, no signature, another type: nothing is stored."""
    assert send(client, form(), token="x" * 32).status_code == 401
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}{PATH}?message=a", form())
    for query, fields, content_type, expected in (
        ("?message=b", form(), FORM, 401),
        ("", form(), FORM, 401),
        ("?message=a", form(number=9), FORM, 401),
        ("?message=a", form(), "application/json", 415),
    ):
        headers = {"X-Twilio-Signature": signature, "Content-Type": content_type}
        assert client.post(PATH + query, data=urlencode(fields), headers=headers).status_code == expected
    assert client.post(PATH, data=urlencode(form()), headers={"Content-Type": FORM}).status_code == 401
    assert client.get(PATH).status_code == 405
    assert client.post(PATH, data=b"x" * 70_000, headers={"Content-Type": FORM}).status_code == 413
    assert send(client, {"MessageStatus": "failed"}).status_code == 400
    assert reports(box) == []


def test_without_the_token_or_the_address_there_is_no_endpoint(settings: Settings) -> None:
    """A server that cannot verify reports takes none."""
    for changes in ({"public_url": PUBLIC}, {"twilio_auth_token": SecretStr(TOKEN)}):
        app = create_app(settings.model_copy(update={"public_url": "", **changes}))
        assert app.test_client().post(PATH, data=b"", headers={"Content-Type": FORM}).status_code == 404
        app.extensions["webhooks"].stop()


def test_twilio_is_asked_to_come_again(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be stored gets 503."""

    def fail(*_: object) -> str:
        raise StoreUnavailable("away")

    monkeypatch.setattr(services_of(client).inbox.sms_status, "record", fail)
    response = send(client, form())
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)
