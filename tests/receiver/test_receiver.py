"""The receiver: each request and its response, against the real application and a real SQLite file."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import json
import logging
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator

import pytest
from flask import Blueprint, Flask, Response, session
from flask.cli import routes_command
from flask.testing import FlaskClient
from gunicorn.http.errors import ChunkMissingTerminator, InvalidChunkSize
from pydantic import SecretStr
from werkzeug.test import EnvironBuilder, run_wsgi_app

from webhooks import deferral as deferrals
from webhooks.app import create_app
from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.deferral import Deferral
from webhooks.errors import StoreUnavailable
from webhooks.event import MAX_BYTES
from webhooks.inbox.databases.pending_write import PendingWrite
from webhooks.inbox.databases.store import ACK_SECONDS
from webhooks.incidents import Act
from webhooks.receiver import Authenticator
from webhooks.services import Services

EVENT = {
    "resource": "WORKBOOK",
    "event_type": "WorkbookCreated",
    "resource_name": "Sales",
    "created_at": "2026-01-31T09:30:00Z",
}
HOOK = "/webhook/token-of-the-test"


BODY = json.dumps(EVENT).encode()


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    app.extensions["webhooks"].stop()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def services(client: FlaskClient) -> Services:
    found: Services = client.application.extensions["webhooks"]
    return found


def test_event_is_accepted_and_on_disk(client: FlaskClient) -> None:
    """The 200 is sent after the commit, with the id of the stored event."""
    response = client.post(HOOK, json=EVENT)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert response.json is not None
    assert response.json["status"] == "accepted"
    kept = services(client).inbox.events.get(response.json["event"])
    assert kept is not None
    assert dict(kept.event.payload) == EVENT


def test_same_event_again_is_a_duplicate(client: FlaskClient) -> None:
    """The response has the same id, and the duplicate is counted."""
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
    """Both are accepted, with and without a slash at the end."""
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
        "/webhook//",
        "/webhook/%00%0a",
        "/webhook/" + "x" * 5000,
    ],
)
def test_wrong_token_is_401_before_the_body(client: FlaskClient, path: str) -> None:
    """A sender without the token does not learn what is wrong with its body."""
    response = client.post(path, data=b"x" * (MAX_BYTES + 1))
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'""', b'{"event_type":"Test","resource_name":"x"}'])
def test_test_requests_are_answered_and_not_stored(client: FlaskClient, body: bytes) -> None:
    """Tableau shows the response in its test result, so it is short."""
    response = client.post(HOOK, data=body)
    assert (response.status_code, response.json) == (200, {"status": "test"})
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
def test_invalid_bodies_are_refused_with_a_reason(client: FlaskClient, body: bytes, status: int) -> None:
    """Every refusal is a problem document, never a 500."""
    response = client.post(HOOK, data=body)
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.json is not None
    assert response.json["status"] == status
    assert response.json["detail"]


def test_largest_body_is_accepted(client: FlaskClient) -> None:
    """A body of exactly 64 KiB is within the limit."""
    padding = "x" * (MAX_BYTES - len(json.dumps(EVENT | {"pad": ""})))
    body = json.dumps(EVENT | {"pad": padding}).encode()
    assert len(body) == MAX_BYTES
    assert client.post(HOOK, data=body).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin-1"]
)
def test_content_type_is_not_checked(client: FlaskClient, content_type: str) -> None:
    """The body is read as JSON in UTF-8, whatever its content type says."""
    assert client.post(HOOK, data=json.dumps(EVENT), content_type=content_type).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_405(client: FlaskClient, method: str) -> None:
    """Events are received by POST, as the Allow header says."""
    response = client.open(HOOK, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_without_a_configured_token_requests_are_not_authenticated(settings: Settings) -> None:
    """With WEBHOOK_TOKEN empty, a trial on one machine needs no secret."""
    app = create_app(settings.model_copy(update={"webhook_token": SecretStr("")}))
    assert app.test_client().post("/webhook", json=EVENT).status_code == 200
    app.extensions["webhooks"].stop()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8000"}, 200),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "Same-Site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:3000"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://localhost:8000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://[", "Host": "["}, 403),
        ({"Origin": "http://rebound.example:8000", "Host": "rebound.example:8000"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
    ],
)
def test_web_pages_cannot_send_events_without_a_token(settings: Settings, headers: dict[str, str], status: int) -> None:
    """Any page that someone opens on this machine could reach the server; programs send neither of the headers."""
    app = create_app(settings.model_copy(update={"webhook_token": SecretStr("")}))
    response = app.test_client().post("/webhook", json=EVENT, headers={"Host": "127.0.0.1:8000"} | headers)
    assert response.status_code == status
    assert len(app.extensions["webhooks"].inbox.events.list()) == (status == 200)
    app.extensions["webhooks"].stop()


def test_a_token_is_enough_for_a_web_page(client: FlaskClient) -> None:
    """With a token, a browser extension or a tool in a page may send events: other pages do not know it."""
    assert client.post(HOOK, json=EVENT, headers={"Origin": "https://tool.example"}).status_code == 200


def test_two_tokens_are_accepted_during_a_rotation(settings: Settings) -> None:
    """The old token is accepted until it is removed."""
    app = create_app(settings.model_copy(update={"webhook_token": SecretStr("new-one,old-one")}))
    responses = [
        app.test_client().post(f"/webhook/{token}", json=EVENT).status_code
        for token in ("new-one", "old-one", "new-one,old-one")
    ]
    assert responses == [200, 200, 401]
    app.extensions["webhooks"].stop()


def test_store_that_cannot_commit_is_503(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that is not stored is never acknowledged; Tableau retries."""

    def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(services(client).inbox.store, "begin_insert", unavailable)
    response = client.post(HOOK, json=EVENT)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "disk" not in response.text


