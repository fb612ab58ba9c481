"""`python -m bench.restarts 100`: restart the server again and again while Tableau sends webhooks.

The simulated Tableau makes four attempts for each event, and disables a webhook after one event for which all have
failed. Reloads (SIGHUP) and stops with a start alternate. Afterwards the server stays down until its webhook is
disabled, and the time until it is enabled again is measured. Exits with 1 if an event had four failed attempts or is
not stored, or if a repair took more than a minute.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from bench.server import ROOT, TOKEN, await_condition, environment, free_port
from simulator import Config, Running, running
from simulator.world.delivery import GIVEN_UP
from webhooks.inbox import Inbox

RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
notify = "slack:#bi"
"""
EVENT = {"event_type": "WorkbookRefreshFailed", "reason": "Login failed"}
# Seconds between events.
PAUSE_SECONDS = 0.5
# Seconds that the server works after a reload, and after a start. The attempts for an event are spread over 17 s: with
# stops every few seconds, all four could fall into different ones.
WORK_SECONDS = (1.0, 8.0)
WAIT_SECONDS = 90.0
REPAIR_SECONDS = 60.0
REPAIRS = 3


@dataclass(frozen=True)
class Result:
    """The result of a run: `failed` events had four failed attempts, `lost` ones are not stored.

    `repairs` are the seconds from the server's start to the repair of the webhook that was disabled before it.
    """

    restarts: int
    events: int
    retried: int
    failed: int
    lost: int
    repairs: list[float]

    @property
    def clean(self) -> bool:
        """Return whether nothing is wrong."""
        return self.events > 0 and not self.failed and not self.lost and max(self.repairs, default=0) <= REPAIR_SECONDS


class RestartedServer:
    """The server of two processes that is restarted, registered in the simulated site."""

    def __init__(self, folder: Path, site: Running) -> None:
        self._site, self._port = site, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        hook = f"{self.url}/webhook/{TOKEN}"
        more = {"FLASK_APP": "index", "PORT": str(self._port), "WEBHOOK_URL": hook, "WEB_CONCURRENCY": "2"}
        # Only the checks after an outage run within the measurement.
        more |= {"WATCH_MINUTES": "60", **site.environment}
        self.environment = {**os.environ, **environment(folder, **more)}
        (folder / "rules.toml").write_text(RULES)
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        command = [sys.executable, "-m", "flask", "webhooks", "sync", "--url", hook]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        command = [sys.executable, "-m", "gunicorn", "index:app"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self._await(self._is_ready)

    def reload(self) -> None:
        """Replace all processes, as `systemctl reload` does, and wait until the new ones are ready."""
        assert self._process is not None
        before = self._workers()
        self._process.send_signal(signal.SIGHUP)
        self._await(lambda: len(self._workers() - before) == 2 and not self._workers() & before)
        self._await(self._is_ready)

    def stop(self) -> None:
        """Stop the server, as `systemctl stop` does."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(40)
            self._process = None

    def _await(self, condition: Callable[[], bool]) -> None:
        """Wait for the condition. Raises RuntimeError with the end of the server's log."""
        try:
            await_condition(condition, WAIT_SECONDS)
        except TimeoutError as error:
            lines = self._log.read_text(errors="replace").splitlines()
            raise RuntimeError("\n".join([f"The server does not respond: {error}", *lines[-40:]])) from None

    def _workers(self) -> set[int]:
        assert self._process is not None
        return {child.pid for child in psutil.Process(self._process.pid).children()}

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError("it has ended")
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False


def run(restarts: int, repairs: int = REPAIRS, waits: tuple[float, ...] = Config.retry_waits) -> Result:
    """Restart the server so often under load, then measure repairs; `waits` are the seconds between attempts."""
    config = Config(refresh_seconds=0, retry_waits=waits)
    with tempfile.TemporaryDirectory(prefix="restarts-") as name, running(config) as site:
        server = RestartedServer(Path(name), site)
        try:
            server.start()
            with load(site) as payloads:
                for number in range(restarts):
                    if number % 2:
                        server.stop()
                        server.start()
                    else:
                        server.reload()
                    time.sleep(WORK_SECONDS[number % 2])
            site.world.timer.settle(WAIT_SECONDS)
            deliveries = list(site.world.sender.log)
            seconds = [repair_seconds(site, server) for _ in range(repairs)]
        finally:
            server.stop()
        stored = stored_events(server.environment["DATABASE_URL"])
    return Result(
        restarts=restarts,
        events=len(payloads),
        retried=sum(len(delivery.attempts) > 1 for delivery in deliveries),
        failed=sum(delivery.state == GIVEN_UP for delivery in deliveries),
        lost=sum(identity(payload) not in stored for payload in payloads),
        repairs=seconds,
    )


@contextmanager
def load(site: Running) -> Iterator[list[dict[str, Any]]]:
    """Let refreshes fail while the block runs, and collect the payloads of their events."""
    payloads: list[dict[str, Any]] = []
    stopping = threading.Event()

    def fail() -> None:
        while not stopping.wait(PAUSE_SECONDS):
            payloads.append(cause_event(site))

    thread = threading.Thread(target=fail)
    thread.start()
    try:
        yield payloads
    finally:
        stopping.set()
        thread.join()


def cause_event(site: Running) -> dict[str, Any]:
    """Let a refresh fail, and return the payload of its event."""
    payload: dict[str, Any] = requests.post(f"{site.url}/simulator/events", json=EVENT, timeout=10).json()["event"]
    return payload


def repair_seconds(site: Running, server: RestartedServer) -> float:
    """Keep the server down until its webhook is disabled, and return the seconds from its return to the repair."""

    def is_enabled() -> bool:
        return all(hook.is_enabled for hook in site.world.home.webhooks.values())

    server.stop()
    cause_event(site)
    await_condition(lambda: not is_enabled(), WAIT_SECONDS)
    server.start()
    returned = time.monotonic()
    await_condition(is_enabled, WAIT_SECONDS)
    return time.monotonic() - returned


def stored_events(url: str) -> set[tuple[str, str]]:
    """Return the identities of all events in the inbox."""
    inbox = Inbox.open(url)
    try:
        return {identity(json.loads(record.event.body)) for record in inbox.events.list(limit=100_000)}
    finally:
        inbox.close()


def identity(payload: dict[str, Any]) -> tuple[str, str]:
    """Return what distinguishes an event from all others."""
    return str(payload["resource_luid"]), str(payload["created_at"])


def main(words: list[str]) -> int:
    """Run the measurement, print its result, and return the exit code."""
    result = run(int(words[0]) if words else 10)
    repairs = ", ".join(f"{seconds:.1f}" for seconds in result.repairs)
    print(f"{result.restarts} restarts, {result.events} events, {result.retried} of them sent more than once")
    print(f"four failed attempts: {result.failed}, not stored: {result.lost}")
    print(f"disabled webhooks enabled again after {repairs} s")
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
