"""Buttons of a server without a public address: two processes, one connection to Slack, and a kill."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Config, Running, running
from tests.acceptance.simulation import cause, slack_messages
from tests.support.server import Server, serving, wait_for
from webhooks.clock import utc_now
from webhooks.inbound.socket_mode import socket_status
from webhooks.inbox import Inbox, Migrate

pytestmark = [pytest.mark.second_stage, pytest.mark.timeout(240)]

# Seconds until another process is connected after a kill, and how many times as long a test on a busy machine may take.
TAKEOVER, BUSY = 45.0, 2


@pytest.fixture
def site() -> Iterator[Running]:
    """Run a simulated site whose Slack reports presses by Socket Mode."""
    with running(Config(refresh_seconds=0, slack_app_token="xapp-1-simulated")) as site:
        yield site


def message(site: Running) -> dict[str, Any]:
    """Return the message about Sales as it is shown now; empty before it was posted."""
    found = [one for one in slack_messages(site) if "Sales (workbook)" in one["text"] and not one["thread_ts"]]
    return found[0] if found else {}


def press(site: Running, button: str) -> dict[str, Any]:
    shown = message(site)
    body = {"channel": shown["channel"], "ts": shown["ts"], "user": "ben@acme.example", "button": button}
    pressed: dict[str, Any] = requests.post(f"{site.url}/simulator/slack/press", json=body, timeout=10).json()
    return pressed


def test_press_by_socket_mode_survives_a_kill(
    tmp_path: Path, site: Running, register: Callable[[Server], None]
) -> None:
    """The press changes the message; after the process with the connection is killed, another one connects in time."""
    simulated = site.environment | {"SLACK_SIGNING_SECRET": ""}
    with serving(tmp_path, simulated, WEB_CONCURRENCY="2", WORKER_THREADS="2") as server:
        register(server)
        inbox = Inbox.open(f"sqlite:///{tmp_path}/inbox.sqlite3", migrate=Migrate.NEVER)

        def owner() -> str:
            status = socket_status(inbox, utc_now())
            return "" if status.problem else status.owner

        first = wait_for(owner, what="the connection")
        assert requests.get(f"{server.url}/readyz", timeout=5).json() == {"status": "ready"}
        assert "tableau_webhooks_slack_socket_connected 1.0" in requests.get(f"{server.url}/metrics", timeout=5).text
        cause(site, event_type="WorkbookRefreshFailed", name="Sales", reason="Disk full")
        wait_for(lambda: "Disk full" in message(site).get("text", ""), what="the message")
        assert press(site, "Snooze 1 h")["error"] == ""
        wait_for(lambda: "Snoozed by: Ben Duarte" in message(site)["text"], what="the edit")

        # A job that is killed while it posts has to find out later what became of it.
        wait_for(lambda: not inbox.counts()["running"] + inbox.counts()["ready"], what="the end of the jobs")
        began = time.monotonic()
        os.kill(int(first.split(":")[1]), signal.SIGKILL)
        wait_for(lambda: owner() not in {"", first}, seconds=TAKEOVER * BUSY, what="another process")
        print(f"taken over after {time.monotonic() - began:.1f} s")
        assert site.world.slack.sockets.count == 1
        assert press(site, "Acknowledge")["error"] == ""
        wait_for(lambda: "Acknowledged by: Ben Duarte" in message(site)["text"], what="the edit")
        doctor = server.flask("doctor").stdout
        assert "connected to Slack's Socket Mode by" in " ".join(doctor.split())
        inbox.close()
        server.process.terminate()
        # The connection does not keep the server from stopping: it would be killed after 30 s.
        server.process.wait(25)
        assert site.world.slack.sockets.count == 0
