"""Measure the memory of the server's processes after 10,000 events, compared with bare Flask."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from bench.server import ROOT, environment, load, serving

EVENTS = 10_000


def run() -> None:
    """Print the proportional set size of all processes of both servers, and the ratio."""
    print(f"\nMemory after at least {EVENTS} events (proportional set size of all processes)")
    with tempfile.TemporaryDirectory() as folder:
        ours = _measure("index:app", ROOT / "gunicorn.conf.py", environment(Path(folder)))
    bare = _measure("bench.bare:app", ROOT / "bench" / "gunicorn_bare.py", {})
    print(f"ours {ours:.0f} MB, bare {bare:.0f} MB, ratio {ours / bare:.2f}")


def _measure(app: str, config: Path, variables: dict[str, str]) -> float:
    """Return the megabytes of the master and its workers."""
    with serving(app, config, variables) as port:
        sent, seed = 0.0, 1
        while sent < EVENTS:
            sent += load(port, seconds=3, connections=16, seed=seed).rate * 3
            seed += 1
        total = 0.0
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                ports = [one.laddr.port for one in process.net_connections("inet") if one.status == "LISTEN"]
                total += process.memory_full_info().pss if port in ports else 0
        return total / 1e6
