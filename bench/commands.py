"""Measure the processor time that commands take to start, in relation to a bare Python and a bare Flask."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from bench.workers import event
from webhooks.inbox import Inbox

# All commands are run in turn, so that a busy moment affects each of them; the fastest of these rounds counts.
ROUNDS = 10
EVENTS = 50

BASES = (("-c", "pass"), ("-c", "import flask"))
COMMANDS = (
    "--help",
    "events --help",
    "webhooks --help",
    "trigger --help",
    "doctor --help",
    "rules check",
    "events list --json",
    "events list",
)


def run() -> None:
    """Print the processor time of each command, and the ratios to both bases."""
    print(f"\nProcessor time of commands, best of {ROUNDS}: ms, ratio to `python -c pass` and to `import flask`")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/inbox.sqlite3"
        inbox = Inbox.open(url)
        for number in range(EVENTS):
            inbox.events.receive(event(1, number))
        inbox.close()
        seconds = measure(url)
    bare, flask = (seconds[base] for base in BASES)
    for command, taken in seconds.items():
        print(f"{' '.join(command):<30} {taken * 1000:5.0f} {taken / bare:6.1f} {taken / flask:5.2f}", flush=True)


def measure(url: str, rounds: int = ROUNDS) -> dict[tuple[str, ...], float]:
    """Return the least processor time, user and system, that each command took in seconds."""
    commands = [*BASES, *(("-m", "flask", *command.split()) for command in COMMANDS)]
    environment = {**os.environ, "DATABASE_URL": url, "FLASK_APP": "index"}
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(rounds):
        for command in commands:
            with subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                _, _, usage = os.wait4(process.pid, 0)
                process.returncode = 0
            best[command] = min(best[command], usage.ru_utime + usage.ru_stime)
    return best
