"""Measure acknowledged events per second, compared with a bare Flask endpoint under the same gunicorn settings."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench import postgres
from bench.disk import slow_disk
from bench.server import ROOT, Load, environment, load, serving

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 16
CONFIG = ROOT / "gunicorn.conf.py"
# The same settings, but the processes start no worker.
BARE_CONFIG = ROOT / "bench" / "gunicorn_bare.py"
HEADINGS = (
    f"{'round':>6} {'ours/s':>9} {'bare/s':>9} {'ratio':>6} {'p50 ms':>8} {'p99 ms':>8} {'worst':>9} {'errors':>7}"
)


def run() -> None:
    """Measure SQLite without and with the worker, PostgreSQL, and SQLite on a slow disk."""
    measure("SQLite, without the worker", config=BARE_CONFIG)
    measure("SQLite")
    if postgres.binaries():
        with postgres.Server() as server:
            measure("PostgreSQL, synchronous_commit=on", {"DATABASE_URL": server.url()})
    else:
        print("PostgreSQL is not installed: skipped")
    with tempfile.TemporaryDirectory() as folder:
        variables = slow_disk(Path(folder))
        if variables is None:
            print("No C compiler is installed: the slow disk is skipped")
        else:
            measure("SQLite, every fsync 4 ms slower", variables)


def measure(
    title: str, variables: Mapping[str, str] | None = None, *, config: Path = CONFIG, rounds: int = ROUNDS
) -> float:
    """Print alternating rounds of both servers and the medians; return the median of our events per second."""
    print(f"\n{title}: {CONNECTIONS} connections, {SECONDS} s a round\n{HEADINGS}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        our_port = stack.enter_context(serving("index:app", config, environment(folder, **(variables or {}))))
        bare_port = stack.enter_context(serving("bench.bare:app", BARE_CONFIG, {}))
        _measure_round(0, our_port, bare_port, seconds=1)  # warms up
        pairs = []
        for number in range(1, rounds + 1):
            ours, bare = _measure_round(number, our_port, bare_port, seconds=SECONDS)
            pairs.append((ours, bare))
            print(
                f"{number:6d} {ours.rate:9.0f} {bare.rate:9.0f} {ours.rate / bare.rate:6.2f} {ours.p50:8.1f} "
                f"{ours.p99:8.1f} {ours.worst:9.1f} {ours.errors:7d}",
                flush=True,
            )
    ratio = statistics.median(ours.rate / bare.rate for ours, bare in pairs)
    p50, p99 = (statistics.median(getattr(ours, name) for ours, _ in pairs) for name in ("p50", "p99"))
    print(f"median ratio {ratio:.2f}, p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    return statistics.median(ours.rate for ours, _ in pairs)


def _measure_round(number: int, our_port: int, bare_port: int, *, seconds: int) -> tuple[Load, Load]:
    """Load both servers one after the other; odd rounds begin with ours, even ones with the bare one."""
    ports = [our_port, bare_port] if number % 2 else [bare_port, our_port]
    results = {port: load(port, seconds=seconds, connections=CONNECTIONS, seed=number) for port in ports}
    return results[our_port], results[bare_port]
