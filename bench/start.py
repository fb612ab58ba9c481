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

import psutil

from bench.server import ROOT, TOKEN, environment, free_port

# Both servers are started in turn, so that a busy moment affects both.
ROUNDS = 9
BODY = b'{"event_type":"WorkbookCreated","resource":"WORKBOOK","resource_name":"Sales","resource_luid":"%d"}'
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Start:
    """The seconds from exec to the first 200, and the processor seconds of all processes until then."""

    seconds: float
    processor: float


def run() -> None:
    """Print the medians of both servers, and the ratios."""
    print(f"\nFrom the start of gunicorn to the first 200 on /webhook, medians of {ROUNDS} alternating starts")
    with tempfile.TemporaryDirectory() as name:
        variables = environment(Path(name))
        plain = ("-c", "/dev/null", "--workers=2", "--threads=8", "--worker-class=gthread", "--preload")
        ours, bare = [], []
        for number in range(ROUNDS + 1):
            found = measure(("index:app",), variables)
            if number:
                ours.append(found)
            else:
                # It also creates the inbox, and compiles the modules in a new installation.
                print(f"first start {found.seconds:5.2f} s, processor time {found.processor:5.2f} s")
            bare.append(measure((*plain, "bench.bare:app"), {}))
    medians = [_median(ours), _median(bare)]
    for label, median in zip(("ours", "bare"), medians, strict=True):
        print(f"{label:<11} {median.seconds:5.2f} s, processor time {median.processor:5.2f} s")
    ratios = medians[0].seconds / medians[1].seconds, medians[0].processor / medians[1].processor
    print(f"ratio       {ratios[0]:5.2f}    {ratios[1]:20.2f}")


def measure(words: tuple[str, ...], variables: Mapping[str, str]) -> Start:
    """Start gunicorn with these words, send one event until it is accepted, and stop it."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *words]
    env = {**os.environ, "PORT": str(port), **variables}
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await_200(port, began + DEADLINE_SECONDS)
            return Start(time.monotonic() - began, _processor_seconds(psutil.Process(process.pid)))
        finally:
            process.terminate()
            process.wait(40)


def _processor_seconds(master: psutil.Process) -> float:
    """Return the processor time of the master, of its ended children and of its workers."""
    total = 0.0
    for process in (master, *master.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


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
