"""Add the event of the digest when its time has come; all processes do, and the inbox stores one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from webhooks.event import MONITOR, build
from webhooks.event_types import DIGEST_DUE

if TYPE_CHECKING:
    from webhooks.inbox import Inbox
    from webhooks.rules.digest import Digest


class DigestClock:
    """Adds the event of each digest once. `digest` returns the digest of the rules in force; its time is in `zone`."""

    def __init__(self, inbox: Callable[[], Inbox], digest: Callable[[], Digest | None], zone: tzinfo) -> None:
        self._inbox, self._digest, self._zone = inbox, digest, zone
        self._added: datetime | None = None

    def tick(self, now: datetime) -> None:
        """Add the event if a digest is due; call it every second. Raises StoreUnavailable."""
        digest = self._digest()
        at = digest.due(now, self._zone) if digest else None
        if digest is None or at is None or at == self._added:
            return
        # Processes that add it at the same time make the same event, which is stored once.
        event = build(
            DIGEST_DUE,
            origin=MONITOR,
            resource="WEBHOOK",
            resource_name="Digest",
            resource_luid="digest",
            created_at=f"{at:%Y-%m-%dT%H:%M:%S}Z",
            text=digest.before(at, self._zone).isoformat(),
        )
        self._inbox().synthetic_events.add(event, MONITOR, at)
        self._added = at
