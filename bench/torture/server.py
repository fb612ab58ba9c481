"""A server on its stage: started, tormented, started once more in peace, and settled."""

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

from bench.postgres import Server
from bench.server import ROOT, await_port, free_port, ours
from bench.torture.proxy import Cutter
from bench.torture.sender import Sender
from bench.torture.verdict import Account, settle
from webhooks.inbox import Inbox

LEASE_SECONDS = 2
DRAIN_SECONDS = 10.0
"""Without any progress, beyond the lease."""


class Stage:
    """One inbox, one message log, and servers of two processes one after the other."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        flaw: str = "",
        work: float = 0.0,
        lease: int = LEASE_SECONDS,
        server: Server | None = None,
        line: Cutter | None = None,
    ) -> None:
        self.url, self.database, self.line, self.lease = url, server, line, lease
        self.log = folder / "messages"
        self._environment = ours(
            folder,
            DATABASE_URL=url,
            LEASE_SECONDS=str(lease),
            TORTURE_LOG=str(self.log),
            TORTURE_FLAW=flaw,
            TORTURE_WORK=str(work),
        )
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.kills: list[tuple[float, str]] = []
        self.acknowledged: set[str] = set()
        self.refused = 0

    def start(self, kill: str = "") -> None:
        """Starts the server; `kill` names a moment and a count at which each of its processes kills itself."""
        environment = {**os.environ, **self._environment, "PORT": str(self.port), "TORTURE_KILL": kill}
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"), "bench.torture.serve:app"]
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        await_port(self.port, self._process)

    def workers(self) -> list[psutil.Process]:
        """The server's processes, without the one that only watches over them."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children()

    def kill_all(self) -> None:
        """Every process of the server at once, with -9."""
        assert self._process is not None
        pids = [str(worker.pid) for worker in self.workers()]
        os.killpg(self._process.pid, signal.SIGKILL)
        at = time.monotonic()
        self._process.wait()
        self.kills += [(at, pid) for pid in pids]

    def kill_one(self, chance: random.Random) -> None:
        """One of the two processes, with -9; the other goes on, and a new one comes."""
        if workers := self.workers():
            victim = chance.choice(workers)
            victim.kill()
            self.kills.append((time.monotonic(), str(victim.pid)))

    @contextmanager
    def load(self, connections: int = 6, pause: float = 0.002) -> Iterator[Sender]:
        """Events pour in while the block runs, on each connection one every `pause` seconds at most."""
        sender = Sender(self.port, f"{time.monotonic_ns():x}", connections, pause)
        sender.start()
        try:
            yield sender
        finally:
            sender.stop()
            self.acknowledged |= sender.acknowledged
            self.refused += sender.refused

    def lock_is_free(self) -> bool:
        """Whether no process holds the lock that writers of a SQLite file share."""
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
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(35)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def settle(self) -> Account:
        """Lets a server work in peace until nothing is left to do, then compares."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        inbox = Inbox.open(self.url)
        try:
            self._drain(inbox)
            self.stop()
            return settle(inbox, self.log, self.acknowledged, refused=self.refused, kills=self.kills)
        finally:
            inbox.close()

    def _drain(self, inbox: Inbox) -> None:
        patience = self.lease + DRAIN_SECONDS
        deadline, least = time.monotonic() + patience, float("inf")
        while time.monotonic() < deadline:
            figures = inbox.counts()
            left = figures["unplanned"] + figures["ready"] + figures["running"]
            if left == 0:
                return
            if left < least:
                least, deadline = left, time.monotonic() + patience
            time.sleep(0.05)
