"""Add the events of timers when their time has come; all processes do, and the inbox stores each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from webhooks.event import MONITOR, build
from webhooks.event_types import TIMER_DUE
from webhooks.rules.timer import Timer

if TYPE_CHECKING:
    from webhooks.inbox import Inbox


class TimerClock:
    """Adds an event for each time of each timer. `timers` are those of the handlers, by name; `zone` is the server's.

    A time that had passed when this process started is due as well, so that none is lost by a restart.
    """

    def __init__(self, inbox: Callable[[], Inbox], timers: Mapping[str, Timer], zone: tzinfo) -> None:
        self._inbox, self._timers, self._zone = inbox, timers, zone
        self._added: dict[str, datetime] = {}

    def tick(self, now: datetime) -> None:
        """Add the events of timers that are due; call it every second. Raises StoreUnavailable."""
        for name, timer in self._timers.items():
            at = timer.due(now, self._zone)
            if at is None or at == self._added.get(name):
                continue
            # Processes that add it at the same time make the same event, which is stored once.
            event = build(
                TIMER_DUE,
                origin=MONITOR,
                resource="WEBHOOK",
                resource_name=name,
                resource_luid="timer",
                created_at=f"{at:%Y-%m-%dT%H:%M:%S}Z",
            )
            self._inbox().synthetic_events.add(event, MONITOR, at)
            self._added[name] = at
