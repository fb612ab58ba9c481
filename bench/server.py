"""Start our server or the bare one on a free port, and load it with wrk."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench-token"
RULES = "# The benchmark stores events and plans no jobs.\n"


@dataclass(frozen=True)
class Load:
    """The results of wrk: requests per second, response times in milliseconds, failed requests."""

    rate: float
    p50: float
    p99: float
    worst: float
    errors: int


@contextmanager
def serving(app: str, config: Path, variables: Mapping[str, str]) -> Iterator[int]:
    """Serve `app` with the gunicorn settings in `config`, and yield the port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), app]
    env = {**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT), **variables}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            await_port(port, process)
            await_processes(process, int(env.get("WEB_CONCURRENCY", "2")))
            yield port
        finally:
            process.terminate()
            process.wait(40)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Return the environment of our server: an inbox and rules in `folder`, and no work for the worker."""
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    return {
        "TABLEAU_DOMAIN": "http://127.0.0.1:9",
        "TABLEAU_PAT_NAME": "bench",
        "TABLEAU_PAT_SECRET": "bench-secret",
        "WEBHOOK_TOKEN": TOKEN,
        "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}",
        "RULES_FILE": str(rules),
        **variables,
    }


def load(port: int, *, seconds: int, connections: int, seed: int) -> Load:
    """Send different events over `connections` kept-alive connections for `seconds`, and return the results."""
    script = str(ROOT / "bench" / "events.lua")
    url = f"http://127.0.0.1:{port}/webhook/{TOKEN}"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", script, url]
    out = subprocess.run(
        command, env={**os.environ, "BENCH_SEED": str(seed)}, capture_output=True, text=True, check=True, timeout=120
    )
    numbers = next(line for line in out.stdout.splitlines() if line.startswith("RESULT")).split()[1:]
    requests, microseconds, p50, p99, worst, errors = map(int, numbers)
    return Load(requests / microseconds * 1e6, p50 / 1000, p99 / 1000, worst / 1000, errors)


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def await_condition(condition: Callable[[], bool], seconds: float) -> float:
    """Return the monotonic time at which the condition holds. Raises TimeoutError if that takes longer."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened within {seconds:g} s")
        time.sleep(0.1)
    return time.monotonic()


def await_processes(process: subprocess.Popen[bytes], number: int) -> None:
    """Wait until the server has this many processes, because the first one responds before the others exist."""
    deadline = time.monotonic() + 90
    while len(psutil.Process(process.pid).children()) < number:
        if time.monotonic() > deadline:
            raise RuntimeError("the server did not start all of its processes")
        time.sleep(0.05)


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server responds on `port`. Raises RuntimeError if the process ends or does not respond."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not start")
