"""The usual delays and durations of content, read from the inbox and remembered for some hours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from webhooks.watches.timing import Usual

if TYPE_CHECKING:
    from webhooks.inbox import Inbox

# Runs that are older say little about today's.
HISTORY = timedelta(days=60)
REMEMBERED = timedelta(hours=6)


class UsualTimes:
    """The usual delays and durations for each pair of a task and its content."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._known: dict[tuple[str, str], tuple[datetime, Usual]] = {}

    def of(self, pairs: Iterable[tuple[str, str]], site_luid: str, now: datetime) -> dict[tuple[str, str], Usual]:
        """Return what is usual for tasks of a site and their content; read at once for all that are not remembered."""
        wanted = set(pairs)
        new = {pair for pair in wanted if pair not in self._known or now - self._known[pair][0] > REMEMBERED}
        if new:
            since = now - HISTORY
            delays = self._inbox.expected_runs.delays(site_luid, {task for task, _ in new if task}, since)
            durations = self._inbox.run_history.durations({luid for _, luid in new}, since)
            for task, luid in new:
                usual = Usual(tuple(delays.get(task, ())), tuple(durations.get(luid, ())))
                self._known[task, luid] = (now, usual)
        return {pair: self._known[pair][1] for pair in wanted}
