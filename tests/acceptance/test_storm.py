"""A database is unavailable, and 200 refreshes fail within seconds: few messages, none lost, no limit exceeded."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Config, Running, running
from simulator.world.events import EventRequest, simulate_event
from tests.support.server import Server, serving, wait_for

FAILURES = 200
# Shorter than the three minutes that it may take in the field.
STORM_SECONDS = 20.0
RULES = """
[[rule]]
name = "Refresh failures"
on = "*RefreshFailed"
notify = ["slack:#bi", "owner"]
"""

pytestmark = pytest.mark.second_stage


def workbooks(site: Running, number: int) -> list[dict[str, Any]]:
    """Publish this many workbooks, and return the webhooks of their failed refreshes."""
    published = [
        simulate_event(site.world, site.world.home, EventRequest("WorkbookCreated", name=f"Report {each}"))
        for each in range(number)
    ]
    return [{**one, "resource": "EXTRACTS", "event_type": "WorkbookRefreshFailed", "text": ""} for one in published]


def send(servers: list[Server], events: list[dict[str, Any]], seconds: float) -> None:
    """Send the events evenly over this time to the servers in turn."""
    began = time.monotonic()

    def post(numbered: tuple[int, dict[str, Any]]) -> int:
        number, event = numbered
        time.sleep(max(0.0, began + number * seconds / len(events) - time.monotonic()))
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        hook = servers[number % len(servers)].hook
        return requests.post(hook, json={**event, "created_at": created}, timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(post, enumerate(events))) == {200: len(events)}


@pytest.mark.timeout(400)
def test_two_servers_send_few_messages_about_a_storm(tmp_path: Path) -> None:
    """The first message comes within 5 s; a channel gets at most 3, each owner 1; Slack never has to limit the rate."""
    (tmp_path / "rules.toml").write_text(RULES)
    with running(Config(refresh_seconds=0, slack_rate_limits=True)) as site:
        settings = {**site.environment, "RULES_FILE": str(tmp_path / "rules.toml")}
        with serving(tmp_path, settings) as first, serving(tmp_path, settings) as second:
            events = workbooks(site, FAILURES)
            with ThreadPoolExecutor(1) as pool:
                began = time.monotonic()
                sending = pool.submit(send, [first, second], events, STORM_SECONDS)
                wait_for(lambda: site.world.slack.messages, seconds=30, what="the first message")
                first_after = time.monotonic() - began
                sending.result()

            def listed() -> bool:
                texts = [one.text for one in site.world.slack.messages if not one.thread_ts]
                return any(f"{FAILURES} refreshes" in text for text in texts)

            wait_for(listed, seconds=180, what="all failures to be listed")
            wait_for(lambda: not open_jobs(tmp_path), seconds=180, what="all jobs to end")
            messages = [one for one in site.world.slack.messages if not one.thread_ts]
            per_channel = Counter(one.channel for one in messages)
            assert max(per_channel.values()) <= 3, per_channel
            of_owners = {channel: number for channel, number in per_channel.items() if channel.startswith("D")}
            assert of_owners
            assert set(of_owners.values()) == {1}, of_owners
            assert first_after < 5
            assert limited(site) == []


@pytest.mark.timeout(300)
def test_messages_outside_incidents_stay_within_the_limits(tmp_path: Path) -> None:
    """Twenty publications and failures with `each` at once are all reported, and Slack never has to limit the rate."""
    rules = '[[rule]]\nname = "R"\non = ["WorkbookCreated", "*RefreshFailed"]\neach = true\nnotify = "slack:#bi"\n'
    (tmp_path / "rules.toml").write_text(rules)
    with running(Config(refresh_seconds=0, slack_rate_limits=True)) as site:
        settings = {**site.environment, "RULES_FILE": str(tmp_path / "rules.toml")}
        with serving(tmp_path, settings) as first, serving(tmp_path, settings) as second:
            failures = workbooks(site, 10)
            published = [{**one, "resource": "WORKBOOK", "event_type": "WorkbookCreated"} for one in failures]
            send([first, second], [*failures, *published], 0.1)
            wait_for(lambda: len(site.world.slack.messages) == 20, seconds=180, what="all messages")
            wait_for(lambda: not open_jobs(tmp_path), seconds=60, what="all jobs to end")
            assert len(site.world.slack.messages) == 20
            assert limited(site) == []


def open_jobs(folder: Path) -> int:
    """Return how many jobs have not ended; a command for each look would slow the servers down."""
    with closing(sqlite3.connect(f"file:{folder / 'inbox.sqlite3'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM jobs WHERE state IN (0, 1)").fetchone()[0])


def limited(site: Running) -> list[str]:
    """Return the methods that Slack refused because of their rate."""
    return [one.path for one in site.world.calls.log if one.target == "slack" and one.status == 429]
