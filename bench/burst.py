"""Measure 200 refreshes that fail at once: the time to the first and the last message, REST calls, processor time."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench import postgres
from bench.sender import send
from bench.server import ROOT, TOKEN, await_condition, environment, serving
from simulator import Config, Running, running
from simulator.slack.workspace import Channel
from simulator.world.events import EventRequest, simulate_event
from webhooks.inbox import Inbox, Migrate
from webhooks.monitor import history

FAILURES = 200
TABLEAU_SECONDS = 0.15
SLACK_SECONDS = 0.1
# Slack is unavailable for this long from the beginning, so that every job has to retry.
OUTAGE_SECONDS = 10.0
LIMIT_SECONDS = 180.0
# Messages to one channel keep to Slack's limit of one a second, so each failure has a channel; other measurements have
# more failures. All channels of a workspace share a limit of 300 messages a minute, of which 200 may be sent at once.
CHANNELS = 500
CHANNEL_ID = "C9{:08d}"
RULE = """
[[rule]]
name = "Failures {0}"
on = "*RefreshFailed"
each = true
notify = "slack:{1}"
where.name = "Report {0}"
"""
ONE_CHANNEL = """
[[rule]]
name = "Refresh failures"
on = "*RefreshFailed"
each = true
notify = "slack:#bi"
"""


def run() -> None:
    """Measure both databases, with Slack available and with Slack unavailable for ten seconds."""
    print(
        f"\n{FAILURES} failures at once, one message each, each to a channel of its own; "
        f"Tableau takes {TABLEAU_SECONDS * 1000:.0f} ms a call, Slack {SLACK_SECONDS * 1000:.0f} ms"
    )
    _measure("SQLite", {})
    _measure(f"SQLite, Slack unavailable for {OUTAGE_SECONDS:.0f} s", {}, outage=True)
    if postgres.binaries():
        with postgres.Server() as server:
            _measure("PostgreSQL", {"DATABASE_URL": server.url()})
            title = f"PostgreSQL, Slack unavailable for {OUTAGE_SECONDS:.0f} s"
            _measure(title, {"DATABASE_URL": server.url()}, outage=True)


def _measure(title: str, variables: dict[str, str], *, outage: bool = False) -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        running(Config(refresh_seconds=0)) as site,
        simulated_server(Path(name), site, variables) as (port, process),
    ):
        # The failures happen while the server runs; otherwise it would import them as history meanwhile.
        _await_history(variables.get("DATABASE_URL") or f"sqlite:///{Path(name) / 'inbox.sqlite3'}")
        events = failed_refreshes(site, FAILURES)
        _slow_down(site)
        send(port, events[:1])
        await_messages(site, 1)
        first_message = len(site.world.slack.messages)
        first_call, processor = len(site.world.calls.log), _processor_seconds(process)
        if outage:
            site.world.faults.add({"kind": "error", "target": "slack", "code": "service_unavailable"})
        began = send(port, events[1:])
        acknowledged = time.time() - began
        if outage:
            time.sleep(max(0.0, OUTAGE_SECONDS - acknowledged))
            site.world.faults.remove()
            _slow_down(site)
        await_messages(site, FAILURES)
        sent = sorted(one.at.timestamp() - began for one in site.world.slack.messages[first_message:])
        processor = _processor_seconds(process) - processor
        calls = Counter(
            f"{one.method} {one.rule}" for one in list(site.world.calls.log)[first_call:] if one.target == "tableau"
        )
    print(
        f"{title:<36} acknowledged {acknowledged:5.1f} s, first message {sent[0]:5.2f} s, last {sent[-1]:5.1f} s, "
        f"{sum(calls.values()) / (FAILURES - 1):.2f} REST calls and {processor * 1000 / (FAILURES - 1):.1f} ms of "
        "processor time each"
    )
    for call, number in calls.most_common():
        print(f"{number:8d} {call}", flush=True)


def _await_history(url: str) -> None:
    inbox = Inbox.open(url, migrate=Migrate.NEVER)
    try:
        await_condition(lambda: (inbox.state.get(history.STATE) or {}).get("complete", False), LIMIT_SECONDS)
    finally:
        inbox.close()


def failed_refreshes(site: Running, number: int) -> list[dict[str, Any]]:
    """Let the refreshes of as many workbooks fail, and return the webhooks."""
    world, home = site.world, site.world.home
    published = [
        simulate_event(world, home, EventRequest("WorkbookCreated", name=f"Report {each}")) for each in range(number)
    ]
    luids = [str(one["resource_luid"]) for one in published]
    return [simulate_event(world, home, EventRequest("WorkbookRefreshFailed", luid=luid)) for luid in luids]


def _slow_down(site: Running) -> None:
    site.world.faults.add({"kind": "delay", "target": "tableau", "seconds": TABLEAU_SECONDS})
    site.world.faults.add({"kind": "delay", "target": "slack", "seconds": SLACK_SECONDS})


@contextmanager
def simulated_server(
    folder: Path, site: Running, variables: dict[str, str], *, rules: str = ""
) -> Iterator[tuple[int, psutil.Process]]:
    """Serve with the simulated Tableau and Slack, and yield the port and the master process.

    Without `rules` each failure is sent to a channel of its own.
    """
    settings = {
        **environment(folder),
        **site.environment,
        **variables,
        "WEBHOOK_TOKEN": TOKEN,
        "MESSAGES_PER_HOUR": "0",
    }
    settings["RULES_FILE"] = str(folder / "burst.toml")
    each = (RULE.format(number, CHANNEL_ID.format(number)) for number in range(CHANNELS))
    (folder / "burst.toml").write_text(rules or "".join(each))
    for number in range(CHANNELS):
        channel = Channel(CHANNEL_ID.format(number), f"bi-{number}")
        site.world.slack.channels[channel.id] = channel
    with serving("index:app", ROOT / "gunicorn.conf.py", settings) as port:
        masters = [
            child
            for child in psutil.Process().children()
            if any(one.laddr.port == port for one in child.net_connections("inet"))
        ]
        yield port, masters[0]


def await_messages(site: Running, number: int) -> float:
    """Return the monotonic time at which Slack has this many messages. Raises TimeoutError."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while len(site.world.slack.messages) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Slack has {len(site.world.slack.messages)} of {number} messages")
        time.sleep(0.01)
    return time.monotonic()


def _processor_seconds(master: psutil.Process) -> float:
    """Return the processor time of the master and its workers."""
    times = [each.cpu_times() for each in [master, *master.children(recursive=True)]]
    return sum(one.user + one.system for one in times)
