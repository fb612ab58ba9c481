"""What the server's processes hold after 10,000 events, beside bare Flask after as many requests."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil

from bench.server import ROOT, load, ours, serving

EVENTS = 10_000


def run() -> None:
    """Prints both and their ratio: proportional set size, all processes of the server together."""
    print(f"\nMemory after at least {EVENTS} events (proportional set size of all processes)")
    with tempfile.TemporaryDirectory() as folder:
        ours_there = _measured("index:app", ROOT / "gunicorn.conf.py", ours(Path(folder)))
    bare_there = _measured("bench.bare:app", ROOT / "bench" / "gunicorn_bare.py", {})
    print(f"ours {ours_there:.0f} MB, bare {bare_there:.0f} MB, ratio {ours_there / bare_there:.2f}")


def _measured(app: str, config: Path, environment: dict[str, str]) -> float:
    with serving(app, config, environment) as port:
        sent, seed = 0.0, 1
        while sent < EVENTS:
            sent += load(port, seconds=3, connections=16, seed=seed).rate * 3
            seed += 1
        return sum(_bytes(process) for process in _family(port)) / 1e6


def _family(port: int) -> list[psutil.Process]:
    """The processes that listen on the port: the master and its workers."""
    mine = psutil.Process().children(recursive=True)
    return [process for process in mine if _listens(process, port)]


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return any(c.laddr and c.laddr.port == port and c.status == "LISTEN" for c in process.net_connections("inet"))
    except psutil.Error:
        return False


def _bytes(process: psutil.Process) -> int:
    return int(process.memory_full_info().pss)
