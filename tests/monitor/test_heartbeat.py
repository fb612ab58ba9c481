"""The heartbeat: HEARTBEAT_URL is called only after an event has gone the whole way, and not if any stage is stuck."""

from __future__ import annotations

import logging
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr
from werkzeug.serving import make_server

from notifiers import NotifierError, Notifiers
from tests.support.certificates import issue
from tests.support.server import wait_for
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.context import Context, call
from webhooks.errors import Skip, StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.monitor.heartbeat import Heartbeat, NoHeartbeat
from webhooks.planner import Planner
from webhooks.registry import Registry, registry
from webhooks.rules import Rules

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@dataclass
class Way:
    """A server with its receiver on a port, the other side that counts calls, and the stages between on a clock."""

    inbox: Inbox
    settings: Settings
    hook: str
    calls: list[str]
    status: list[int]
    now: datetime = START
    heartbeat: Heartbeat = field(init=False)

    def __post_init__(self) -> None:
        self.heartbeat = Heartbeat(lambda: self.inbox, self.hook, clock=lambda: self.now)

    def beat(self, seconds: float) -> None:
        self.now = START + timedelta(seconds=seconds)
        self.heartbeat.beat(self.now)

    def try_beat(self, seconds: float) -> None:
        self.now = START + timedelta(seconds=seconds)
        self.heartbeat.try_beat()

    def plan(self) -> None:
        self.inbox.events.plan(Planner(Rules(), Registry()).jobs)

    def run(self, seconds: float) -> list[str]:
        """Run all jobs at that time, and return why they were skipped."""
        self.now = START + timedelta(seconds=seconds)
        skipped = []
        for job in self.inbox.jobs.claim("tests", 10, 60):
            context = Context(
                job,
                inbox=self.inbox,
                tableau=lambda: pytest.fail("Tableau is not needed"),
                notifiers=Notifiers(),
                settings=self.settings,
                clock=lambda: self.now,
            )
            try:
                call(registry.handler(job.handler), context)
                self.inbox.jobs.finish(job)
            except Skip as reason:
                skipped.append(str(reason))
                self.inbox.jobs.skip(job, str(reason))
        return skipped


