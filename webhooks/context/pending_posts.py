"""Posts whose outcome is unknown: look them up where the service can be asked, before they are repeated."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from notifiers import Notifier, Posted, Unknown
from webhooks.clock import parse_time
from webhooks.errors import RetryLater

# Seconds until a post whose outcome is unknown is looked up, because the service may still carry it out.
LOOKUP_SECONDS = 60.0
# Seconds until it is repeated if it cannot be looked up.
REPEAT_SECONDS = 120.0

# By key, our id of each such post, when it was sent, and the version that it shows.
Pending = dict[str, dict[str, Any]]


def find_pending(
    notifier: Notifier, to: str | None, pending: Pending, key: str, thread: Posted | None, *, now: datetime
) -> Posted | None:
    """Return the message of an earlier attempt whose outcome is unknown, None if it has to be posted.

    One that was never posted is removed from `pending`. Raises RetryLater while that cannot be known yet.
    """
    if key not in pending:
        return None
    since = parse_time(pending[key]["since"]) or now
    if now < since + timedelta(seconds=LOOKUP_SECONDS):
        raise RetryLater("The message may have been posted", since + timedelta(seconds=LOOKUP_SECONDS))
    found = notifier.find(to, pending[key]["id"], since, thread=thread)
    if found is None:
        del pending[key]
    if not isinstance(found, Unknown):
        return found
    if now < since + timedelta(seconds=REPEAT_SECONDS):
        reason = f"The message may have been posted, it is sent again: {found.reason}"
        raise RetryLater(reason, since + timedelta(seconds=REPEAT_SECONDS))
    return None
