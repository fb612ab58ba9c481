"""The HTTP table: each request and its answer, against the real application and a real SQLite file."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import sqlite3
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize
from werkzeug.test import EnvironBuilder, run_wsgi_app

from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.errors import StoreUnavailable
from webhooks.event import MAX_BYTES
from webhooks.services import Services

EVENT = {
    "resource": "WORKBOOK",
    "event_type": "WorkbookCreated",
    "resource_name": "Sales",
    "created_at": "2026-01-31T09:30:00Z",
}
HOOK = "/webhook/token-of-the-test"


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["webhooks"].stop()


def services(client: FlaskClient) -> Services:
    found: Services = client.application.extensions["webhooks"]
    return found


def test_event_is_accepted_and_on_disk(client: FlaskClient) -> None:
    """200 comes after the commit, with the id that `events` knows."""
    answer = client.post(HOOK, json=EVENT)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json is not None
    assert answer.json["status"] == "accepted"
    kept = services(client).inbox.events.get(answer.json["event"])
    assert kept is not None
    assert dict(kept.event.payload) == EVENT


def test_same_event_again_is_a_duplicate(client: FlaskClient) -> None:
    """The same id, counted on the row."""
    first = client.post(HOOK, json=EVENT).json
    again = client.post(HOOK, data=json.dumps(dict(reversed(EVENT.items())) | {"text": "x"})).json
    assert first is not None
    assert again == {"status": "duplicate", "event": first["event"]}
    kept = services(client).inbox.events.get(first["event"])
    assert kept is not None
    assert kept.duplicates == 1


@pytest.mark.parametrize(
    "path", [HOOK, HOOK + "/", "/webhook?token=token-of-the-test", "/webhook/?token=token-of-the-test"]
)
def test_token_in_path_or_query(client: FlaskClient, path: str) -> None:
    """Both ways to carry the secret work."""
    assert client.post(path, json=EVENT).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/webhook",
        "/webhook/",
        "/webhook/wrong",
        "/webhook?token=",
        "/webhook/töken",
        "/webhook/%ff",
        "/webhook/token-of-the-test/more",
    ],
)
def test_wrong_token_is_401_before_the_body(client: FlaskClient, path: str) -> None:
    """Nobody without the token learns what is wrong with a body."""
    answer = client.post(path, data=b"x" * (MAX_BYTES + 1))
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'""', b'{"event_type":"Test","resource_name":"x"}'])
def test_test_requests_are_answered_and_not_kept(client: FlaskClient, body: bytes) -> None:
    """Tableau copies the answer into its test result, so it is short."""
    answer = client.post(HOOK, data=body)
    assert (answer.status_code, answer.json) == (200, {"status": "test"})
    assert services(client).inbox.events.list() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b'{"event_type":"A","x":NaN}', 400),
        (b'{"event_type":"\\ud800"}', 400),
        (b"[" * 60_000, 400),
        (b"[]", 422),
        (b'{"event_type":7}', 422),
        (b"x" * (MAX_BYTES + 1), 413),
    ],
)
def test_bad_bodies_are_refused_in_words(client: FlaskClient, body: bytes, status: int) -> None:
    """Each refusal is a problem document and never a 500."""
    answer = client.post(HOOK, data=body)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json is not None
    assert answer.json["status"] == status
    assert answer.json["detail"]


def test_largest_body_is_accepted(client: FlaskClient) -> None:
    """64 KiB is the limit, not the first refusal."""
    padding = "x" * (MAX_BYTES - len(json.dumps(EVENT | {"pad": ""})))
    body = json.dumps(EVENT | {"pad": padding}).encode()
    assert len(body) == MAX_BYTES
    assert client.post(HOOK, data=body).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1"]
)
def test_content_type_is_not_checked(client: FlaskClient, content_type: str) -> None:
    """Bytes are read as UTF-8 JSON, whatever the sender calls them."""
    assert client.post(HOOK, data=json.dumps(EVENT), content_type=content_type).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(client: FlaskClient, method: str) -> None:
    """Events come by POST; the answer says so."""
    answer = client.open(HOOK, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_without_a_configured_token_all_may_send(settings: Settings) -> None:
    """WEBHOOK_TOKEN empty: trying out on one machine needs no secret."""
    app = create_app(settings.model_copy(update={"webhook_token": type(settings.webhook_token)("")}))
    assert app.test_client().post("/webhook", json=EVENT).status_code == 200
    app.extensions["webhooks"].stop()


def test_two_tokens_live_side_by_side(settings: Settings) -> None:
    """For rotation: the old one works until it is taken away."""
    app = create_app(settings.model_copy(update={"webhook_token": type(settings.webhook_token)("new-one,old-one")}))
    answers = [
        app.test_client().post(f"/webhook/{token}", json=EVENT).status_code
        for token in ("new-one", "old-one", "new-one,old-one")
    ]
    assert answers == [200, 200, 401]
    app.extensions["webhooks"].stop()


def test_store_that_cannot_commit_is_503(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is not safe is never acknowledged; Tableau tries again."""

    def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(services(client).inbox.store, "insert_event", unavailable)
    answer = client.post(HOOK, json=EVENT)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "disk" not in answer.text


