"""Turn the HTTP status of a service that takes messages as JSON into an error. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from notifiers.errors import NotifierError, parse_retry_after, rate_limited_until
from notifiers.text import one_line

GATEWAY_TIMEOUT = 504
# Characters of what a service says.
MAX_REASON = 300


def refusal(label: str, status: int, headers: Mapping[str, str], now: datetime, reason: str = "") -> NotifierError:
    """Return the error for a response that is not a success.

    A rate limit names the time of the next attempt. A gateway that lost the response leaves it open whether the message
    arrived. Any other status below 500, except 408, is permanent. `reason` is what the service says.
    """
    words = f"{label}: status {status}"
    if said := one_line(reason[: 2 * MAX_REASON])[:MAX_REASON]:
        words += f" ({said})"
    retry_after = headers.get("retry-after")
    if status == 429:
        return NotifierError(words, retry_at=rate_limited_until(retry_after, now))
    permanent = status < 500 and status != 408
    return NotifierError(
        words,
        permanent=permanent,
        retry_at=None if permanent else parse_retry_after(retry_after, now),
        uncertain=status == GATEWAY_TIMEOUT,
    )