def test_internal_error_is_a_problem_without_details(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the error, the response has no details."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(services(client).inbox.store, "begin_insert", broken)
    response = client.post(HOOK, json=EVENT)
    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
    assert "secret detail" not in response.text


def deferred(client: FlaskClient, **more: str) -> tuple[Deferral, threading.Event]:
    """Send an event whose response may be deferred; return the deferral, and the event of its completion."""
    completed = threading.Event()
    deferral = Deferral(lambda _: completed.set())
    request = EnvironBuilder(HOOK, method="POST", data=json.dumps({**EVENT, **more}))
    environ = {**request.get_environ(), deferrals.KEY: deferral}
    # The response is not begun, unlike that of an ordinary application.
    assert list(client.application(environ, lambda *_: pytest.fail("begun"))) == []
    return deferral, completed


def respond(client: FlaskClient, deferral: Deferral) -> Response:
    """Return what the application responds to the request of the deferral."""
    assert deferral.respond is not None
    environ = EnvironBuilder(HOOK, method="POST").get_environ()
    return client.application.response_class(*run_wsgi_app(deferral.respond, environ))


def test_response_is_deferred_until_the_commit(client: FlaskClient) -> None:
    """The response is that of a request that waits."""
    client.post(HOOK, json={**EVENT, "resource_name": "opens the database"})
    for status in ("accepted", "duplicate"):
        deferral, completed = deferred(client)
        assert completed.wait(30)
        assert deferral.timeout == ACK_SECONDS
        response = respond(client, deferral)
        assert response.status_code == 200
        assert response.content_type == client.post(HOOK, json=EVENT).content_type
        assert response.get_json() == {"status": status, "event": 2}
    assert [one.event.resource_name for one in services(client).inbox.events.list()] == ["Sales", "opens the database"]


@pytest.mark.parametrize(
    ("error", "status"), [(StoreUnavailable("disk full"), 503), (ZeroDivisionError("secret detail"), 500)]
)
def test_deferred_error_is_a_problem(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    """The write fails after the view has returned; the response is that of a request that waits."""

    def fail(_row: object, on_complete: Callable[[], None] | None = None) -> PendingWrite[tuple[int, int]]:
        write: PendingWrite[tuple[int, int]] = PendingWrite(lambda _: (1, 0), ACK_SECONDS, on_complete=on_complete)
        write.fail(error)
        return write

    monkeypatch.setattr(services(client).inbox.store, "begin_insert", fail)
    waited = client.post(HOOK, json=EVENT)
    deferral, completed = deferred(client)
    assert completed.is_set()
    response = respond(client, deferral)
    assert (response.status_code, response.get_json()) == (status, waited.get_json())
    assert response.headers.get("Retry-After") == waited.headers.get("Retry-After")
    assert response.content_type == "application/problem+json"


def test_deferred_response_without_a_commit_is_503(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server asks for the response when the time is over; the event is not stored afterwards."""
    writes: list[PendingWrite[tuple[int, int]]] = []

    def hang(_row: object, on_complete: Callable[[], None] | None = None) -> PendingWrite[tuple[int, int]]:
        writes.append(PendingWrite(lambda _: (1, 0), ACK_SECONDS, on_complete=on_complete))
        return writes[-1]

    monkeypatch.setattr(services(client).inbox.store, "begin_insert", hang)
    deferral, completed = deferred(client)
    assert respond(client, deferral).status_code == 503
    assert not completed.is_set()
    assert writes[0].abandoned


def test_refusals_and_test_requests_are_not_deferred(client: FlaskClient) -> None:
    """Their responses are known at once."""
    for path, data, status in ((HOOK, b"[1]", 422), (HOOK, b"[", 400), (HOOK, b"", 200), ("/webhook/wrong", BODY, 401)):
        deferral = Deferral(lambda _: None)
        response = client.post(path, data=data, environ_overrides={deferrals.KEY: deferral})
        assert (response.status_code, deferral.respond) == (status, None), (path, data)


@pytest.mark.parametrize(
    ("body", "status"), [(b"{ body-of-the-test", 400), (b'["body-of-the-test"]', 422), (b"x" * (MAX_BYTES + 1), 413)]
)
def test_refused_event_is_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, body: bytes, status: int
) -> None:
    """The line has the sender and the reason, neither the token nor the body."""
    client.post(HOOK, data=body)
    (record,) = [record for record in caplog.records if record.name == "webhooks.receiver"]
    line = record.getMessage()
    assert record.levelno == logging.WARNING
    assert f"Request refused: status={status} peer=127.0.0.1: " in line
    assert "token-of-the-test" not in line
    assert "body-of-the-test" not in line


class Broken:
    """A body that raises an error when it is read, as the input of the server does."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int = -1) -> bytes:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"), [(InvalidChunkSize(b"zz"), 400), (ChunkMissingTerminator(b"x"), 400), (TimeoutError(), 408)]
)
def test_broken_chunks_are_refused(client: FlaskClient, error: Exception, status: int) -> None:
    """The server finds them only when the body is read; they are the sender's fault."""
    given = {"wsgi.input": Broken(error), "wsgi.input_terminated": True}
    response = client.post(HOOK, environ_overrides={**given, "CONTENT_LENGTH": ""})
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")


def test_head_has_no_body(client: FlaskClient) -> None:
    """Servers reject an application that sends one; the length is that of the response to a GET."""
    environ = EnvironBuilder(path=HOOK, method="HEAD").get_environ()
    parts, status, headers = run_wsgi_app(client.application, environ)
    assert (list(parts), status[:3]) == ([], "405")
    assert int(headers["Content-Length"]) > 0


def test_not_ready_while_no_event_can_be_stored(client: FlaskClient, settings: Settings) -> None:
    """While another process holds the write lock, events can be read and not stored."""
    assert client.get("/readyz").status_code == 200
    services(client).inbox._checked_at = -10.0
    file = settings.database_url.get_secret_value().removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        response = client.get("/readyz")
        assert (response.status_code, response.mimetype) == (503, "application/problem+json")
        assert "tableau_webhooks_inbox_up 0.0" in client.get("/metrics").text
        other.execute("ROLLBACK")
    assert client.get("/readyz").status_code == 200
    assert "tableau_webhooks_inbox_up 1.0" in client.get("/metrics").text


def test_health_endpoints_respond_with_an_invalid_database_address(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that proves invalid on first use is reported, not an internal error."""
    wrong = type(services(client).settings.database_url)("postgresql+psycopg://h:port/d")
    monkeypatch.setitem(services(client).settings.__dict__, "database_url", wrong)
    assert client.get("/readyz").status_code == 503
    assert "tableau_webhooks_inbox_up 0.0" in client.get("/metrics").text


def test_health_endpoints_are_open(client: FlaskClient) -> None:
    """They need no token and name no content."""
    client.post(HOOK, json=EVENT)
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").json == {"status": "ready"}
    metrics = client.get("/metrics")
    assert metrics.mimetype == "text/plain"
    assert "tableau_webhooks_events_unplanned 1.0" in metrics.text
    assert "Sales" not in metrics.text
    assert "token-of-the-test" not in metrics.text


def test_metrics_count_open_incidents(client: FlaskClient) -> None:
    """Incidents that are not closed are counted by kind and state; a state without any is 0."""
    luids = {
        "resource_luid": "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e",
        "site_luid": "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6",
    }
    client.post(HOOK, json={**EVENT, **luids, "event_type": "WorkbookRefreshFailed"})
    inbox = services(client).inbox
    inbox.events.plan(lambda _: [])
    (record,) = inbox.incidents.list()
    gauge = 'tableau_webhooks_incidents{{kind="failing",state="{}"}} {}'
    assert gauge.format("open", "1.0") in client.get("/metrics").text
    inbox.incidents.act(record.id, Act("", "acknowledge", "", utc_now(), "Ann"))
    metrics = client.get("/metrics").text
    assert gauge.format("open", "0.0") in metrics
    assert gauge.format("acknowledged", "1.0") in metrics
    assert "Ann" not in metrics


def test_front_page_names_the_endpoints(client: FlaskClient) -> None:
    """People who open the address in a browser on another machine learn what it is."""
    response = client.get("/", environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert (response.status_code, response.mimetype) == (403, "text/plain")
    assert "/readyz" in response.text


def test_unknown_page_is_a_problem(client: FlaskClient) -> None:
    """A 404 has the same form as every other refusal."""
    response = client.get("/nothing")
    assert (response.status_code, response.mimetype) == (404, "application/problem+json")


def test_routes_show_the_receiver(app: Flask) -> None:
    """`flask routes` lists /webhook with its only method."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint == "receiver.receive_event"]
    assert {rule.rule for rule in rules} == {"/webhook", "/webhook/<remainder:token>"}
    assert all(rule.methods == {"POST"} for rule in rules)
    assert "/webhook" in app.test_cli_runner().invoke(routes_command).stdout


def test_hooks_of_other_blueprints_do_not_run(app: Flask, client: FlaskClient) -> None:
    """A blueprint of pages with hooks and sessions changes nothing for /webhook, also where it refuses or fails."""
    app.secret_key = "secret"
    calls: list[str] = []
    pages = Blueprint("other_pages", __name__)

    @pages.before_request
    def before() -> None:
        calls.append("before")
        session["user"] = "admin"

    @pages.after_request
    def after(response: Response) -> Response:
        calls.append("after")
        response.headers["X-Page"] = "1"
        return response

    @pages.teardown_request
    def teardown(error: BaseException | None) -> None:
        calls.append("teardown")

    @pages.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        calls.append("error")
        return Response("page")

    @pages.get("/page")
    def page() -> str:
        return "page"

    app.register_blueprint(pages)
    responses = [client.post(HOOK, json=EVENT), client.post(HOOK, data=b"{"), client.post("/webhook/wrong")]
    responses.append(client.get(HOOK))
    assert [response.status_code for response in responses] == [200, 400, 401, 405]
    assert calls == []
    for response in responses:
        assert not {"Set-Cookie", "Vary", "X-Page"} & set(response.headers.keys())
    assert client.get("/page").headers["X-Page"] == "1"
    assert calls == ["before", "after", "teardown"]


def test_application_has_no_hooks(app: Flask) -> None:
    """A hook of the application or of the receiver would run for every event."""
    hooks = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.url_value_preprocessors,
    )
    for functions in hooks:
        assert not functions.get(None)
        assert not functions.get("receiver")
    assert not app.teardown_appcontext_funcs
    assert type(app).wsgi_app is Flask.wsgi_app
    assert "wsgi_app" not in vars(app)


def test_receiving_starts_no_worker(settings: Settings) -> None:
    """A worker that cannot start must not turn a stored event into an error."""
    app = create_app(settings.model_copy(update={"worker_threads": 1}))
    assert app.test_client().post(HOOK, json=EVENT).status_code == 200
    assert not app.extensions["webhooks"].working()
    app.extensions["webhooks"].stop()


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("gzip, identity", gzip.compress),
        (" , Identity,gzip ,", gzip.compress),
        ("deflate", zlib.compress),
        ("", bytes),
        ("identity", bytes),
        ("Identity, identity", bytes),
    ],
)
def test_compressed_bodies_are_decompressed(
    client: FlaskClient, coding: str, compress: Callable[[bytes], bytes]
) -> None:
    """The stored event is the decompressed one, so a retry without compression is a duplicate."""
    first = client.post(HOOK, data=compress(BODY), headers={"Content-Encoding": coding}).json
    assert first is not None
    assert client.post(HOOK, data=BODY).json == {"status": "duplicate", "event": first["event"]}
    stored = services(client).inbox.events.get(first["event"])
    assert stored is not None
    assert stored.event.body == BODY


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b"x" * (MAX_BYTES + 1)), 413),
        (gzip.compress(b" " * 50_000_000), 413),
        (gzip.compress(BODY)[:-4], 400),
        (gzip.compress(BODY) + b"more", 400),
        (BODY, 400),
    ],
    ids=["too large", "bomb", "truncated", "followed by something", "not compressed"],
)
def test_invalid_compression_is_refused(client: FlaskClient, body: bytes, status: int) -> None:
    """The limit holds for the decompressed body, and no more than it is decompressed."""
    response = client.post(HOOK, data=body, headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.mimetype) == (status, "application/problem+json")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_other_codings_are_415(client: FlaskClient, coding: str) -> None:
    """The response names the codings that are accepted; without the token the response is 401."""
    response = client.post(HOOK, data=BODY, headers={"Content-Encoding": coding})
    assert (response.status_code, response.mimetype) == (415, "application/problem+json")
    assert response.headers["Accept-Encoding"] == "gzip, deflate"
    assert client.post("/webhook/wrong", data=BODY, headers={"Content-Encoding": coding}).status_code == 401