def test_mistake_of_ours_is_a_problem_without_details(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the whole of it, the answer nothing."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(services(client).inbox.store, "insert_event", broken)
    answer = client.post(HOOK, json=EVENT)
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert "secret detail" not in answer.text


@pytest.mark.parametrize(
    ("body", "status"), [(b"{ body-of-the-test", 400), (b'["body-of-the-test"]', 422), (b"x" * (MAX_BYTES + 1), 413)]
)
def test_refused_event_leaves_a_line(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, body: bytes, status: int
) -> None:
    """Who sent it and what was wrong; neither the token nor the body."""
    client.post(HOOK, data=body)
    (record,) = [record for record in caplog.records if record.name == "webhooks.receiver"]
    line = record.getMessage()
    assert record.levelno == logging.WARNING
    assert f"127.0.0.1 with {status}: " in line
    assert "token-of-the-test" not in line
    assert "body-of-the-test" not in line


class Broken(io.RawIOBase):
    """A body that cannot be read, as the server's own input would raise it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"), [(InvalidChunkSize(b"zz"), 400), (ChunkMissingTerminator(b"x"), 400), (TimeoutError(), 408)]
)
def test_broken_chunks_are_refused(client: FlaskClient, error: Exception, status: int) -> None:
    """gunicorn finds them only when the body is read; they are the sender's fault and not ours."""
    given = {"wsgi.input": Broken(error), "wsgi.input_terminated": True}
    answer = client.post(HOOK, environ_overrides={**given, "CONTENT_LENGTH": ""})
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")


def test_head_has_no_body(client: FlaskClient) -> None:
    """Servers complain of an application that sends one; the length is that of a GET."""
    environ = EnvironBuilder(path=HOOK, method="HEAD").get_environ()
    parts, status, headers = run_wsgi_app(client.application, environ)
    assert (list(parts), status[:3]) == ([], "405")
    assert int(headers["Content-Length"]) > 0


def test_not_ready_while_no_event_can_be_kept(client: FlaskClient, settings: Settings) -> None:
    """Another process holds the write lock: reading goes on, keeping does not."""
    assert client.get("/readyz").status_code == 200
    services(client).inbox._checked_at = -10.0
    file = settings.database_url.get_secret_value().removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert "tableau_webhooks_inbox_up 0.0" in client.get("/metrics").text
        other.execute("ROLLBACK")
    assert client.get("/readyz").status_code == 200
    assert "tableau_webhooks_inbox_up 1.0" in client.get("/metrics").text


def test_health_pages_answer_where_the_database_is_none(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address that shows on first use only is no mistake of these pages."""
    wrong = type(services(client).settings.database_url)("postgresql+psycopg://h:port/d")
    monkeypatch.setitem(services(client).settings.__dict__, "database_url", wrong)
    assert client.get("/readyz").status_code == 503
    assert "tableau_webhooks_inbox_up 0.0" in client.get("/metrics").text


def test_health_pages_are_open(client: FlaskClient) -> None:
    """They need no token, and name no content."""
    client.post(HOOK, json=EVENT)
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").json == {"status": "ready"}
    metrics = client.get("/metrics")
    assert metrics.mimetype == "text/plain"
    assert "tableau_webhooks_events_unplanned 1.0" in metrics.text
    assert "Sales" not in metrics.text
    assert "token-of-the-test" not in metrics.text


def test_front_says_where_to_look(client: FlaskClient) -> None:
    """Somebody will open the address in a browser."""
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert "/readyz" in answer.text


def test_unknown_page_is_a_problem(client: FlaskClient) -> None:
    """404 in the same form as every other refusal."""
    answer = client.get("/nothing")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
