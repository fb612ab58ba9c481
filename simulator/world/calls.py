"""A log of API calls with counts, so that a test can see how often a client signed in."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

MAX_CALLS = 5000


@dataclass(frozen=True)
class Call:
    """One request; `rule` is its path without the variable parts, `status` is 0 if it got no response."""

    at: datetime
    target: str
    method: str
    path: str
    rule: str
    status: int
    milliseconds: float
    faults: tuple[str, ...] = ()


class Calls:
    """The newest calls in full, and the counts of all of them."""

    def __init__(self) -> None:
        self.log: deque[Call] = deque(maxlen=MAX_CALLS)
        self.counts: Counter[str] = Counter()
        self.total = 0

    def add(self, call: Call) -> None:
        """Log one call."""
        self.log.append(call)
        self.total += 1
        self.counts[f"{call.method} {call.rule}"] += 1
