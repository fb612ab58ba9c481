"""Acknowledged events a second, beside a bare Flask endpoint under the same gunicorn settings."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import postgres
from bench.disk import slow
from bench.server import ROOT, Load, load, ours, serving

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 16
HEADINGS = (
    f"{'round':>6} {'ours/s':>9} {'bare/s':>9} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8} {'worst':>9} {'errors':>7}"
)


def run() -> None:
    """SQLite, PostgreSQL, and SQLite on a slow disk."""
    measure("SQLite, synchronous=FULL")
    if postgres.binaries():
        with postgres.Server() as server:
            measure("PostgreSQL, synchronous_commit=on", url=server.url())
    else:
        print("PostgreSQL's server is not installed: left out")
    with tempfile.TemporaryDirectory() as folder:
        if (environment := slow(Path(folder))) is None:
            print("There is no C compiler: the slow disk is left out")
        else:
            measure("SQLite, every fsync 4 ms slower", environment=environment)


def measure(
    what: str,
    *,
    url: str = "",
    environment: Mapping[str, str] | None = None,
    rounds: int = ROUNDS,
    seconds: int = SECONDS,
) -> float:
    """Alternating rounds of both; prints a row each and the medians. Gives our events a second, the median."""
    print(f"\n{what}: {CONNECTIONS} connections, {seconds} s a round\n{HEADINGS}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        more = {**(environment or {}), **({"DATABASE_URL": url} if url else {})}
        our_port = stack.enter_context(serving("index:app", ROOT / "gunicorn.conf.py", ours(folder, **more)))
        bare_port = stack.enter_context(serving("bench.bare:app", ROOT / "bench" / "gunicorn_bare.py", {}))
        seen = [_round(number, our_port, bare_port, seconds) for number in range(rounds + 1)]
    return _summary(seen[1:])


def _round(number: int, our_port: int, bare_port: int, seconds: int) -> tuple[Load, Load]:
    """Round 0 warms up and is short; odd rounds begin with ours, even ones with the bare one."""
    seconds = seconds if number else 1
    ports = [our_port, bare_port] if number % 2 else [bare_port, our_port]
    seen = {port: load(port, seconds=seconds, connections=CONNECTIONS, seed=number) for port in ports}
    ours_seen, bare_seen = seen[our_port], seen[bare_port]
    if number:
        print(_row(str(number), ours_seen, bare_seen), flush=True)
    return ours_seen, bare_seen


def _row(name: str, ours_seen: Load, bare_seen: Load) -> str:
    ratio = ours_seen.rate / bare_seen.rate
    return (
        f"{name:>6} {ours_seen.rate:9.0f} {bare_seen.rate:9.0f} {ratio:6.2f} {ours_seen.p50:8.1f} {ours_seen.p99:8.1f} "
        f"{ours_seen.worst:9.1f} {ours_seen.errors:7d}"
    )


def _summary(rounds: list[tuple[Load, Load]]) -> float:
    ratio = statistics.median(a.rate / b.rate for a, b in rounds)
    p50 = statistics.median(a.p50 for a, _ in rounds)
    p99 = statistics.median(a.p99 for a, _ in rounds)
    print(f"median ratio {ratio:.2f}, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return statistics.median(a.rate for a, _ in rounds)
