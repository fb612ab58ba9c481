"""Webhooks that Tableau disabled because this server was down or responded 503, and the record of such outages."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Config, Running, running
from simulator.world.delivery import GIVEN_UP
from tests.support.server import Server, free_port, is_ready, serving, wait_for
from tests.support.simulated_site import TOKEN, RunFlask, registered_webhooks
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.monitor.monitor import Monitor, Pacing
from webhooks.monitor.outages import Outages


@pytest.fixture
def site() -> Iterator[Running]:
    """Start a site that makes the four attempts within two seconds."""
    with running(Config(retry_waits=(0.2, 0.3, 0.5), refresh_seconds=0)) as started:
        yield started


def fail_refresh(site: Running) -> dict[str, Any]:
    """Let a refresh fail; return the payload of the event."""
    event = {"event_type": "WorkbookRefreshFailed", "reason": "Login failed"}
    response = requests.post(f"{site.url}/simulator/events", json=event, timeout=30)
    payload: dict[str, Any] = response.json()["event"]
    return payload


def failure_webhook(site: Running) -> Any:
    return next(one for one in registered_webhooks(site) if one.event == "WorkbookRefreshFailed")


def reconciled(server: Server) -> list[str]:
    """Return the resources of the reconciled events."""
    return [event["resource_luid"] for event in server.events() if event["payload"].get("origin") == "reconciled"]


def is_stored(server: Server, payload: dict[str, Any]) -> bool:
    """Return whether there is an event about this failure, also if it has another time."""
    return payload["resource_luid"] in [event["resource_luid"] for event in server.events()]


def all_stored(server: Server, payloads: list[dict[str, Any]]) -> bool:
    return all(is_stored(server, payload) for payload in payloads)


def is_reconciling(server: Server) -> bool:
    """Return whether reconciliation has run once, which is when it knows from when on it has to look."""
    file = server.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as database:
        return bool(database.execute("SELECT 1 FROM state WHERE key = 'reconcile'").fetchall())


@pytest.fixture
def start(tmp_path: Path, site: Running, rules_file: Path, flask: RunFlask) -> Callable[[], Any]:
    """Register the webhooks for a fixed port, and serve there."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhook/{TOKEN}"
    assert flask("webhooks", "sync", "--url", url).exit_code == 0
    more = {"WEBHOOK_URL": url, "RULES_FILE": str(rules_file), "WEBHOOK_TOKEN": TOKEN, "PORT": str(port)}
    # A long interval: only the checks at the start and after an outage are seen.
    return lambda: serving(tmp_path, site.environment, WATCH_MINUTES="60", port=port, **more)


def test_webhook_disabled_while_the_server_was_down_is_enabled_and_its_event_reconciled(
    site: Running, start: Callable[[], Any]
) -> None:
    """Four failed deliveries disable the webhook; within a minute of the start it works and the event is stored."""
    with start() as server:
        wait_for(lambda: is_reconciling(server), what="the first reconciliation")
    missed = fail_refresh(site)
    wait_for(lambda: not failure_webhook(site).is_enabled, what="Tableau to disable the webhook")
    with start() as server:
        wait_for(lambda: failure_webhook(site).is_enabled, seconds=60, what="the repair")
        wait_for(lambda: reconciled(server), seconds=60, what="the missed event")
        assert reconciled(server) == [missed["resource_luid"]]
        received = fail_refresh(site)
        wait_for(lambda: is_stored(server, received), what="the next event")


@pytest.mark.second_stage
def test_webhook_disabled_while_the_server_responded_503_is_enabled(site: Running, start: Callable[[], Any]) -> None:
    """The process that responded 503 records it, so that the monitor checks soon after the inbox is back."""
    with start() as server:
        wait_for(lambda: is_reconciling(server), what="the first reconciliation")
        database = sqlite3.connect(server.environment["DATABASE_URL"].removeprefix("sqlite:///"), isolation_level=None)
        database.execute("BEGIN EXCLUSIVE")
        try:
            missed = fail_refresh(site)
            wait_for(lambda: not failure_webhook(site).is_enabled, seconds=30, what="Tableau to disable the webhook")
        finally:
            database.execute("ROLLBACK")
            database.close()
        wait_for(lambda: failure_webhook(site).is_enabled, seconds=75, what="the repair")
        # It is stored without reconciliation if the commit of a request that got 503 succeeded later.
        wait_for(lambda: is_stored(server, missed), what="the missed event")


