"""Compare an empty inbox with one that holds a million events."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import Connection, text

from bench import postgres
from bench.drain import drain
from bench.idle import same_process
from bench.workers import BODY, event
from webhooks.inbox import Inbox

MILLION = 1_000_000
ROUNDS = 9
RECEIVED = 1500
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, :many)) ",
}
FINGERPRINT = {
    # Like real ones: ordered by time, then random (webhooks/event.py).
    "sqlite": "x'11' || CAST(printf('%05x', i) AS BLOB) || randomblob(26)",
    "postgresql": "decode('11' || lpad(to_hex(i), 10, '0'), 'hex') || substr(sha256(i::text::bytea), 1, 26)",
}
FILL = {
    "events": "fingerprint, body, event_type, resource_luid, resource_name, site_luid, received_at, state",
    "jobs": "event_id, key, handler, state, attempts, max_attempts, due_at, created_at, finished_at",
    "attempts": "job_id, number, worker, started_at, finished_at, outcome",
}
VALUES = {
    "events": "{fingerprint}, {body}, 'WorkbookUpdated', 'luid-' || i, 'Sales ' || i, 'site', 1700000000 + i, 1",
    "jobs": "i, 'R', 'notify', 2, 1, 20, 1700000000 + i, 1700000000 + i, 1700000000 + i",
    "attempts": "i, 1, 'w', 1700000000 + i, 1700000000 + i, 'done'",
}


def run() -> None:
    """Compare both databases; each round measures the empty inbox and the full one."""
    print(f"\nGrowth: {MILLION} events with a job and an attempt each, compared with an empty inbox; medians")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _compare("SQLite", f"sqlite:///{folder}/empty.sqlite3", f"sqlite:///{folder}/full.sqlite3", folder)
        if postgres.binaries():
            with postgres.Server() as server:
                _compare("PostgreSQL", server.url(), server.url(), folder)


def _compare(database: str, empty: str, full: str, folder: Path) -> None:
    began = time.monotonic()
    fill(full)
    print(f"{database}: filled in {time.monotonic() - began:.0f} s")
    pairs: dict[str, list[tuple[float, float]]] = {}
    for number in range(ROUNDS):
        sides = (empty, full) if number % 2 else (full, empty)
        results = {url: _measure(url, folder, 1000 * (number + 1)) for url in sides}
        for name in results[empty]:
            pairs.setdefault(name, []).append((results[empty][name], results[full][name]))
    for name, values in pairs.items():
        before, after = (statistics.median(side) for side in zip(*values, strict=True))
        # The median of the ratios: while the machine is slow, both values of a pair are affected.
        ratio = statistics.median(full_value / empty_value for empty_value, full_value in values)
        print(f"  {name:<28} empty {before:9.2f}   full {after:9.2f}   ratio {ratio:5.2f}", flush=True)


def _measure(url: str, folder: Path, series: int) -> dict[str, float]:
    """Return the figures of one inbox by name, in milliseconds."""
    inbox = Inbox.open(url)
    began, worked = time.monotonic(), time.process_time()
    for number in range(RECEIVED):
        inbox.events.receive(event(series, number))
    received = (time.monotonic() - began) / RECEIVED * 1000
    cpu = (time.process_time() - worked) / RECEIVED * 1000
    inbox.events.plan(lambda _: [], limit=10 * RECEIVED)
    began = time.monotonic()
    inbox.counts()
    counted = (time.monotonic() - began) * 1000
    began = time.monotonic()
    inbox.events.list()
    listed = (time.monotonic() - began) * 1000
    inbox.close()
    return {
        "acknowledge one, ms": received,
        "acknowledge one, CPU ms": cpu,
        "drain, ms an event": 1000 / drain(url, folder, series + 1, count=1000),
        "idle latency, ms": statistics.median(same_process(url, series + 2)) * 1000,
        "figures for /metrics, ms": counted,
        "newest 50 events, ms": listed,
    }


def fill(url: str, count: int = MILLION) -> None:
    """Insert finished events with one job and one attempt each, with SQL that generates the rows."""
    inbox = Inbox.open(url)

    def insert(connection: Connection, table: str) -> None:
        dialect = connection.dialect.name
        body = (BODY % (7, 7, 7, 7)).replace(":", r"\:")
        literal = f"CAST('{body}' AS BLOB)" if dialect == "sqlite" else rf"'{body}'\:\:text\:\:bytea"
        fingerprint = FINGERPRINT[dialect].replace("::", r"\:\:")
        values = VALUES[table].replace("{fingerprint}", fingerprint).replace("{body}", literal)
        numbers = NUMBERS[dialect]
        connection.execute(
            text(f"{numbers} INSERT INTO {table} ({FILL[table]}) SELECT {values} FROM n"), {"many": count}
        )

    for table in FILL:
        inbox.store.write(lambda connection, table=table: insert(connection, table), timeout=600)  # type: ignore[misc]
    inbox.store.reclaim_space()
    inbox.close()
