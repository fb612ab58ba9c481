"""Remembers who called what: a log of requests with counts, so that a test can ask how often somebody signed in."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

KEPT = 5000


@dataclass(frozen=True)
class Call:
    """One request; `rule` is its path with the variable parts taken out, `status` 0 when it got no answer."""

    at: datetime
    target: str
    method: str
    path: str
    rule: str
    status: int
    milliseconds: float
    faults: tuple[str, ...] = ()


class Calls:
    """The newest calls in full, and the count of all of them."""

    def __init__(self) -> None:
        self.log: deque[Call] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()
        self.total = 0

    def add(self, call: Call) -> None:
        """Remember one call."""
        self.log.append(call)
        self.total += 1
        self.counts[f"{call.method} {call.rule}"] += 1
