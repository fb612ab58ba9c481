"""The last check of our webhooks in Tableau, as the monitor remembered it: read without a request to Tableau."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webhooks.clock import from_timestamp
from webhooks.event_types import WEBHOOK_CHECK_FAILED, WEBHOOKS_DRIFTED
from webhooks.inbox.server.state import State

# The monitor remembers under this key when it last compared the webhooks.
CHECKED_AT = "webhooks checked"


@dataclass(frozen=True, slots=True)
class WebhookCheckResult:
    """The result of the last check of one site.

    `checked_at` is None before the first check. `differences` has an entry for each webhook that needs attention,
    `error` is why Tableau refused the check, empty if it did not.
    """

    checked_at: datetime | None
    differences: tuple[str, ...] = ()
    error: str = ""


def last_webhook_check(state: State, suffix: str = "") -> WebhookCheckResult:
    """Return the last check of a site; `suffix` is what the monitor appends to the names of what it remembers of it."""
    return last_webhook_checks(state, [suffix])[0]


def last_webhook_checks(state: State, suffixes: Sequence[str]) -> list[WebhookCheckResult]:
    """Return the last checks of several sites, with one statement."""
    names = (CHECKED_AT, WEBHOOKS_DRIFTED, WEBHOOK_CHECK_FAILED)
    found = state.get_all([name + suffix for name in names for suffix in suffixes])
    checks = []
    for suffix in suffixes:
        checked_at = found.get(CHECKED_AT + suffix)
        checks.append(
            WebhookCheckResult(
                checked_at=None if checked_at is None else from_timestamp(checked_at),
                differences=tuple(found.get(WEBHOOKS_DRIFTED + suffix) or ()),
                error=found.get(WEBHOOK_CHECK_FAILED + suffix) or "",
            )
        )
    return checks
