"""A clock that never jumps and that all processes of one machine share, until the machine starts anew.

Leases and due times in a SQLite file go by it. Somebody sets the wall's clock back an hour: without it no job would run
for an hour. Somebody sets it forward: without it every lease would end at once, and jobs would run twice.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, delete, insert, literal_column, select, update

from webhooks.inbox.schema import clock, jobs, locks
from webhooks.job import JobState

LINUX_BOOT = Path("/proc/sys/kernel/random/boot_id")
FURTHEST_SECONDS = 900.0
"""After a start of the machine with its clock set back, no job has to wait longer than this."""


@cache
def boot() -> str | None:
    """What names this run of the machine; None where the machine has no name for it."""
    if LINUX_BOOT.exists():
        return LINUX_BOOT.read_text().strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip() or None  # noqa: S603
    return None


def offset(connection: Connection) -> float | None:
    """What to add to `time.monotonic()`, as the first process of this run of the machine found; None before that."""
    found: float | None = connection.execute(select(clock.c.offset).where(clock.c.boot == boot())).scalar()
    return found


def start(connection: Connection, wall: float) -> float:
    """Sets the clock by the wall's, if nobody has in this run of the machine; gives the offset.

    Every worker that held a job is gone with the machine's last run, so their jobs are due at once.
    """
    known = offset(connection)
    if known is not None:
        return known
    fresh = wall - time.monotonic()
    connection.execute(delete(clock))
    connection.execute(insert(clock).values(boot=boot(), offset=fresh))
    connection.execute(delete(locks))
    running = update(jobs).where(literal_column("jobs.state") == literal_column(str(JobState.RUNNING.value)))
    connection.execute(running.values(due_at=wall))
    far = update(jobs).where(
        literal_column("jobs.state") == literal_column("0"), jobs.c.due_at > wall + FURTHEST_SECONDS
    )
    connection.execute(far.values(due_at=wall + FURTHEST_SECONDS))
    return fresh
