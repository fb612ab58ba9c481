"""Measure rules: 1,000 of them against one event, and the back-test of 100,000 stored events.

The goals are a median under 1 ms per event, and 30 s for the back-test. The simulator's samples are the events; half of
the rules name the content, the others have conditions that only Tableau can answer.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Insert, insert

from webhooks.clock import utc_now
from webhooks.config.settings import Settings
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.inbox.events.tables import PLANNED, events
from webhooks.inbox.jobs.tables import jobs
from webhooks.job import JobState
from webhooks.registry import registry
from webhooks.rules import Rules
from webhooks.rules import parse as parse_rules
from webhooks.services import Services
from webhooks.views.backtest import Comparison

RULES, EVENTS, BATCH = 1000, 100_000, 5000
EVENT_TYPES = ("WorkbookRefreshFailed", "WorkbookRefreshSucceeded", "DatasourceRefreshFailed", "WorkbookUpdated")
CONTENTS = 500


def run() -> None:
    """Measure both, and print the figures."""
    registry.load()
    rules = many_rules()
    seconds = []
    for event in many_events(400):
        started = time.perf_counter()
        rules.jobs(event)
        seconds.append(time.perf_counter() - started)
    print(f"{RULES:,} rules against one event: median {statistics.median(seconds) * 1000:.2f} ms, ", end="")
    print(f"slowest {max(seconds) * 1000:.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        _backtest(Path(folder))


def many_rules(number: int = RULES) -> Rules:
    """Return as many rules, which select the same event types."""
    text = "".join(
        f'[[rule]]\nname = "Rule {one}"\non = ["*RefreshFailed", "*Updated"]\n'
        + (f'where.name = "Content {one}*"\n' if one % 2 else f'where = {{ project = "P{one}", hour = "0-23" }}\n')
        + f'notify = "slack:#channel-{one % 50}"\n'
        for one in range(number)
    )
    return parse_rules(text, registry.actions)


def many_events(number: int) -> Iterator[Event]:
    """Yield events of the last days, oldest first."""
    start = utc_now() - timedelta(days=6)
    for one in range(number):
        payload = {
            "resource": "WORKBOOK",
            "event_type": EVENT_TYPES[one % len(EVENT_TYPES)],
            "resource_name": f"Content {one % CONTENTS}",
            "resource_luid": f"00000000-0000-4000-8000-{one % CONTENTS:012}",
            "site_luid": "6b7a3f8e-5d6d-4c8c-9b0b-a1a2a3a4a5a6",
            "created_at": f"{start + timedelta(seconds=5 * one):%Y-%m-%dT%H:%M:%SZ}",
        }
        event = parse(json.dumps(payload).encode())
        assert event
        yield event


def _backtest(folder: Path) -> None:
    settings = Settings.read(_env_file=None, database_url=f"sqlite:///{folder / 'inbox.sqlite3'}", worker_threads=0)
    services = Services(settings)
    fill(services.inbox, EVENTS)
    comparison = Comparison(services.planner_for(many_rules(20)))
    started, processor = time.perf_counter(), time.process_time()
    after = 0
    while records := services.inbox.events.list(after=after, limit=500):
        for record in records:
            comparison.add(record)
        after = records[-1].event.id or 0
    seconds = time.perf_counter() - started
    processor = time.process_time() - processor
    print(
        f"Back-test of {comparison.events:,} stored events with 20 rules: {seconds:.1f} s ({processor:.1f} s processor)"
    )
    services.stop()


def execute(statement: Insert, rows: list[dict[str, object]], connection: Connection) -> None:
    """Insert the rows within a transaction."""
    connection.execute(statement, rows)


def fill(inbox: Inbox, number: int) -> None:
    """Store events with a finished job each, without planning them."""
    received = utc_now().timestamp()
    batch: list[Event] = []

    def save() -> None:
        rows = [
            {
                "fingerprint": event.fingerprint,
                "body": event.body,
                "event_type": event.event_type,
                "resource_luid": event.resource_luid,
                "resource_name": event.resource_name,
                "site_luid": event.site_luid,
                "received_at": received,
                "state": PLANNED,
            }
            for event in batch
        ]
        inbox.store.write(partial(execute, insert(events), rows))
        batch.clear()

    for event in many_events(number):
        batch.append(event)
        if len(batch) == BATCH:
            save()
    if batch:
        save()
    job = {"handler": "notify", "rule": "Rule 1", "params": '{"to": "slack:#channel-1"}', "conditions": "{}"}
    state = {"state": JobState.DONE, "attempts": 1, "max_attempts": 20, "due_at": 0.0, "created_at": received}
    for start in range(1, number + 1, BATCH):
        rows = [
            {"event_id": one, "key": "Rule 1/notify/slack:#channel-1", **job, **state}
            for one in range(start, min(start + BATCH, number + 1))
        ]
        inbox.store.write(partial(execute, insert(jobs), rows))
