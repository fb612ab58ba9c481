"""Simulate how long an event waits for a free thread: random arrivals, handlers that wait for REST calls."""

from __future__ import annotations

import heapq
import random
import statistics

# Three requests of 200 ms: the session, the content, one message.
HANDLER_SECONDS = 0.6
EVENTS = 40_000
RATES = (1, 5, 10, 50, 200, 1000)
MACHINES = (1, 2, 4, 16, 64, 128)
# Two processes of four threads.
THREADS = 8


def run() -> None:
    """Print the 99th percentile of the wait in seconds: a row for each rate, a column for each number of machines."""
    print(f"\nWait for a free thread, 99th percentile, s; handlers of {HANDLER_SECONDS} s, {THREADS} threads a machine")
    print(f"{'events/s':>9} " + "".join(f"{machines:>9}" for machines in MACHINES))
    for rate in RATES:
        print(f"{rate:9d} ", end="")
        for machines in MACHINES:
            threads, wait = machines * THREADS, "grows"
            if rate * HANDLER_SECONDS < threads:
                wait = f"{statistics.quantiles(waits(rate, threads), n=100)[-1]:.2f}"
            print(f"{wait:>9}", end="", flush=True)
        print()


def waits(rate: float, threads: int, seed: int = 1) -> list[float]:
    """Return the seconds that each of many events waits, in order of arrival."""
    numbers = random.Random(seed)
    free = [0.0] * threads
    now, seconds = 0.0, []
    for _ in range(EVENTS):
        now += numbers.expovariate(rate)
        start = max(now, heapq.heappop(free))
        seconds.append(start - now)
        heapq.heappush(free, start + numbers.expovariate(1 / HANDLER_SECONDS))
    return seconds
