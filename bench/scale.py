"""How long an event waits for its handler, simulated: events come at random, handlers take what REST calls take."""

from __future__ import annotations

import heapq
import random
import statistics

HANDLER_SECONDS = 0.6
"""A session, a look at the content, one message: three calls of some 200 ms."""
EVENTS = 40_000
RATES = (1, 5, 10, 50, 200, 1000)
MACHINES = (1, 2, 4, 16, 64, 128)
THREADS = 8
"""Two processes of four."""


def run() -> None:
    """A row for each rate, a column for each number of machines: the 99th percentile of the wait, seconds."""
    print(f"\nWait for a free thread, 99th percentile, s; handlers of {HANDLER_SECONDS} s, {THREADS} threads a machine")
    print(f"{'events/s':>9} " + "".join(f"{machines:>9}" for machines in MACHINES))
    for rate in RATES:
        print(f"{rate:9d} " + "".join(f"{_shown(rate, machines):>9}" for machines in MACHINES), flush=True)


def _shown(rate: float, machines: int) -> str:
    threads = machines * THREADS
    if rate * HANDLER_SECONDS >= threads:
        return "grows"
    return f"{statistics.quantiles(waits(rate, threads), n=100)[-1]:.2f}"


def waits(rate: float, threads: int, seed: int = 1) -> list[float]:
    """Seconds that each of many events waits, first come, first served."""
    chance = random.Random(seed)
    free = [0.0] * threads
    now, seen = 0.0, []
    for _ in range(EVENTS):
        now += chance.expovariate(rate)
        start = max(now, heapq.heappop(free))
        seen.append(start - now)
        heapq.heappush(free, start + chance.expovariate(1 / HANDLER_SECONDS))
    return seen
