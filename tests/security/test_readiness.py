"""Test that /readyz proves what it promises: an event could be stored, and events get planned."""

from __future__ import annotations

import logging
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from bench.postgres import Server
from tests.support.databases import IN_TIME, NOTIFY, refusal_seconds, some_event
from tests.support.server import ROOT, serving, wait_for
from webhooks.app import create_app
from webhooks.cli.doctor import sqlite_files
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.services import UNPLANNED_SECONDS, Services
from webhooks.worker.worker import Worker

HOOK = "/webhook/token-of-the-test"
TABLEAU = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}


def serve(url: str, tmp_path: Path) -> FlaskClient:
    """Return a client of a server without a worker."""
    rules = tmp_path / "rules.toml"
    rules.write_text("", encoding="utf-8")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    settings = Settings(
        _env_file=None,
        database_url=url,
        rules_file=rules,
        webhook_token="token-of-the-test",
        worker_threads=0,
        tableau_domain="http://127.0.0.1:9",
        tableau_pat_name="a",
        tableau_pat_secret="b",
    )
    app = create_app(settings)
    root.handlers[:], root.level = handlers, level
    return app.test_client()


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    """Return a client of a server without a worker, on each kind of database."""
    client = serve(url, tmp_path)
    yield client
    client.application.extensions["webhooks"].stop()


@pytest.fixture
def box(client: FlaskClient) -> Inbox:
    """Return the server's inbox."""
    services: Services = client.application.extensions["webhooks"]
    return services.inbox


def status(client: FlaskClient, box: Inbox) -> int:
    """Return the status of /readyz, checked now and not a moment ago."""
    box._checked_at = -10.0
    return client.get("/readyz").status_code


def test_the_check_leaves_nothing_behind(client: FlaskClient, box: Inbox) -> None:
    """Readiness checks store no event, use up no id, and count as none in the metrics."""
    for _ in range(5):
        assert status(client, box) == 200
    assert client.post(HOOK, data=some_event(1).body).json == {"status": "accepted", "event": 1}
    assert status(client, box) == 200
    assert client.post(HOOK, data=some_event(2).body).json == {"status": "accepted", "event": 2}
    assert len(box.events.list()) == 2


def test_not_ready_without_the_table(client: FlaskClient, box: Inbox) -> None:
    """The table `events` is what counts; /metrics goes on and reports the inbox as down."""
    box.store.execute(text("ALTER TABLE events RENAME TO moved"))
    assert status(client, box) == 503
    metrics = client.get("/metrics")
    assert metrics.status_code == 200
    assert "tableau_webhooks_inbox_up 0.0" in metrics.text
    box.store.execute(text("ALTER TABLE moved RENAME TO events"))
    assert status(client, box) == 200