@pytest.mark.second_stage
def test_stops_and_starts_lose_no_event(site: Running, start: Callable[[], Any]) -> None:
    """Events of several restarts are delivered, or found after the repair of their webhook."""
    caused: list[dict[str, Any]] = []
    with start() as server:
        wait_for(lambda: is_reconciling(server), what="the first reconciliation")
    for _ in range(3):
        caused.append(fail_refresh(site))
        with start() as server:
            caused += [fail_refresh(site) for _ in range(3)]
            wait_for(lambda: failure_webhook(site).is_enabled, seconds=60, what="the repair")
            wait_for(partial(all_stored, server, caused), seconds=60, what="all events")


@pytest.mark.second_stage
def test_no_delivery_fails_four_times_during_reloads(site: Running, start: Callable[[], Any]) -> None:
    """Processes are replaced five times (SIGHUP) while events come in; no webhook is disabled."""
    with start() as server:
        for _ in range(5):
            server.process.send_signal(signal.SIGHUP)
            for _ in range(10):
                fail_refresh(site)
                time.sleep(0.2)
        assert site.world.timer.settle(90)
        wait_for(lambda: is_ready(server), what="the server to be ready")
    assert len(site.world.sender.log) == 50
    assert [delivery for delivery in site.world.sender.log if delivery.state == GIVEN_UP] == []
    assert failure_webhook(site).is_enabled


def test_outage_is_stored_as_soon_as_the_inbox_is_back(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes see it; until then this one knows it."""
    set_value, failures = inbox.state.set, [StoreUnavailable("locked")]

    def unavailable_once(key: str, value: Any) -> None:
        if failures:
            raise failures.pop()
        set_value(key, value)

    monkeypatch.setattr(inbox.state, "set", unavailable_once)
    other, outages = Outages(lambda: inbox), Outages(lambda: inbox)
    assert other.last() is None
    before = time.time()
    outages.record()
    known = outages.last()
    assert known is not None
    assert known >= before
    wait_for(lambda: other.last() == known, what="the record")
    outages.stop()


def test_outage_that_cannot_be_stored_does_not_delay_the_stop(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start is an outage of its own."""

    def unavailable(key: str, value: Any) -> None:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(inbox.state, "set", unavailable)
    # It would wait for an hour if the stop did not interrupt it.
    monkeypatch.setattr("webhooks.monitor.outages.RETRY_SECONDS", 3600.0)
    monkeypatch.setattr("webhooks.monitor.outages.STOP_SECONDS", 60.0)
    outages = Outages(lambda: inbox)
    outages.record()
    thread = outages._thread
    outages.stop()
    assert thread
    assert not thread.is_alive()


def due_times(pacing: Pacing, outages: tuple[int, ...], until: int) -> list[int]:
    """Return the seconds at which checks run, with outages at these seconds."""
    times = []
    for second in range(until):
        if second in outages:
            pacing.note_outage(second)
        if pacing.is_due(second):
            times.append(second)
    return times


@pytest.mark.parametrize(
    ("outages", "expected"),
    [
        ((), [0, 300, 600]),
        ((0,), [0, 60, 360, 660]),
        ((100,), [0, 100, 160, 460]),
        ((310,), [0, 300, 360, 370, 670]),
        (tuple(range(100, 200)), [0, 100, 160, 220, 259, 559]),
    ],
    ids=["none", "at the start", "between checks", "just after a check", "for a while"],
)
def test_checks_run_at_once_and_a_minute_after_an_outage(outages: tuple[int, ...], expected: list[int]) -> None:
    """A long outage with many refusals leads to a check a minute."""
    assert due_times(Pacing(300, 60), outages, 700) == expected


def test_monitor_checks_soon_after_an_outage_of_another_process(inbox: Inbox) -> None:
    """It reads the record with each renewal of its lock."""
    runs: list[float] = []

    class Recorder:
        def run(self, now: Any) -> None:
            runs.append(now.timestamp())

    last: list[float | None] = [None]
    monitor = Monitor(inbox, [Recorder()], 0.05, last_outage=lambda: last[0], follow_up=0.1)
    monitor.start()
    try:
        wait_for(lambda: runs, what="the first check")
        count = len(runs)
        last[0] = 1.0
        wait_for(lambda: len(runs) > count, what="a check after the outage")
    finally:
        monitor.stop()
