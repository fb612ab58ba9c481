"""The scenes of the torture; `count` says how often or how long."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil

from bench.torture.sender import Sender
from bench.torture.server import TestedServer

Scene = Callable[[TestedServer, int], None]
HOUR = 3600
# The share of requests to the database whose connection is cut.
CUT_SHARE = 0.02


def kills(server: TestedServer, count: int) -> None:
    """Kill processes with -9 at random moments under load: mostly single ones, every third time all of them."""
    numbers = random.Random(count)
    server.start()
    while len(server.kills) < count:
        with server.load():
            time.sleep(numbers.uniform(0.2, 0.5))
            for _ in range(2):
                server.kill_one(numbers)
                time.sleep(numbers.uniform(0.1, 0.6))
            server.kill_all()
        server.start()


def power_failures(server: TestedServer, count: int) -> None:
    """Kill all processes at once under load, and leave of the inbox only what was synced, as a power failure does."""
    numbers = random.Random(count)
    server.start()
    for _ in range(count):
        with server.load():
            time.sleep(numbers.uniform(0.3, 1.0))
            server.cut_power()
        server.start()


def killed_at(moment: str) -> Scene:
    """Return a scene in which every process kills itself at that moment, again and again."""

    def scene(server: TestedServer, count: int) -> None:
        server.start(kill=f"{moment}:25")
        deadline = time.monotonic() + 10 + 2 * count
        with server.load():
            while not server.log.exists() or server.log.read_text().count("killed") < count:
                if time.monotonic() > deadline:
                    raise RuntimeError("the server's processes did not kill themselves")
                time.sleep(0.05)
        server.stop()
        server.start()

    return scene


def concurrent_duplicates(server: TestedServer, count: int) -> None:
    """Send each event over ten connections at once."""
    server.start()
    sender = Sender(server.port, "duplicates", 0)
    with ThreadPoolExecutor(10) as pool:
        for number in range(count):
            luid = f"duplicate-{number}"
            if 200 in set(pool.map(sender.post, [luid] * 10)):
                server.acknowledged.add(luid)


def suspended_process(server: TestedServer, count: int) -> None:
    """Suspend a process with SIGSTOP while it runs jobs, and resume it after its leases have ended."""
    server.start()
    with server.load(connections=2, pause=0.05):
        for _ in range(count):
            time.sleep(0.5)
            process = server.workers()[0]
            process.send_signal(signal.SIGSTOP)
            # Not while it holds the machine's lock: then no other process could take over.
            while not server.lock_is_free():
                process.send_signal(signal.SIGCONT)
                time.sleep(0.01)
                process.send_signal(signal.SIGSTOP)
            time.sleep(server.lease + 1.5)
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def takeover(server: TestedServer, count: int) -> None:
    """Kill processes while they run jobs and there is hardly any other work."""
    numbers = random.Random(count)
    server.start()
    with server.load(connections=1, pause=0.25):
        for _ in range(count):
            time.sleep(server.lease + 1)
            server.kill_one(numbers)
        time.sleep(server.lease)


def full_disk(server: TestedServer, count: int) -> None:
    """Keep the database from growing for a second."""
    flag = server.log.with_name(server.log.name + ".full")
    server.start()
    with server.load():
        for _ in range(count):
            time.sleep(0.5)
            flag.touch()
            time.sleep(1)
            flag.unlink()


def clock_change(server: TestedServer, count: int) -> None:
    """Set the wall clock back an hour, then forward again, while jobs are running."""
    file = server.log.with_name(server.log.name + ".clock")
    server.start()
    with server.load(connections=2, pause=0.05):
        for number in range(count):
            time.sleep(0.7)
            file.write_text(str(-HOUR if number % 2 == 0 else 0))
        time.sleep(0.7)


def database_restart(server: TestedServer, count: int) -> None:
    """Restart PostgreSQL: in order, as in a crash, and suspended for three seconds."""
    database = server.database
    assert database is not None
    server.start()
    with server.load():
        for number in range(count):
            time.sleep(0.5)
            if number % 3 == 2:
                database.freeze(frozen=True)
                time.sleep(3)
                database.freeze(frozen=False)
                continue
            database.stop(signal.SIGQUIT if number % 3 else signal.SIGINT)
            time.sleep(0.3)
            database.start()
        time.sleep(0.5)


def database_outage(server: TestedServer, count: int) -> None:
    """Stop PostgreSQL for `count` seconds."""
    assert server.database is not None
    server.start()
    with server.load(pause=0.02):
        time.sleep(0.5)
        server.database.stop()
        time.sleep(count)
        server.database.start()
        time.sleep(3)


def connection_loss(server: TestedServer, count: int) -> None:
    """Cut connections to PostgreSQL when it has the request and before it has responded."""
    proxy = server.proxy
    assert proxy is not None
    server.start()
    deadline = time.monotonic() + 10 + count
    with server.load():
        while proxy.cuts < count and time.monotonic() < deadline:
            proxy.share = CUT_SHARE
            time.sleep(0.2)
        proxy.share = 0.0
    assert proxy.cuts >= count


SCENES: dict[str, Scene] = {
    "kills": kills,
    "power-failures": power_failures,
    "killed-before-commit": killed_at("before the commit"),
    "killed-after-commit": killed_at("after the commit"),
    "killed-after-claim": killed_at("after the claim"),
    "killed-after-notification": killed_at("after the notifier accepted"),
    "concurrent-duplicates": concurrent_duplicates,
    "takeover": takeover,
    "takeover-default-lease": takeover,
    "suspended-process": suspended_process,
    "full-disk": full_disk,
    "clock-change": clock_change,
    "database-restart": database_restart,
    "database-outage": database_outage,
    "connection-loss": connection_loss,
}
ONLY_SQLITE = {"power-failures", "full-disk", "clock-change"}
ONLY_POSTGRES = {"database-restart", "database-outage", "connection-loss"}
# The lease in seconds, if it is not the tested server's default.
LEASES = {"takeover-default-lease": 30}
# How long a handler takes, if the scene needs running jobs.
WORK_SECONDS = {
    "kills": 0.02,
    "power-failures": 0.02,
    "takeover": 0.5,
    "takeover-default-lease": 0.5,
    "suspended-process": 0.15,
    "clock-change": 0.1,
}
# The counts of the whole torture.
COUNTS = {
    "kills": 100,
    "power-failures": 20,
    "killed-before-commit": 6,
    "killed-after-commit": 6,
    "killed-after-claim": 6,
    "killed-after-notification": 6,
    "concurrent-duplicates": 30,
    "takeover": 5,
    "takeover-default-lease": 2,
    "suspended-process": 3,
    "full-disk": 3,
    "clock-change": 4,
    "database-restart": 6,
    "database-outage": 60,
    "connection-loss": 60,
}