@pytest.fixture
def way(settings: Settings) -> Iterator[Way]:
    registry.load()
    calls, status = list[str](), [200]

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(status[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    url = f"http://127.0.0.1:{other.server_address[1]}/ping/secret-uuid"
    settings = settings.model_copy(update={"heartbeat_url": SecretStr(url)})
    app = create_app(settings)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threads = [threading.Thread(target=one.serve_forever, daemon=True) for one in (other, server)]
    for thread in threads:
        thread.start()
    hook = f"http://127.0.0.1:{server.port}/webhook/{settings.webhook_tokens()[0]}"
    yield Way(app.extensions["webhooks"].inbox, settings, hook, calls, status)
    other.shutdown()
    server.shutdown()
    other.server_close()
    server.server_close()
    app.extensions["webhooks"].stop()


def test_heartbeat_is_sent_after_the_whole_way(way: Way) -> None:
    """One call a minute; the events are deleted again."""
    for minute in range(15):
        way.beat(60 * minute + 5)
        way.beat(60 * minute + 15)
        way.plan()
        assert way.run(60 * minute + 16) == []
    assert way.calls == ["/ping/secret-uuid"] * 15
    assert len(way.inbox.events.list(event_types=["HeartbeatDue"], limit=100)) == 11
    assert way.inbox.events.list() == []
    assert way.inbox.events.received_times() == []


def test_processes_of_one_inbox_send_one_heartbeat(way: Way) -> None:
    """The event of a minute is the same for all of them."""
    way.beat(5)
    Heartbeat(lambda: way.inbox, way.hook).beat(START + timedelta(seconds=8))
    way.plan()
    way.run(9)
    assert len(way.calls) == 1


def test_receiver_that_is_stuck_stops_it(way: Way) -> None:
    """A server that accepts connections and does not respond, and one that refuses its own token."""
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        way.heartbeat = Heartbeat(lambda: way.inbox, f"http://127.0.0.1:{deaf.getsockname()[1]}/webhook/t")
        with pytest.raises(NotifierError):
            way.beat(5)
    way.heartbeat = Heartbeat(lambda: way.inbox, f"{way.hook}-wrong")
    with pytest.raises(NoHeartbeat, match="the receiver responds with 401"):
        way.beat(15)
    way.plan()
    way.run(20)
    assert way.calls == []


def test_database_that_stores_nothing_stops_it(way: Way, settings: Settings) -> None:
    """Another process holds the lock; once it is released, the same minute is tried again."""
    file = Path(settings.database_url.get_secret_value().removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            way.beat(5)
        other.execute("ROLLBACK")
    way.beat(15)
    way.plan()
    way.run(16)
    assert len(way.calls) == 1


def test_planning_that_is_stuck_stops_it(way: Way) -> None:
    """An event that is planned late leads to no call, also when everything works again."""
    way.beat(5)
    assert way.run(60) == []
    way.plan()
    assert way.run(120) == ["too late: the event took 115 s"]
    assert way.calls == []


def test_jobs_that_are_stuck_stop_it(way: Way) -> None:
    """The threads hang, and run the job minutes later."""
    way.beat(5)
    way.plan()
    assert way.run(66) == ["too late: the event took 61 s"]
    assert way.calls == []


def test_other_side_that_is_away_leads_to_no_dead_letter(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """It notices by itself that nothing comes; its address is a secret."""
    way.status[0] = 503
    way.beat(5)
    way.plan()
    assert way.run(6) == ["not sent: HEARTBEAT_URL responds with 503"]
    assert way.inbox.dead_letters.unannounced() == []
    assert "secret-uuid" not in caplog.text


def test_server_that_is_killed_meanwhile_leads_to_no_dead_letter(way: Way) -> None:
    """Another process takes the job over; a heartbeat that was not sent is reported by its absence."""
    way.beat(5)
    way.plan()
    assert len(way.inbox.jobs.claim("killed", 10, 0.001)) == 1
    wait_for(lambda: way.run(30) or way.calls or way.inbox.dead_letters.unannounced())
    assert len(way.calls) == 1
    assert way.inbox.dead_letters.unannounced() == []


def test_log_says_once_why_there_is_none(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """Each stage that is stuck is one line, however long it lasts, and so is the end of it."""
    caplog.set_level(logging.INFO, "webhooks.monitor.heartbeat")

    def pass_minutes(*minutes: int, stuck: str = "", hook: str = "", status: int = 200) -> list[str]:
        """Let a stage of the heartbeat fail for some minutes, and return the lines of the log."""
        caplog.clear()
        right, way.status[0] = way.heartbeat._hook, status
        way.heartbeat._hook = hook or right
        for minute in minutes:
            way.try_beat(60 * minute + 2)
            way.try_beat(60 * minute + 12)
            if stuck != "planning":
                way.plan()
                if stuck != "claiming":
                    way.run(60 * minute + 13)
        way.heartbeat._hook = right
        return [record.getMessage() for record in caplog.records if record.name == "webhooks.monitor.heartbeat"]

    assert pass_minutes(0, 1) == []
    assert pass_minutes(2, 3, 4, hook=f"{way.hook}-wrong") == ["No heartbeat: the receiver responds with 401"]
    assert pass_minutes(5, 6) == ["Heartbeat resumed"]
    planning = ["No heartbeat: the event of the last minute is not planned yet"]
    assert pass_minutes(7, 8, 9, stuck="planning") == planning
    # What was planned late is too late at first.
    assert pass_minutes(10, 11) == ["Heartbeat resumed"]
    waiting = ["No heartbeat: the job of the last minute waits for a free thread"]
    assert pass_minutes(12, 13, 14, stuck="claiming") == waiting
    assert pass_minutes(15, 16) == ["Heartbeat resumed"]
    assert pass_minutes(17, 18, 19, status=503) == ["No heartbeat: not sent: HEARTBEAT_URL responds with 503"]
    assert pass_minutes(20, 21) == ["Heartbeat resumed"]


def test_log_says_once_that_the_database_is_unavailable(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    """The log has one line, although the errors of the database differ."""
    errors = iter(("database is locked", "the database did not commit within 2 s"))

    def unavailable() -> Inbox:
        raise StoreUnavailable(next(errors))

    heartbeat = Heartbeat(unavailable, way.hook, clock=lambda: START)
    heartbeat.try_beat()
    heartbeat.try_beat()
    lines = [record.getMessage() for record in caplog.records if record.name == "webhooks.monitor.heartbeat"]
    assert lines == ["No heartbeat: events cannot be stored: database is locked"]


def test_clock_that_jumps_leads_to_no_false_alarm(way: Way) -> None:
    """Minutes that come again have calls again."""
    for minute in (*range(5), *range(2, 7), 500, 501):
        way.try_beat(60 * minute + 5)
        way.plan()
        way.run(60 * minute + 6)
    assert len(way.calls) == 12


def test_certificate_that_is_not_trusted_stops_it(way: Way, tmp_path: Path) -> None:
    """The reason is that of the job, which is not dead-lettered; the address is a secret."""
    files = issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.chain, files.key)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with suppress(OSError), connection:
                context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/ping/secret-uuid"
        way.settings = way.settings.model_copy(update={"heartbeat_url": SecretStr(url)})
        way.beat(5)
        way.plan()
        (reason,) = way.run(6)
        thread.join()
    assert reason.startswith("not sent: ")
    assert "certificate" in reason
    assert "secret-uuid" not in reason
    with pytest.raises(NoHeartbeat, match=r"not sent: .*certificate"):
        way.beat(65)
