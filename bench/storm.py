"""Measure a storm: 10,000 failures from 40 sites within 60 s, from the webhooks to the messages in Slack."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from bench.server import ROOT, TOKEN, await_condition, environment, serving
from simulator import Config, Running, running

SITES, WORKBOOKS = 40, 2000
# Each workbook fails so often, as with a schedule that runs again at once.
TIMES = 5
SECONDS = float(os.environ.get("STORM_SECONDS", "60"))
LIMIT_SECONDS = 600.0
SENDERS = 8
BODY = (
    '{"resource":"EXTRACTS","event_type":"WorkbookRefreshFailed","resource_name":"Report %d",'
    '"site_luid":"%08x-0000-4000-8000-000000000000","resource_luid":"%08x-1111-4000-8000-000000000000",'
    '"created_at":"%s","text":""}'
)
RULES = """
[[rule]]
name = "Refresh failures"
on = "*RefreshFailed"
notify = "slack:#bi"
"""
RIGHT = "SELECT count(*) FROM incidents WHERE state = 'open' AND failures = ?"
OPEN_JOBS = "SELECT count(*) FROM jobs WHERE state IN (0, 1)"


def run() -> None:
    """Print when the incidents were right, when Slack showed all of them, and what Slack refused."""
    print(f"\n{WORKBOOKS * TIMES} failures of {WORKBOOKS} workbooks from {SITES} sites within {SECONDS:.0f} s, SQLite")
    with tempfile.TemporaryDirectory() as name, running(Config(refresh_seconds=0, slack_rate_limits=True)) as site:
        folder = Path(name)
        settings = {**environment(folder), **site.environment, "WEBHOOK_TOKEN": TOKEN, "WEB_CONCURRENCY": "2"}
        settings["RULES_FILE"] = str(folder / "storm.toml")
        (folder / "storm.toml").write_text(RULES)
        with serving("index:app", ROOT / "gunicorn.conf.py", settings) as port:
            _measure(port, site, folder / "inbox.sqlite3")


def _measure(port: int, site: Running, database: Path) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS + 1) as pool:
        first = pool.submit(await_condition, lambda: len(site.world.slack.messages) > 0, LIMIT_SECONDS)
        statuses = sum(pool.map(lambda sender: _send(port, sender, began), range(SENDERS)), Counter[int]())
    sent = time.monotonic() - began
    right = await_condition(lambda: _number(database, RIGHT, TIMES) == WORKBOOKS, LIMIT_SECONDS) - began
    print(f"responses {dict(statuses)}; sent after {sent:.1f} s, all incidents right after {right:.1f} s", flush=True)

    def is_shown() -> bool:
        return any(f"{WORKBOOKS} refreshes" in one.text for one in site.world.slack.messages)

    shown = await_condition(is_shown, LIMIT_SECONDS) - began
    ended = await_condition(lambda: _number(database, OPEN_JOBS) == 0, LIMIT_SECONDS) - began
    channels = Counter(one.channel for one in site.world.slack.messages if not one.thread_ts)
    refused = sum(one.target == "slack" and one.status == 429 for one in site.world.calls.log)
    print(
        f"first message after {first.result() - began:.1f} s, all listed after {shown:.1f} s, last job ended after "
        f"{ended:.1f} s; messages {dict(channels)}, {refused} answers 429",
        flush=True,
    )


def _send(port: int, sender: int, began: float) -> Counter[int]:
    """Send the share of one sender evenly over the time, and return how often each status came."""
    statuses, url = Counter[int](), f"http://127.0.0.1:{port}/webhook/{TOKEN}"
    total = WORKBOOKS * TIMES
    start = datetime.now(UTC) - timedelta(minutes=TIMES)
    with requests.Session() as session:
        for number in range(sender, total, SENDERS):
            time.sleep(max(0.0, began + number * SECONDS / total - time.monotonic()))
            workbook = number % WORKBOOKS
            created = start + timedelta(minutes=number // WORKBOOKS)
            body = BODY % (workbook, workbook % SITES + 1, workbook, f"{created:%Y-%m-%dT%H:%M:%SZ}")
            statuses[session.post(url, data=body, timeout=30).status_code] += 1
    return statuses


def _number(database: Path, query: str, *values: int) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        return int(connection.execute(query, values).fetchone()[0])
