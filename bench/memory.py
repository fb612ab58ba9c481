"""Measure the memory of the server's processes after 500 notified failures, compared with bare Flask."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from bench.burst import await_messages, failed_refreshes, send, simulated_server
from bench.server import ROOT, load, serving
from simulator import Config, running

FAILURES = 500
# More rounds show whether the memory still grows.
ROUNDS = 3


def run() -> None:
    """Print the proportional set size of all processes of both servers, and the ratio."""
    print(f"\nMemory after {FAILURES} failures that were notified (proportional set size of all processes)")
    ours = _measure_ours()
    with serving("bench.bare:app", ROOT / "bench" / "gunicorn_bare.py", {}) as port:
        load(port, seconds=3, connections=16, seed=1)
        bound = {one: {each.laddr.port for each in one.net_connections("inet")} for one in psutil.Process().children()}
        bare = _memory(next(one for one, ports in bound.items() if port in ports))
    print(f"ours {' → '.join(f'{one:.0f}' for one in ours)} MB, bare {bare:.0f} MB, ratio {ours[0] / bare:.2f}")


def _measure_ours() -> list[float]:
    """Return the megabytes after each of the rounds."""
    found = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Config(refresh_seconds=0)) as site,
        simulated_server(Path(folder), site, {}) as (port, master),
    ):
        for number in range(1, ROUNDS + 1):
            send(port, failed_refreshes(site, FAILURES))
            await_messages(site, number * FAILURES)
            found.append(_memory(master))
    return found


def _memory(master: psutil.Process) -> float:
    """Return the megabytes of the master and its workers."""
    total = 0.0
    for process in (master, *master.children(recursive=True)):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6
