"""Measure the memory of the server's processes after 500 notified failures, compared with bare Flask."""

from __future__ import annotations

import compileall
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from bench.burst import CHANNEL_ID, await_messages, failed_refreshes, simulated_server
from bench.sender import send
from bench.server import ROOT, serving
from simulator import Config, running
from webhooks.gunicorn.processes import ALONE_SECONDS

FAILURES = 500
# More rounds show whether the memory still grows.
ROUNDS = 3
# The limit of one message a second in each channel is above that of the workspace.
CHANNELS = 10
RULE = """
[[rule]]
name = "Failures {0}"
on = "*RefreshFailed"
each = true
notify = "slack:{1}"
where.name = "Report *{0}"
"""
# The bare server has the same number of processes and threads, and gunicorn's defaults for the rest. It imports nothing
# of ours, as it would with our configuration.
BARE = """
import os
bind = "127.0.0.1:" + os.environ["PORT"]
workers, threads, worker_class = 2, 8, "gthread"
"""


def run() -> None:
    """Print the proportional set size of all processes of both servers, and the ratio."""
    print(f"\nMemory after {FAILURES} failures that were notified (proportional set size of all processes)")
    # As in an installation: a process that compiles modules takes 10 MB more.
    for name in ("webhooks", "notifiers", "tableau_rest"):
        compileall.compile_dir(str(ROOT / name), quiet=1)
    ours = _measure_ours()
    bare = _measure_bare()
    print(f"ours {' → '.join(f'{one:.0f}' for one in ours)} MB, bare {bare:.0f} MB, ratio {ours[0] / bare:.2f}")


def _measure_ours() -> list[float]:
    """Return the megabytes after each of the rounds, the first of which begins when no process is alone any more."""
    found = []
    rules = "".join(RULE.format(number, CHANNEL_ID.format(number)) for number in range(CHANNELS))
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Config(refresh_seconds=0)) as site,
        simulated_server(Path(folder), site, {}, rules=rules) as (port, master),
    ):
        time.sleep(ALONE_SECONDS + 5)
        for number in range(1, ROUNDS + 1):
            send(port, failed_refreshes(site, FAILURES))
            await_messages(site, number * FAILURES)
            found.append(_memory(master))
    return found


def _measure_bare() -> float:
    """Return the megabytes after as many requests."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bare.py"
        config.write_text(BARE)
        with serving("bench.bare:app", config, {}) as port:
            send(port, [{"number": number} for number in range(FAILURES)])
            bound = {
                one: {each.laddr.port for each in one.net_connections("inet")} for one in psutil.Process().children()
            }
            return _memory(next(one for one, ports in bound.items() if port in ports))


def _memory(master: psutil.Process) -> float:
    """Return the megabytes of the master and its workers."""
    total = 0.0
    for process in (master, *master.children(recursive=True)):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 1e6
