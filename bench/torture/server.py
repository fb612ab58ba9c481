"""The tested server: started, disturbed by a scene, then left alone until its work is done, and judged."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.disk import PowerFailure
from bench.postgres import Server
from bench.server import ROOT, await_port, environment, free_port
from bench.torture.proxy import CuttingProxy
from bench.torture.sender import Sender
from bench.torture.verdict import Verdict, judge
from webhooks.inbox import Inbox

LEASE_SECONDS = 2
# Without progress for this time, in addition to the lease, the server is taken to be stuck.
DRAIN_SECONDS = 10.0


class TestedServer:
    """One inbox, one message log, and servers of two processes one after the other."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        flaw: str = "",
        work: float = 0.0,
        lease: int = LEASE_SECONDS,
        database: Server | None = None,
        proxy: CuttingProxy | None = None,
        disk: PowerFailure | None = None,
    ) -> None:
        self.url, self.database, self.proxy, self.lease, self._disk = url, database, proxy, lease, disk
        self.log = folder / "messages"
        self._environment = environment(
            folder,
            DATABASE_URL=url,
            LEASE_SECONDS=str(lease),
            TORTURE_LOG=str(self.log),
            TORTURE_FLAW=flaw,
            TORTURE_WORK=str(work),
            **(disk.environment if disk else {}),
        )
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.kills: list[tuple[float, str]] = []
        self.acknowledged: set[str] = set()
        self.refused = 0

    def start(self, kill: str = "") -> None:
        """Start the server; `kill` names a moment and a count at which each of its processes kills itself."""
        variables = {**os.environ, **self._environment, "PORT": str(self.port), "TORTURE_KILL": kill}
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "bench.torture.serve:app"]
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=variables, stdout=output, stderr=output, start_new_session=True
            )
        await_port(self.port, self._process)

    def workers(self) -> list[psutil.Process]:
        """Return the server's processes without gunicorn's master."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children()

    def kill_all(self) -> None:
        """Kill all processes of the server at once with -9."""
        assert self._process is not None
        pids = [str(worker.pid) for worker in self.workers()]
        os.killpg(self._process.pid, signal.SIGKILL)
        at = time.monotonic()
        self._process.wait()
        self.kills += [(at, pid) for pid in pids]

    def kill_one(self, numbers: random.Random) -> None:
        """Kill one of the two processes with -9; the other one goes on, and gunicorn starts a new one."""
        if workers := self.workers():
            victim = numbers.choice(workers)
            victim.kill()
            self.kills.append((time.monotonic(), str(victim.pid)))

    def cut_power(self) -> None:
        """Kill all processes at once, and leave of the inbox what was synced."""
        assert self._disk is not None
        self.kill_all()
        self._disk.fail(Path(self.url.removeprefix("sqlite:///")))

    @contextmanager
    def load(self, connections: int = 6, pause: float = 0.002) -> Iterator[Sender]:
        """Send events while the block runs, with `pause` seconds between those of a connection."""
        sender = Sender(self.port, f"{time.monotonic_ns():x}", connections, pause)
        sender.start()
        try:
            yield sender
        finally:
            sender.stop()
            self.acknowledged |= sender.acknowledged
            self.refused += sender.refused

    def lock_is_free(self) -> bool:
        """Return whether no process holds the lock that writers of a SQLite file share."""
        if not self.url.startswith("sqlite"):
            return True
        with Path(self.url.removeprefix("sqlite:///") + ".lock").open("a") as lock:
            for _ in range(10):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(0.03)
                else:
                    return True
        return False

    def stop(self) -> None:
        """Stop the server as `systemctl stop` does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(35)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def judge(self) -> Verdict:
        """Let a server work undisturbed until nothing is left to do, and return the verdict."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        inbox = Inbox.open(self.url)
        try:
            limit = self.lease + DRAIN_SECONDS
            deadline, least = time.monotonic() + limit, float("inf")
            while least > 0 and time.monotonic() < deadline:
                figures = inbox.counts()
                left = figures["unplanned"] + figures["ready"] + figures["running"]
                if left < least:
                    least, deadline = left, time.monotonic() + limit
                time.sleep(0.05)
            self.stop()
            return judge(inbox, self.log, self.acknowledged, refused=self.refused, kills=self.kills)
        finally:
            inbox.close()
