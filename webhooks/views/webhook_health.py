"""Say whether our webhooks in Tableau are healthy, from the monitor's last check. Nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from webhooks.text import count
from webhooks.views.formats import ago

if TYPE_CHECKING:
    from webhooks.inbox.server.webhook_checks import WebhookCheckResult

# A check that is older than this many intervals says nothing about now.
MISSED_CHECKS = 3
# Checks are this far apart at least, even if the interval is shorter: one takes up to a minute.
MIN_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class WebhookHealth:
    """The health of our webhooks in words; `unknown`: they were not checked, or not lately."""

    state: Literal["healthy", "unhealthy", "unknown"]
    text: str
    checked_at: datetime | None = None


def webhook_health(checks: Sequence[WebhookCheckResult], interval: timedelta, now: datetime) -> WebhookHealth:
    """Return the health of the webhooks of all sites. `interval` is the time between checks; zero if there are none."""
    checked = [check.checked_at for check in checks if check.checked_at]
    oldest = min(checked, default=None)
    differences = sum(len(check.differences) for check in checks)
    if any(check.error for check in checks):
        return WebhookHealth("unhealthy", "webhooks cannot be checked", oldest)
    if differences:
        needs = "needs" if differences == 1 else "need"
        return WebhookHealth("unhealthy", f"{count(differences, 'webhook')} {needs} attention", oldest)
    if oldest is None or len(checked) < len(checks):
        return WebhookHealth("unknown", "webhooks not checked", oldest)
    if now - oldest > MISSED_CHECKS * max(interval, MIN_INTERVAL):
        return WebhookHealth("unknown", f"webhooks last checked {ago(oldest, now)}", oldest)
    return WebhookHealth("healthy", "webhooks healthy", oldest)