@pytest.fixture
def limited_url(postgres_server: Server) -> Iterator[str]:
    """Return the DATABASE_URL of a migrated database, for a role with the rights that the server needs."""
    url = postgres_server.url()
    Inbox.open(url).close()
    name = urlsplit(url).path.removeprefix("/")
    with postgres_server.connect(name) as connection:
        connection.execute("DROP ROLE IF EXISTS limited")
        connection.execute("CREATE ROLE limited LOGIN")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO limited")
        connection.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO limited")
    parts = urlsplit(url)
    yield parts._replace(netloc=f"limited@{parts.netloc.rpartition('@')[2]}").geturl()
    with postgres_server.connect(name) as connection:
        connection.execute("DROP OWNED BY limited")
        connection.execute("DROP ROLE limited")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("right", "refused"),
    [
        ("INSERT ON events", range(1, 6)),
        ("ALL ON events_id_seq", range(1, 6)),
        # Only copies need it, and then the worker, which plans events.
        ("UPDATE ON events", [0] * 5),
    ],
)
def test_missing_right_is_an_outage(
    right: str,
    refused: Sequence[int],
    *,
    limited_url: str,
    postgres_server: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without a right that storing an event needs, it is 503 with one line, and ready again once the right is back."""
    with postgres_server.connect(urlsplit(limited_url).path.removeprefix("/")) as admin:
        client = serve(limited_url, tmp_path)
        box = client.application.extensions["webhooks"].inbox
        try:
            assert status(client, box) == 200
            assert client.post(HOOK, data=some_event(0).body).status_code == 200
            admin.execute(f"REVOKE {right} FROM limited")
            assert status(client, box) == 503
            caplog.clear()
            for number in refused:
                assert client.post(HOOK, data=some_event(number).body).status_code == 503
            lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
            assert len(lines) == 1
            assert lines[0].exc_info is None
            assert "permission denied" in lines[0].getMessage()
            admin.execute(f"GRANT {right} TO limited")
            assert status(client, box) == 200
            assert client.post(HOOK, data=some_event(9).body).status_code == 200
        finally:
            client.application.extensions["webhooks"].stop()


@pytest.mark.postgres
def test_read_only_database_is_an_outage(
    postgres_server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On a database that became read-only, as after a fail-over: 503, no traceback from receiver and worker."""
    url = postgres_server.url()
    client = serve(url, tmp_path)
    box: Inbox = client.application.extensions["webhooks"].inbox
    name = urlsplit(url).path.removeprefix("/")
    worker = Worker(box, planner=lambda _: [NOTIFY], run=lambda *_: None, threads=2)
    with postgres_server.connect("postgres") as admin:
        try:
            assert client.post(HOOK, data=some_event(1).body).status_code == 200
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            caplog.clear()
            worker.start()
            for number in range(2, 5):
                assert client.post(HOOK, data=some_event(number).body).status_code == 503
            assert status(client, box) == 503
            assert (
                refusal_seconds(lambda: box.jobs.plan_and_claim("me", lambda _: [NOTIFY], room=1, lease=30)) < IN_TIME
            )
            assert refusal_seconds(lambda: box.locks.acquire("monitor", "me", 60)) < IN_TIME
            assert not [record for record in caplog.records if record.exc_info]
            assert len([record for record in caplog.records if "Cannot store events" in record.message]) == 1
            wait_for(lambda: "Inbox unavailable, retrying" in caplog.text, what="the worker's line")
            assert caplog.text.count("Inbox unavailable, retrying") == 1
        finally:
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        assert client.post(HOOK, data=some_event(9).body).status_code == 200
    worker.stop()
    client.application.extensions["webhooks"].stop()


def test_not_ready_while_events_are_not_planned(client: FlaskClient, box: Inbox) -> None:
    """A worker that lives but leaves the same event unplanned is not ready; planning another one is progress."""
    services: Services = client.application.extensions["webhooks"]
    services.settings = services.settings.model_copy(update={"worker_threads": 1})
    box.events.receive(some_event(1))
    assert services.plans_events()
    event_id, since = services._oldest_unplanned
    services._oldest_unplanned = (event_id, since - UNPLANNED_SECONDS - 1)
    assert not services.plans_events()
    box.events.plan(lambda _: [])
    assert services.plans_events()


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_new_inbox_is_private(umask: int, tmp_path: Path) -> None:
    """Folder, database, log and lock belong to the server's user alone, whatever the umask of the caller is."""
    script = (
        "import sys; from webhooks.inbox import Inbox; from tests.support.databases import some_event;"
        "box = Inbox.open(sys.argv[1]); box.events.receive(some_event(1)); box.events.list();"
        "import pathlib; [print(path.name, oct(path.stat().st_mode & 0o777)) for path in "
        "pathlib.Path(sys.argv[2]).iterdir()]; box.close()"
    )
    folder = tmp_path / "data"
    words = [sys.executable, "-c", script, f"sqlite:///{folder}/inbox.sqlite3", str(folder)]
    ended = subprocess.run(words, cwd=ROOT, umask=umask, check=True, capture_output=True, text=True, timeout=60)
    modes = dict(line.split() for line in ended.stdout.splitlines())
    assert modes == {f"inbox.sqlite3{suffix}": "0o600" for suffix in ("", "-wal", "-shm", ".lock")}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_server_creates_private_files(tmp_path: Path) -> None:
    """This holds for the real server, too."""
    (tmp_path / "rules.toml").write_text("", encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'data' / 'inbox.sqlite3'}"
    with serving(tmp_path, TABLEAU, DATABASE_URL=url, RULES_FILE=str(tmp_path / "rules.toml")):
        paths = [tmp_path / "data", *(tmp_path / "data").iterdir()]
        assert [path.name for path in paths if path.stat().st_mode & 0o077] == []


def test_doctor_names_exposed_files(tmp_path: Path, opened: Callable[..., Inbox]) -> None:
    """Files that every user can read or write are named, unless no other user can enter the folder."""
    database = tmp_path / "data" / "inbox.sqlite3"
    opened(f"sqlite:///{database}").events.receive(some_event(1))
    database.parent.chmod(0o755)
    assert sqlite_files.exposed_files(database) == []
    database.chmod(0o644)
    lock = Path(f"{database}.lock")
    lock.chmod(0o666)
    assert sqlite_files.exposed_files(database) == [database, lock]
    database.parent.chmod(0o777)
    assert sqlite_files.exposed_files(database) == [database.parent, database, lock]
    database.parent.chmod(0o750)
    assert sqlite_files.exposed_files(database) == []