@pytest.mark.parametrize(
    ("body", "format_name"),
    [
        (b"payload=%7B%22event_type%22%3A%22A%22%7D", "form data"),
        (
            b'--boundary\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{}\r\n--boundary--',
            "multipart form data",
        ),
        ('{"event_type":"A"}'.encode("utf-16"), "UTF-16"),
        ('{"event_type":"A"}'.encode("utf-16-le"), "UTF-16"),
        (b"<event>A</event>", "XML"),
        (gzip.compress(BODY), "gzip"),
    ],
)
def test_foreign_formats_are_named(client: FlaskClient, body: bytes, format_name: str) -> None:
    """One sentence says what was sent and what is expected."""
    response = client.post(HOOK, data=body)
    assert response.status_code == 400
    assert response.json is not None
    detail = response.json["detail"]
    assert f"The body is {format_name}" in detail
    assert detail.endswith("; expected a JSON object in UTF-8.")
    assert len(detail) < 120


def test_byte_order_mark_is_accepted(client: FlaskClient) -> None:
    """The event is the same as without it; a body of nothing else is a test request."""
    first = client.post(HOOK, data=codecs.BOM_UTF8 + BODY).json
    assert first is not None
    assert first["status"] == "accepted"
    assert client.post(HOOK, data=BODY).json == {"status": "duplicate", "event": first["event"]}
    stored = services(client).inbox.events.get(first["event"])
    assert stored is not None
    assert dict(stored.event.payload) == EVENT
    assert client.post(HOOK, data=codecs.BOM_UTF8 + b" \n").json == {"status": "test"}


