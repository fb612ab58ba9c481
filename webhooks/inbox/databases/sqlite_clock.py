"""A clock that never jumps and that all processes of one machine share until it reboots.

Leases and due times in a SQLite file use it. If the wall clock were set back by an hour, no job would run for an hour;
if it were set forward, all leases would expire at once and jobs would run twice.
"""

from __future__ import annotations

import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, text, update

from webhooks.inbox.jobs.tables import OPEN, jobs, outage_jobs, outages
from webhooks.inbox.server.tables import clock, locks
from webhooks.job import JobState

LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# After a reboot with the wall clock set back, no job waits longer than this.
MAX_DELAY_SECONDS = 900.0


@cache
def boot_id() -> str | None:
    """Return the identifier of the machine's current boot; None if the machine has no identifier for it."""
    if LINUX_BOOT_ID.exists():
        return LINUX_BOOT_ID.read_text().strip()
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)  # noqa: S603 - constant
        return result.stdout.strip() or None
    return None


def offset(connection: Connection) -> float | None:
    """Return what to add to `time.monotonic()`, as set by the first process after the boot; None before that."""
    found: float | None = connection.execute(select(clock.c.offset).where(clock.c.boot == boot_id())).scalar()
    return found


def start(connection: Connection, wall: float) -> float:
    """Set the clock by the wall clock, unless that was done since the boot, and return the offset.

    All workers that held a job ended with the previous boot, so their jobs are due at once.
    """
    known = offset(connection)
    if known is not None:
        return known
    new = wall - time.monotonic()
    connection.execute(delete(clock))
    connection.execute(insert(clock).values(boot=boot_id(), offset=new))
    connection.execute(delete(locks))
    running = update(jobs).where(text(OPEN), jobs.c.state == JobState.RUNNING)
    connection.execute(running.values(due_at=wall))
    latest = wall + MAX_DELAY_SECONDS
    late = update(jobs).where(text(OPEN), jobs.c.state == JobState.READY, jobs.c.due_at > latest)
    connection.execute(late.values(due_at=latest))
    connection.execute(update(outage_jobs).where(outage_jobs.c.due_at > latest).values(due_at=latest))
    # An outage that began in the future would not end.
    for table in (outages, outage_jobs):
        connection.execute(update(table).where(table.c.since > wall).values(since=wall))
    connection.execute(update(outages).where(outages.c.trial_at > wall).values(trial_at=wall))
    return new
