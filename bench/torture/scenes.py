"""What is done to a server. Each scene takes a stage and a measure of how long, and leaves it to be settled."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil

from bench.torture.sender import Sender
from bench.torture.server import Stage

Scene = Callable[[Stage, int], None]
HOUR = 3600
CUT = 0.02
"""Of the questions to the database, while the line is bad."""


def kills(stage: Stage, count: int) -> None:
    """So many kills with -9 at random moments under load: mostly single processes, every third time all of them."""
    chance = random.Random(count)
    stage.start()
    while len(stage.kills) < count:
        with stage.load():
            time.sleep(chance.uniform(0.2, 0.5))
            for _ in range(2):
                stage.kill_one(chance)
                time.sleep(chance.uniform(0.1, 0.6))
            stage.kill_all()
        stage.start()


def _at(moment: str) -> Scene:
    def scene(stage: Stage, count: int) -> None:
        stage.start(kill=f"{moment}:25")
        with stage.load():
            _wait_for_suicides(stage, count)
        stage.stop()
        stage.start()

    scene.__doc__ = f"Every process kills itself, again and again, {moment}."
    return scene


def _wait_for_suicides(stage: Stage, count: int) -> None:
    deadline = time.monotonic() + 10 + 2 * count
    while time.monotonic() < deadline:
        if stage.log.exists() and stage.log.read_text().count("killed") >= count:
            return
        time.sleep(0.05)
    raise RuntimeError("the server's processes did not kill themselves")


def twins(stage: Stage, count: int) -> None:
    """So many events, each sent by ten connections at once."""
    stage.start()
    sender = Sender(stage.port, "twins", 0)
    with ThreadPoolExecutor(10) as pool:
        for number in range(count):
            luid = f"twin-{number}"
            if 200 in set(pool.map(sender.post, [luid] * 10)):
                stage.acknowledged.add(luid)


def sleep(stage: Stage, count: int) -> None:
    """A process is stopped with SIGSTOP in the middle of its jobs and woken after its leases are over."""
    stage.start()
    with stage.load(connections=2, pause=0.05):
        for _ in range(count):
            time.sleep(0.5)
            sleeper = stage.workers()[0]
            _put_to_sleep(sleeper, stage)
            time.sleep(stage.lease + 1.5)
            with suppress(psutil.NoSuchProcess):
                sleeper.send_signal(signal.SIGCONT)


def _put_to_sleep(process: psutil.Process, stage: Stage) -> None:
    """Stops it, but not with the lock of the machine in its hand: then nobody could take over."""
    while True:
        process.send_signal(signal.SIGSTOP)
        if stage.lock_is_free():
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.01)


def takeover(stage: Stage, count: int) -> None:
    """Processes are killed in the middle of their jobs while there is hardly anything else to do."""
    chance = random.Random(count)
    stage.start()
    with stage.load(connections=1, pause=0.25):
        for _ in range(count):
            time.sleep(stage.lease + 1)
            stage.kill_one(chance)
        time.sleep(stage.lease)


def full_disk(stage: Stage, count: int) -> None:
    """The database may not grow for a second, so many times."""
    flag = stage.log.with_name(stage.log.name + ".full")
    stage.start()
    with stage.load():
        for _ in range(count):
            time.sleep(0.5)
            flag.touch()
            time.sleep(1)
            flag.unlink()


def clock(stage: Stage, count: int) -> None:
    """The machine's clock is set back an hour, then forward again, with jobs running."""
    file = stage.log.with_name(stage.log.name + ".clock")
    stage.start()
    with stage.load(connections=2, pause=0.05):
        for number in range(count):
            time.sleep(0.7)
            file.write_text(str(-HOUR if number % 2 == 0 else 0))
        time.sleep(0.7)


def restart(stage: Stage, count: int) -> None:
    """PostgreSQL is restarted so many times: in order, as in a crash, and stopped without dying."""
    assert stage.database is not None
    stage.start()
    with stage.load():
        for number in range(count):
            time.sleep(0.5)
            if number % 3 == 2:
                stage.database.freeze(frozen=True)
                time.sleep(3)
                stage.database.freeze(frozen=False)
                continue
            stage.database.stop(signal.SIGQUIT if number % 3 else signal.SIGINT)
            time.sleep(0.3)
            stage.database.start()
        time.sleep(0.5)


def away(stage: Stage, count: int) -> None:
    """PostgreSQL is away for so many seconds."""
    assert stage.database is not None
    stage.start()
    with stage.load(pause=0.02):
        time.sleep(0.5)
        stage.database.stop()
        time.sleep(count)
        stage.database.start()
        time.sleep(3)


def cut(stage: Stage, count: int) -> None:
    """Connections to PostgreSQL are cut when it has the question and before it has answered, so many times."""
    assert stage.line is not None
    stage.start()
    deadline = time.monotonic() + 10 + count
    with stage.load():
        while stage.line.cuts < count and time.monotonic() < deadline:
            stage.line.share = CUT
            time.sleep(0.2)
        stage.line.share = 0.0
    assert stage.line.cuts >= count


SCENES: dict[str, Scene] = {
    "kills": kills,
    "before the commit": _at("before the commit"),
    "after the commit": _at("after the commit"),
    "after the claim": _at("after the claim"),
    "after the notifier accepted": _at("after the notifier accepted"),
    "twins": twins,
    "takeover": takeover,
    "takeover, default lease": takeover,
    "sleep": sleep,
    "full disk": full_disk,
    "clock": clock,
    "restart": restart,
    "away": away,
    "cut": cut,
}
ONLY_SQLITE = {"full disk", "clock"}
ONLY_POSTGRES = {"restart", "away", "cut"}
LEASES = {"takeover, default lease": 30}
"""Seconds, where it is not the stage's."""
WORK_SECONDS = {"kills": 0.02, "takeover": 0.5, "takeover, default lease": 0.5, "sleep": 0.15, "clock": 0.1}
"""How long a handler takes, where a scene needs jobs in their middle."""
EXPECTED = {
    "kills": 100,
    "before the commit": 6,
    "after the commit": 6,
    "after the claim": 6,
    "after the notifier accepted": 6,
    "twins": 30,
    "takeover": 5,
    "takeover, default lease": 2,
    "sleep": 3,
    "full disk": 3,
    "clock": 4,
    "restart": 6,
    "away": 60,
    "cut": 60,
}
"""How much of each, for the whole torture."""