def test_early_field_names_get_a_hint(client: FlaskClient) -> None:
    """Early versions of Tableau's payload, and old examples, write event-type."""
    response = client.post(HOOK, json={"event-type": "WorkbookCreated", "resource-name": "Sales"})
    assert response.status_code == 422
    assert response.json is not None
    assert 'Did you mean event_type instead of "event-type"?' in response.json["detail"]


@pytest.mark.parametrize("missing", [1, 200])
def test_body_that_ends_early_is_408(client: FlaskClient, missing: int) -> None:
    """Part of an event is not an event, and no body at all is not a test request."""
    body = BODY if missing == 1 else b""
    environ = {"CONTENT_LENGTH": str(len(body) + missing), "wsgi.input": io.BytesIO(body)}
    for terminated in ({}, {"wsgi.input_terminated": True}):
        response = client.post(HOOK, environ_overrides={**environ, **terminated, "wsgi.input": io.BytesIO(body)})
        assert (response.status_code, response.mimetype) == (408, "application/problem+json")


@pytest.mark.parametrize(("size", "status"), [(MAX_BYTES, 200), (MAX_BYTES + 1, 413), (MAX_BYTES * 3, 413)])
def test_limit_holds_without_a_content_length(client: FlaskClient, size: int, status: int) -> None:
    """A chunked body that exceeds the limit is refused, not cut off."""
    body = json.dumps(EVENT | {"pad": "x" * (size - len(json.dumps(EVENT | {"pad": ""})))}).encode()
    assert len(body) == size
    given = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    assert client.post(HOOK, environ_overrides=given).status_code == status


