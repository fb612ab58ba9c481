"""Secrets are masked by their value before anything is logged, stored or sent, wherever they are repeated."""

from __future__ import annotations

import html
import json
import threading
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from notifiers import Button, Link, Message, NotifierError, Table
from tests.support.handler_context import (
    MakeContext,
    MakeJob,
    RecordingNotifiers,
    context,
    event,
    inbox,
    job,
    notifiers,
)
from webhooks.config.settings import Settings
from webhooks.context.delivery import redact_message
from webhooks.errors import Permanent
from webhooks.event import build, parse
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.monitor.alerts import Alert, Alerts
from webhooks.observability.redaction import PERCENT, Redactor
from webhooks.planner import failed_plan
from webhooks.services import Services
from webhooks.worker.attempt import Attempts

__all__ = ["context", "event", "inbox", "job", "notifiers"]

SECRET = 'S3cret/with+"signs"&<é>='
FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "in a path": quote,
    "in a query": lambda secret: quote(secret, safe=""),
    "in a form": quote_plus,
    "with small hexadecimal digits": lambda secret: PERCENT.sub(lambda match: match[0].lower(), quote(secret, safe="")),
    "in JSON": lambda secret: json.dumps({"a": secret}),
    "in HTML": html.escape,
    "in Basic authentication": lambda secret: b64encode(f"ann:{secret}".encode()).decode(),
    "in base64, a byte later": lambda secret: b64encode(f"anne:{secret}x".encode()).decode(),
    "in base64, two bytes later": lambda secret: b64encode(f"annie:{secret}xy".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_secret_is_masked_in_every_form(form: str) -> None:
    """As it is, as a part of a URL, of JSON, of HTML, and in base64."""
    written = FORMS[form](SECRET)
    masked = Redactor([SECRET, "other-secret"])(f"Tableau responds {written} and other-secret.")
    assert "***" in masked
    assert masked.endswith(" and ***.")
    assert "S3cret" not in masked
    assert not any(written[start : start + 12] in masked for start in range(12, len(written) - 12))


@pytest.mark.parametrize("end", ["S3cret/with", "S3cret/wit…", 'S3cret/with+"signs"&<'])
def test_beginning_of_a_secret_is_masked_where_a_text_was_cut(end: str) -> None:
    """A text that was cut off in the middle of a secret does not show its first half."""
    assert Redactor([SECRET])(f"refused: {end}") == "refused: ***"


def test_host_of_a_secret_address_is_not_masked() -> None:
    """Log lines end with hosts; what follows the host is masked where it was cut, of each address on the host."""
    addresses = [f"hooks.slack.com/services/T0{number}/B0/secret" for number in range(3)]
    local = "127.0.0.1:8100/slack/hooks/secret"
    redact = Redactor(
        [*addresses, *(f"https://{one}" for one in addresses), local, f"http://{local}", "pass.word/12345"]
    )
    for host in ("https://hooks.slack.com", "hooks.slack.com", "hooks.slack.com/", "127.0.0.1", "127.0.0.1:8100"):
        assert redact(f"refused: {host}") == f"refused: {host}"
    for end in ("hooks.slack.com/services/T01", "https://hooks.slack.com/services/T02/B…", "127.0.0.1:8100/s"):
        assert redact(f"refused: {end}") == "refused: ***"
    # Also a password that looks like an address.
    assert redact("refused: pass.wor") == redact("refused: pass.word/1") == "refused: ***"


def test_texts_without_secrets_are_unchanged() -> None:
    """Short settings are no secrets, and similar words are none."""
    redact = Redactor(["abc", SECRET])
    for text in ("abc", "S3cret", "S3cret/without", "", "…"):
        assert redact(text) == text
    assert Redactor([])("anything") == "anything"


def test_secrets_are_masked_inside_json_values() -> None:
    """They are masked in keys and values, at any depth."""
    value = {"a": [SECRET, {SECRET: f"x {SECRET}"}], "n": 1, "b": None}
    assert Redactor([SECRET]).in_value(value) == {"a": ["***", {"***": "x ***"}], "n": 1, "b": None}


def test_message_is_sent_without_secrets() -> None:
    """They are masked in the title, the text, the facts, the link, the table, the buttons and the footer."""
    link, hidden = Link(f"https://x/{quote(SECRET)}", SECRET), Link("https://x/***", "***")
    message = Message(
        SECRET,
        SECRET,
        ((SECRET, SECRET),),
        link,
        footer=SECRET,
        status=SECRET,
        table=Table((SECRET,), ((SECRET,), (link,)), link=link),
        buttons=(Button(SECRET, "act"),),
        menu=(Button(SECRET, "why"), link),
    )
    assert redact_message(message, Redactor([SECRET])) == Message(
        "***",
        "***",
        (("***", "***"),),
        hidden,
        footer="***",
        status="***",
        table=Table(("***",), (("***",), (hidden,)), link=hidden),
        buttons=(Button("***", "act"),),
        menu=(Button("***", "why"), hidden),
    )


@pytest.fixture
def services(settings: Settings) -> Services:
    return Services(settings)


PAT_SECRET = "pat-secret-of-the-test"


def stored(tmp_path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(tmp_path.glob("inbox.sqlite3*")))


def a_claimed_job(inbox: Inbox) -> Job:
    event = build("WorkbookCreated", origin="", resource_name="Sales", created_at=datetime.now(UTC).isoformat())
    inbox.events.receive(event)
    inbox.events.plan(lambda _: [NewJob("R/notify", "notify")])
    (claimed,) = inbox.jobs.claim("tests", 1, 60)
    return claimed


@pytest.mark.parametrize("permanent", [True, False])
def test_error_is_stored_without_secrets(services: Services, tmp_path: Path, permanent: bool) -> None:
    """An error that repeats a secret is masked in the job, its attempts and the database file."""
    error = NotifierError(
        f"refused {PAT_SECRET} and {b64encode(f'bot:{PAT_SECRET}'.encode()).decode()}", permanent=permanent
    )

    def fail(*_: object) -> None:
        raise error

    claimed = a_claimed_job(services.inbox)
    attempts = Attempts(services.inbox, fail, threading.Event())
    ending = attempts.run(claimed, lambda: True)
    assert ending is not None
    attempts.settle(claimed, ending)
    record = services.inbox.events.get(1)
    assert record is not None
    assert "refused ***" in str(record.jobs[0].job.error)
    services.inbox.close()
    assert b"refused ***" in stored(tmp_path)
    assert PAT_SECRET.encode() not in stored(tmp_path)


def test_nothing_else_of_an_error_is_stored_with_secrets(services: Services, tmp_path: Path) -> None:
    """Skipped jobs, checkpoints, alerts of the monitor and failed plans have no secrets either."""
    inbox = services.inbox
    claimed = a_claimed_job(inbox)
    inbox.checkpoints.set(claimed, "wait 1", f"waiting: {PAT_SECRET}")
    inbox.jobs.skip(claimed, f"skipped: {PAT_SECRET}")
    alert = Alert("WebhookCheckFailed", "The check failed", f"Tableau says {PAT_SECRET}")
    Alerts(inbox).send(alert, datetime.now(UTC))
    inbox.events.plan(lambda _: failed_plan(ValueError(PAT_SECRET), services.redact).jobs)
    inbox.close()
    assert PAT_SECRET.encode() not in stored(tmp_path)
    assert stored(tmp_path).count(b"***") >= 4


def test_job_sends_without_secrets(job: MakeJob, context: MakeContext, notifiers: RecordingNotifiers) -> None:
    """A secret that Tableau repeats in a name or an error does not reach Slack."""
    running = context(job(), redact=Redactor([PAT_SECRET]))
    running.notify("slack", f"401001: {PAT_SECRET}\nsecond line {quote(PAT_SECRET)}")
    ((_, message),) = notifiers["slack"].sent
    assert (message.title, message.text) == ("401001: ***", "second line ***")


def test_runner_and_planner_of_the_server_mask_secrets(services: Services) -> None:
    """The parts are wired with the redactor of all settings, the second token included."""
    assert services.runner.redact(PAT_SECRET) == "***"
    assert services.planner.redact("token-of-the-test") == "***"
    services.inbox.close()


def test_value_of_a_handler_with_a_secret_is_not_stored(
    services: Services, context: MakeContext, job: MakeJob, inbox: Inbox, tmp_path: Path
) -> None:
    """`once` returns what it recorded, so a value that would have to be masked is refused; the function ran once."""
    inbox.store.redact = services.redact
    calls: list[int] = []

    def ask() -> dict[str, object]:
        calls.append(1)
        return {"error": [f"invalid token {quote(PAT_SECRET)}"]}

    claimed = job()
    with pytest.raises(Permanent, match=r"once\('ask'\) must return .* it contains a secret of this server") as caught:
        context(claimed).once("ask", ask)
    assert PAT_SECRET not in str(caught.value)
    assert context(claimed).once("ask", ask) is None
    assert calls == [1]
    assert context(claimed).once("fine", lambda: {"role": "SiteAdministrator"}) == {"role": "SiteAdministrator"}


def test_short_secret_does_not_refuse_a_value() -> None:
    """A password such as `admin` is part of many words; refusing these would dead-letter jobs at random."""
    assert not Redactor(["admin"]).finds_in({"role": "administrator"})
    assert Redactor(["admin-password"]).finds_in([{"admin-password": 1}])


def test_state_is_stored_without_secrets(services: Services, tmp_path: Path) -> None:
    """A value that the server remembers over restarts may be an error, so it is masked."""
    services.inbox.state.set("last error", {"text": f"refused {PAT_SECRET}"})
    assert services.inbox.state.get("last error") == {"text": "refused ***"}
    services.inbox.close()
    assert PAT_SECRET.encode() not in stored(tmp_path)


def test_body_of_an_event_is_unchanged(services: Services) -> None:
    """A body is stored and returned unchanged, even if it contains a secret; the parts that are shown are masked."""
    body = json.dumps({"event_type": "WorkbookCreated", "resource_name": PAT_SECRET}).encode()
    received = parse(body)
    assert received
    event_id = services.inbox.events.receive(received).id
    record = services.inbox.events.get(event_id)
    assert record is not None
    assert record.event.body == body
    services.inbox.close()
