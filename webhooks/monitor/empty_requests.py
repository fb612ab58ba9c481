"""Record requests without a body, so that a proxy that removes the bodies of events is noticed.

Tableau's own test of a webhook has an empty body, so the response is 200. A proxy that removes bodies makes each event
look like such a test, and Tableau does not send it again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.forks import Lock
from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

KEY = "empty_requests"
# Requests within this time are one occasion: a person tests all webhooks of a site at once.
OCCASION_SECONDS = 600.0
# Fewer occasions without an event between them are tests.
SUSPICIOUS_OCCASIONS = 3
# After this time without such a request the count begins again: people test now and then.
FORGOTTEN_SECONDS = 86_400.0
ADVICE = "A proxy may remove the bodies of events. Compare its configuration with docs/http.md."
# Occasions between log lines after the first one.
LOG_EVERY = 50
STOP_SECONDS = 2.0


class EmptyRequests:
    """The occasions since the last event, shared by all processes through the inbox, which opens on first use."""

    def __init__(self, inbox: Callable[[], Inbox], *, clock: Callable[[], datetime] = utc_now) -> None:
        self._inbox, self._clock = inbox, clock
        self._last = 0.0
        self._lock = Lock()
        self._thread: threading.Thread | None = None

    def record(self) -> None:
        """Record a request without a body. Returns at once: a thread stores it, at most once an occasion."""
        now = self._clock().timestamp()
        with self._lock:
            if now - self._last < OCCASION_SECONDS or (self._thread and self._thread.is_alive()):
                return
            self._last = now
            self._thread = threading.Thread(target=self._store, args=(now,), name="empty-requests", daemon=True)
            self._thread.start()

    def problem(self) -> str:
        """Return that events may arrive without their bodies, or an empty text. Raises StoreUnavailable."""
        found = self._known(self._clock().timestamp())
        if found is None or found["occasions"] < SUSPICIOUS_OCCASIONS:
            return ""
        return _describe(found["first"])

    def stop(self) -> None:
        """Wait shortly for an occasion that is being stored."""
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _store(self, now: float) -> None:
        try:
            found = self._known(now)
            if found and now - found["last"] < OCCASION_SECONDS:
                return  # another process has counted this one
            occasions = found["occasions"] + 1 if found else 1
            first = found["first"] if found else now
            self._inbox().state.set(KEY, {"first": first, "last": now, "occasions": occasions})
        except (StoreUnavailable, RuntimeError, OSError) as error:
            log.debug("Request without a body not recorded: %s", error)
        except Exception:
            log.exception("Request without a body not recorded")
        else:
            if occasions >= SUSPICIOUS_OCCASIONS and (occasions - SUSPICIOUS_OCCASIONS) % LOG_EVERY == 0:
                log.warning("Events may be lost: %s. %s", _describe(first), ADVICE)

    def _known(self, now: float) -> dict[str, Any] | None:
        """Return the occasions, or None if there are none since the last event or none of the last day."""
        found: dict[str, Any] | None = self._inbox().state.get(KEY)
        if found is None or now - found["last"] > FORGOTTEN_SECONDS:
            return None
        return None if self._inbox().counts()["newest_event"] >= found["first"] else found


def _describe(first: float) -> str:
    since = datetime.fromtimestamp(first, UTC)
    return f"requests since {since:%Y-%m-%d %H:%M} UTC had no body, and no event was received"