def test_content_length_that_is_no_number_is_400(client: FlaskClient) -> None:
    """Without it the body would count as empty, and the event as a test request."""
    assert client.post(HOOK, data=BODY, environ_overrides={"CONTENT_LENGTH": "7x"}).status_code == 400


@pytest.mark.parametrize("given", ["token", "token2", "tokentoken", "", "t", "toke", "tokén", "\udcff", "x" * 100_000])
def test_authenticator_accepts_only_whole_tokens(given: str) -> None:
    """A prefix, a longer text or an invalid character is not accepted; a long one is not hashed whole."""
    assert Authenticator(["token", "sécret"])(given) is (given == "token")
    assert Authenticator(["token", "sécret"])("sécret")
    assert Authenticator([])(given)


def test_flood_of_refusals_does_not_flood_the_log(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """Wrong tokens are logged a few times and then counted; other refusals are still logged."""
    for _ in range(500):
        assert client.post("/webhook/wrong").status_code == 401
    assert 1 <= len(caplog.records) <= 20
    client.post(HOOK, data=b"{")
    assert "status=400" in caplog.records[-1].getMessage()


@pytest.mark.parametrize("origin", ["monitor", "reconciled"])
def test_claimed_origin_is_not_trusted(client: FlaskClient, origin: str) -> None:
    """A sender cannot pose as the monitor: the stored event has the origin of a received one."""
    response = client.post(HOOK, json=EVENT | {"event_type": "WebhooksDrifted", "origin": origin}).json
    assert response is not None
    stored = services(client).inbox.events.get(response["event"])
    assert stored is not None
    assert (stored.event.origin, stored.event.payload["origin"]) == (None, origin)
