"""Limits of a service on calls, and the arithmetic of a budget that stays below them. Pure; nothing is stored here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

# What a notifier can be asked to do, as far as it costs the service's budget.
Operation = Literal["post", "edit", "reply", "find", "attach", "permalink"]
# The share of a limit that is used if nothing else is said, because other programs and retries use the same limit.
FILL = 0.8


@dataclass(frozen=True)
class Limit:
    """A service accepts `calls` in any `seconds`. `key` names what is counted, for all processes alike.

    `fill` is the share of it that is used. `at_once` is the number of calls at once where the service tolerates bursts:
    then the limit holds in the long run, and not for any `seconds`.
    """

    key: str
    calls: int
    seconds: float
    fill: float = FILL
    at_once: int | None = None

    @property
    def spacing(self) -> timedelta:
        """The time between two calls that use `fill` of the limit."""
        return timedelta(seconds=self.seconds / (self.calls * self.fill))

    @property
    def burst(self) -> int:
        """The number of calls at once; the default keeps all calls in any `seconds` below the limit."""
        return self.calls - int(self.calls * self.fill) if self.at_once is None else self.at_once

    @property
    def tolerance(self) -> timedelta:
        """The time by which a call may be earlier than that, because several may be made at once."""
        return (self.burst - 1) * self.spacing

    def reserve(self, used_until: datetime | None, now: datetime) -> tuple[datetime, datetime]:
        """Return when the next call may be made, and the `used_until` to store for the call after it.

        `used_until` is what the last reservation for this key returned; None if there was none. To refuse a call
        instead of waiting, store nothing if the first time is later than `now`.
        """
        # The generic cell rate algorithm: one time is the whole state of a bucket.
        used = max(used_until or now, now)
        start = max(now, used - self.tolerance)
        return start, used + self.spacing
