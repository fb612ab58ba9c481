"""Acknowledged events a second, beside a bare Flask endpoint under the same gunicorn settings."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.server import ROOT, Load, load, ours, serving

ROUNDS = 5
SECONDS = 4
CONNECTIONS = 16


def run() -> None:
    """Five alternating rounds of both; prints a row each and the medians."""
    print(f"Acknowledged events, {CONNECTIONS} connections, {SECONDS} s a round, SQLite with synchronous=FULL")
    print(
        f"{'round':>6} {'ours/s':>9} {'bare/s':>9} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8} {'worst':>9} {'errors':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        ours_there = serving("index:app", ROOT / "gunicorn.conf.py", ours(Path(folder)))
        bare_there = serving("bench.bare:app", ROOT / "bench" / "gunicorn_bare.py", {})
        with ours_there as our_port, bare_there as bare_port:
            rounds = [_round(number, our_port, bare_port) for number in range(ROUNDS + 1)]
    _summary(rounds[1:])


def _round(number: int, our_port: int, bare_port: int) -> tuple[Load, Load]:
    """Round 0 warms up and is short; odd rounds begin with ours, even ones with the bare one."""
    seconds = SECONDS if number else 1
    ports = [our_port, bare_port] if number % 2 else [bare_port, our_port]
    seen = {port: load(port, seconds=seconds, connections=CONNECTIONS, seed=number) for port in ports}
    ours_seen, bare_seen = seen[our_port], seen[bare_port]
    if number:
        print(_row(str(number), ours_seen, bare_seen))
    return ours_seen, bare_seen


def _row(name: str, ours_seen: Load, bare_seen: Load) -> str:
    ratio = ours_seen.rate / bare_seen.rate
    return (
        f"{name:>6} {ours_seen.rate:9.0f} {bare_seen.rate:9.0f} {ratio:6.2f} {ours_seen.p50:8.1f} {ours_seen.p99:8.1f} "
        f"{ours_seen.worst:9.1f} {ours_seen.errors:7d}"
    )


def _summary(rounds: list[tuple[Load, Load]]) -> None:
    ratio = statistics.median(a.rate / b.rate for a, b in rounds)
    p50 = statistics.median(a.p50 for a, _ in rounds)
    p99 = statistics.median(a.p99 for a, _ in rounds)
    print(f"median ratio {ratio:.2f}, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
