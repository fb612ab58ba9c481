"""Measure the time from starting the server to its first response, compared with bare Flask."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.server import ROOT, TOKEN, environment, free_port

# Both servers are started in turn, so that a busy moment affects both.
ROUNDS = 9
BODY = b'{"event_type":"WorkbookCreated","resource":"WORKBOOK","resource_name":"Sales","resource_luid":"%d"}'
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Start:
    """The seconds from exec to the first 200, and the processor seconds of all processes until the end."""

    seconds: float
    processor: float


def run() -> None:
    """Print the medians of both servers and their ratio; the first start of ours makes the inbox."""
    print(f"\nFrom the start of gunicorn to the first 200 on /webhook, medians of {ROUNDS}: s, processor time s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = environment(folder)
        first = measure("index:app", ROOT / "gunicorn.conf.py", variables)
        ours, bare = [], []
        for _ in range(ROUNDS):
            ours.append(measure("index:app", ROOT / "gunicorn.conf.py", variables))
            bare.append(measure("bench.bare:app", ROOT / "bench" / "gunicorn_bare.py", {}))
    print(f"ours, with a new inbox {first.seconds:6.2f} {first.processor:6.2f}")
    for label, starts in (("ours", ours), ("bare", bare)):
        print(f"{label:<22} {_median(starts).seconds:6.2f} {_median(starts).processor:6.2f}")
    print(f"ratio                  {_median(ours).seconds / _median(bare).seconds:6.2f}")


def measure(app: str, config: Path, variables: Mapping[str, str]) -> Start:
    """Start the server, send one event until it is accepted, and stop the server."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), app]
    env = {**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT), **variables}
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_200(port, began + DEADLINE_SECONDS)
        seconds = time.monotonic() - began
    finally:
        process.terminate()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return Start(seconds, usage.ru_utime + usage.ru_stime)


def _await_200(port: int, deadline: float) -> None:
    """Return when the server has accepted an event. Raises RuntimeError after the deadline."""
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                body = BODY % port
                connection.sendall(
                    b"POST /webhook/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (TOKEN.encode(), len(body), body)
                )
                if connection.recv(4096).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.002)
    raise RuntimeError("the server did not start")


def _median(starts: list[Start]) -> Start:
    return Start(statistics.median(s.seconds for s in starts), statistics.median(s.processor for s in starts))
