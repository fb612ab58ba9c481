"""Measure messages that wait for the limit of one channel: the rate at which they are posted, and their attempts."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.burst import ONE_CHANNEL, await_messages, failed_refreshes, simulated_server
from bench.sender import send
from simulator import Config, running

MESSAGES = int(os.environ.get("WAITING_MESSAGES", "60"))
ATTEMPTS = "SELECT attempts FROM jobs ORDER BY attempts"


def run() -> None:
    """Print how long the messages took, beside Slack's limit of one a second, and how often each was attempted."""
    print(f"\n{MESSAGES} messages at once to one channel, one for each failure, SQLite")
    with tempfile.TemporaryDirectory() as name, running(Config(refresh_seconds=0, slack_rate_limits=True)) as site:
        events = failed_refreshes(site, MESSAGES)
        with simulated_server(Path(name), site, {"WEB_CONCURRENCY": "2"}, rules=ONE_CHANNEL) as (port, _):
            began = time.monotonic()
            send(port, events)
            first = await_messages(site, 1)
            seconds = await_messages(site, MESSAGES) - first
            with closing(sqlite3.connect(Path(name) / "inbox.sqlite3")) as connection:
                attempts = [row[0] for row in connection.execute(ATTEMPTS)]
        refused = sum(one.target == "slack" and one.status == 429 for one in site.world.calls.log)
    print(
        f"first after {first - began:.1f} s, {(MESSAGES - 1) / seconds:.2f} messages a second, attempts: median "
        f"{attempts[len(attempts) // 2]}, most {attempts[-1]}; {refused} answers 429",
        flush=True,
    )
