"""Keeps the inbox small: what is older than RETENTION_DAYS goes, and its disk space is given back."""

from __future__ import annotations

import logging
import random
import threading
import time

from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

DAY_SECONDS = 86400.0
EVERY_SECONDS = 3600.0
FIRST_SECONDS = 60.0


def keep_house(inbox: Inbox, days: float, stopping: threading.Event) -> None:
    """Cleans up now and then until `stopping`. Every process does: in small steps, and at times of its own."""
    wait = FIRST_SECONDS
    while not stopping.wait(wait * random.uniform(0.5, 1.5)):  # noqa: S311 — so that processes do not meet
        wait = EVERY_SECONDS
        try:
            clean(inbox, days, stopping)
        except StoreUnavailable as error:
            log.warning("Cleaning up has to wait: %s", error)
        except Exception:
            log.exception("Cleaning up failed")


def clean(inbox: Inbox, days: float, stopping: threading.Event | None = None) -> int:
    """Deletes what is older than so many days (0: nothing) and gives its disk space back. Returns how many events."""
    before = time.time() - days * DAY_SECONDS
    gone = inbox.retention.delete_before(before, stopping=stopping.is_set if stopping else lambda: False) if days else 0
    if gone:
        inbox.store.reclaim_space()
        log.info("%d events older than %g days were deleted", gone, days)
    return gone
