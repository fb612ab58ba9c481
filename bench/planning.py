"""Measure the processor time of planning refreshes, with their runs and incidents, relative to events without them."""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench import postgres
from webhooks.event import Event, parse
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.jobs import PLAN_LIMIT
from webhooks.incidents import DestinationPolicy, IncidentFilter, Policy
from webhooks.job import NewJob

# Every workbook is refreshed once an hour; each hour is one batch of starts and ends.
WORKBOOKS = 200
HOURS = 12
# Six percent of all refreshes: a workbook begins to fail, and fails again with this probability.
FAILURES, AGAIN = 0.03, 0.5
BODY = (
    '{"resource":"WORKBOOK","event_type":"%s","resource_name":"Sales %d",'
    '"site_luid":"6b7a4a9c-1111-4222-8333-444455556666","resource_luid":"%08x-0000-4000-8000-000000000000",'
    '"created_at":"%s","text":"The refresh of workbook Sales %d"}'
)
POLICY = Policy("r", (DestinationPolicy("slack:#bi"),))
OTHER_TYPE = "WorkbookUpdated"


@dataclass
class Costs:
    """Processor time per event in milliseconds, one value for each batch."""

    plan: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)

    @property
    def drain(self) -> list[float]:
        """Return the time of planning and running together."""
        return [plan + run for plan, run in zip(self.plan, self.run, strict=True)]


def run() -> None:
    """Measure both databases, with many events in one transaction and with one."""
    # As the server does.
    gc.collect()
    gc.freeze()
    print(f"\nPlanning of refreshes, {FAILURES / (1 - AGAIN):.0%} failed, relative to other events: processor time")
    for limit in (PLAN_LIMIT, 1):
        with tempfile.TemporaryDirectory() as folder:
            urls = [f"sqlite:///{folder}/{name}.sqlite3" for name in ("with", "without")]
            measure("SQLite", urls, limit, time.process_time)
        if postgres.binaries():
            with postgres.Server() as server:
                urls = [server.url(), server.url()]
                measure("PostgreSQL", urls, limit, lambda: time.process_time() + server.processor_time())


def measure(database: str, urls: Sequence[str], limit: int, clock: Callable[[], float]) -> None:
    """Print the ratios, of batches that alternate between an inbox with incidents and one without."""
    costs = (Costs(), Costs())
    with opened(urls[0]) as incidents, opened(urls[1]) as others:
        for number, hour in enumerate(hours()):
            pairs = [(incidents, hour, costs[0]), (others, [as_other(body) for body in hour], costs[1])]
            for inbox, bodies, cost in pairs if number % 2 else reversed(pairs):
                receive(inbox, bodies)
                plan, work = drain(inbox, limit, clock)
                if number:
                    cost.plan.append(plan / len(bodies) * 1000)
                    cost.run.append(work / len(bodies) * 1000)
            register_notices(incidents)
    print(f"{database}, {limit} in a transaction")
    for name in ("plan", "run", "drain"):
        first, second = (getattr(cost, name) for cost in costs)
        ratios = [one / other for one, other in zip(first, second, strict=True)]
        print(
            f"  {name:<6} {statistics.median(first):6.3f} ms   without {statistics.median(second):6.3f} ms"
            f"   ratio {statistics.median(ratios):5.2f}   ({min(ratios):.2f}-{max(ratios):.2f})",
            flush=True,
        )


@contextmanager
def opened(url: str) -> Iterator[Inbox]:
    """Open an inbox, and close it in the end."""
    inbox = Inbox.open(url)
    try:
        yield inbox
    finally:
        inbox.close()


def hours() -> Iterator[list[str]]:
    """Yield the bodies of the events of each hour, in the order of their times."""
    numbers = random.Random(1)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=HOURS)
    failing: set[int] = set()
    for hour in range(HOURS):
        found = []
        for workbook in range(WORKBOOKS):
            start = begin + timedelta(hours=hour, seconds=numbers.randrange(3000))
            end = start + timedelta(seconds=numbers.randrange(10, 500))
            fails = numbers.random() < (AGAIN if workbook in failing else FAILURES)
            (failing.add if fails else failing.discard)(workbook)
            outcome = "Failed" if fails else "Succeeded"
            for at, word in ((start, "Started"), (end, outcome)):
                text = f"{at:%Y-%m-%dT%H:%M:%SZ}"
                found.append((at, BODY % (f"WorkbookRefresh{word}", workbook, workbook, text, workbook)))
        yield [body for _, body in sorted(found)]


def as_other(body: str) -> str:
    """Return the event with a type that is not about a refresh."""
    for word in ("Started", "Succeeded", "Failed"):
        body = body.replace(f"WorkbookRefresh{word}", OTHER_TYPE)
    return body


def receive(inbox: Inbox, bodies: Sequence[str]) -> None:
    """Store the events."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: inbox.events.receive(_event(body)), bodies))


def _event(body: str) -> Event:
    event = parse(body.encode())
    assert event is not None
    return event


def drain(inbox: Inbox, limit: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Plan all events and run their jobs, and return the processor time of both in seconds."""
    began = clock()
    while inbox.events.plan(lambda _: [NewJob("nothing", "nothing")], limit):
        pass
    planned = clock()
    while jobs := inbox.jobs.claim("bench", min(limit, 16), 30.0):
        for job in jobs:
            inbox.jobs.finish(job)
    return planned - began, clock() - planned


def register_notices(inbox: Inbox) -> None:
    """Let each open incident have a message, as a rule's job does."""
    for record in inbox.incidents.list(IncidentFilter(states=("open",)), limit=None):
        inbox.notices.register(record.id, "slack:#bi", POLICY)
