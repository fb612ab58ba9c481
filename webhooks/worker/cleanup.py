"""Delete expired events and return their disk space."""

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


def run_cleanup(inbox: Inbox, retention_days: float, stopping: threading.Event) -> None:
    """Delete expired events every hour until `stopping` is set.

    Every process runs this; jitter keeps them from working at the same moment.
    """
    wait = FIRST_CLEANUP
    while not stopping.wait(wait * random.uniform(0.5, 1.5)):  # noqa: S311 - jitter
        wait = CLEANUP_INTERVAL
        try:
            delete_expired(inbox, retention_days, stopping)
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
