"""Delete expired events, runs and incidents, and return their disk space."""

from __future__ import annotations

import logging
import random
import threading
import time

from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0
CLEANUP_INTERVAL = 3600.0
FIRST_CLEANUP = 60.0


def run_cleanup(
    inbox: Inbox, retention_days: float, stopping: threading.Event, run_retention_days: float = 0.0
) -> None:
    """Delete expired events, and expired runs and incidents, every hour until `stopping` is set.

    Every process runs this; jitter keeps them from working at the same moment.
    """
    wait = FIRST_CLEANUP
    while not stopping.wait(wait * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter
        wait = CLEANUP_INTERVAL
        try:
            delete_expired(inbox, retention_days, stopping)
            delete_expired_runs(inbox, run_retention_days, stopping)
        except StoreUnavailable as error:
            log.warning("Cleanup postponed, inbox unavailable: %s", error)
        except Exception:
            log.exception("Cleanup failed")


def delete_expired(inbox: Inbox, retention_days: float, stopping: threading.Event | None = None) -> int:
    """Delete events older than `retention_days` (0 keeps all), return their disk space, and return how many."""
    if not retention_days:
        return 0
    before = time.time() - retention_days * DAY_SECONDS
    deleted = inbox.retention.delete_before(before, stopping=stopping.is_set if stopping else lambda: False)
    if deleted:
        inbox.store.reclaim_space()
        log.info("Expired events deleted: count=%d retention_days=%g", deleted, retention_days)
    return deleted


def delete_expired_runs(inbox: Inbox, retention_days: float, stopping: threading.Event | None = None) -> int:
    """Delete runs, closed incidents and past silences older than `retention_days` (0 keeps all).

    Returns how many runs and incidents were deleted. The space of their rows is used again.
    """
    if not retention_days:
        return 0
    before = time.time() - retention_days * DAY_SECONDS
    is_stopping = stopping.is_set if stopping else lambda: False
    # Incidents first: what is left after an interruption are runs without an incident, and not the reverse.
    closed = inbox.incidents.delete_before(before, stopping=is_stopping)
    runs = inbox.runs.delete_before(before, stopping=is_stopping)
    inbox.findings.delete_before(before, stopping=is_stopping)
    inbox.expected_runs.delete_before(before, stopping=is_stopping)
    inbox.silences.delete_before(before)
    inbox.notice_groups.delete_empty(before)
    if runs or closed:
        log.info("Expired runs deleted: runs=%d incidents=%d retention_days=%g", runs, closed, retention_days)
    return runs + closed
