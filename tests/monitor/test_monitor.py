"""The thread that runs the checks: one process at a time, and the server as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from simulator import Running
from tests.support.databases import Clock, opened, sqlite_url
from tests.support.server import serving, wait_for
from tests.support.simulated_site import DESIRED, TOKEN, RunFlask, registered_webhooks, slack_messages
from webhooks.event import MONITOR, build
from webhooks.inbox import Inbox
from webhooks.monitor import Monitor
from webhooks.monitor.assembly import WATCH_MINUTES
from webhooks.monitor.monitor import LEASE_SECONDS, RENEW_SECONDS
from webhooks.services import Services

__all__ = ["opened", "sqlite_url"]

URL = f"https://hooks.example.org/webhook/{TOKEN}"


@dataclass
class Recorder:
    """A check that records its runs, and fails if it is asked to."""

    fails: bool = False
    runs: list[datetime] = field(default_factory=list)

    def run(self, now: datetime) -> None:
        self.runs.append(now)
        if self.fails:
            raise ValueError("unexpected")


Start = Callable[..., Monitor]


@pytest.fixture
def start(inbox: Inbox) -> Iterator[Start]:
    """Start monitors on one inbox, as many processes do."""
    monitors: list[Monitor] = []

    def start(*checks: Recorder) -> Monitor:
        monitor = Monitor(inbox, checks, 0.002)
        monitor.start()
        monitors.append(monitor)
        return monitor

    yield start
    for monitor in monitors:
        monitor.stop()


def test_only_one_of_many_monitors_checks_and_another_takes_over(start: Start) -> None:
    """Another one begins as soon as the first one stops."""
    first, second = Recorder(), Recorder()
    monitor = start(first)
    wait_for(lambda: first.runs, what="the first check")
    start(second)
    time.sleep(0.3)
    assert second.runs == []
    monitor.stop()
    wait_for(lambda: second.runs, what="the second monitor to take over")


def test_failing_check_does_not_stop_the_monitor(start: Start) -> None:
    """It is logged, the checks after it run, and it runs again."""
    failing, other = Recorder(fails=True), Recorder()
    start(failing, other)
    wait_for(lambda: len(failing.runs) > 2 and len(other.runs) > 2, what="more runs")


def test_alert_goes_to_the_dead_letter_destinations(services: Services) -> None:
    """Rules do not apply to alerts, so that `on = "*"` does not announce them twice."""
    event = build("WebhooksDrifted", origin=MONITOR, resource_name="x", resource_luid="1")
    jobs = [(job.handler, dict(job.params)) for job in services.planner.jobs(event)]
    assert jobs == [("monitor_alert", {"to": "slack:#bi"})]


def test_server_monitors_its_webhooks_and_alerts(
    site: Running, tmp_path: Path, rules_file: Path, flask: RunFlask
) -> None:
    """A real server with two processes: a disabled webhook is reported once and enabled again."""
    assert flask("webhooks", "sync", "--url", "https://hooks.example.org").exit_code == 0
    with site.world.lock:
        webhook = next(one for one in registered_webhooks(site) if one.event == "WorkbookCreated")
        webhook.is_enabled, webhook.status_change_reason = False, "too many failures"
    more = {"WEBHOOK_URL": URL, "RULES_FILE": str(rules_file), "WATCH_MINUTES": "0.02"}
    with serving(tmp_path, site.environment, **more):
        wait_for(lambda: slack_messages(site), seconds=30, what="the message")
        wait_for(lambda: all(one.is_enabled for one in registered_webhooks(site)), what="the repair")
        time.sleep(1.5)
    (message,) = slack_messages(site)
    assert "too many failures" in message
    assert len(registered_webhooks(site)) == len(DESIRED)
    sign_ins = site.world.sessions.sign_ins
    assert sum(count for who, count in sign_ins.items() if who.startswith("pat")) <= 2


def test_watch_is_taken_over_from_a_killed_server(opened: Callable[..., Inbox], sqlite_url: str) -> None:
    """Its lock expires, and another server watches within 45 seconds; the monitor's lock is another one."""
    clock, recorder = Clock(), Recorder()
    inbox = opened(sqlite_url, clock=clock)
    assert inbox.locks.acquire("watch", "killed", LEASE_SECONDS)
    assert inbox.locks.acquire("monitor", "other", LEASE_SECONDS)
    monitor = Monitor(inbox, [recorder], 0.002, lock="watch")
    monitor.start()
    try:
        time.sleep(0.3)
        assert recorder.runs == []
        clock.forward(LEASE_SECONDS + 1)
        wait_for(lambda: recorder.runs, what="the second server to take over")
    finally:
        monitor.stop()
    assert LEASE_SECONDS + RENEW_SECONDS + WATCH_MINUTES < 45
