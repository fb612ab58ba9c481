"""A gunicorn of ours or the bare one on a free port, and wrk against it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench-token"
RULES = "# The benchmark keeps events and does nothing with them.\n"


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, milliseconds at the median and the 99th percentile and at worst, failures."""

    rate: float
    p50: float
    p99: float
    worst: float
    errors: int


@contextmanager
def serving(app: str, config: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Serves `app` with the gunicorn settings in `config`; gives the port."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), app]
    env = {**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT), **environment}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            await_port(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(40)


def ours(folder: Path, **more: str) -> dict[str, str]:
    """The environment of our own server: an inbox and rules in `folder`, and nothing to do for the worker."""
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    return {
        "TABLEAU_DOMAIN": "http://127.0.0.1:9",
        "TABLEAU_PAT_NAME": "bench",
        "TABLEAU_PAT_SECRET": "bench-secret",
        "WEBHOOK_TOKEN": TOKEN,
        "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}",
        "RULES_FILE": str(rules),
        **more,
    }


def load(port: int, *, seconds: int, connections: int, seed: int) -> Load:
    """Sends events, each its own, over `connections` kept-alive connections for `seconds`."""
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
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Returns when something answers on `port`. Raises RuntimeError if the process ends or is silent before."""
    deadline = time.monotonic() + 40
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
