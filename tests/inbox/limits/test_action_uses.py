"""Test the counts of what actions do, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import Job

KEY = "tag e3417f6a"
Make = Callable[..., Event]


def claim(box: Inbox, event: Make, number: int) -> list[Job]:
    """Return as many jobs that run."""
    for _ in range(number):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    return box.jobs.claim("me", number, 900)


def test_use_is_counted_until_its_job_ends_without_effect(box: Inbox, event: Make, clock: Clock) -> None:
    """Jobs that run, wait, or were done within the time count; skipped and dead ones do not, nor do other keys."""
    done, running, skipped, dead, other, last = claim(box, event, 6)

    def take(job: Job, key: str = KEY) -> int | None:
        return box.action_uses.take(job, key, 2, datetime.fromtimestamp(clock(), UTC) - timedelta(days=1))

    assert [take(job) for job in (done, done, running)] == [None, None, None]
    assert take(other, "tag other") is None
    assert take(last) == 2
    box.jobs.finish(done)
    box.jobs.postpone(running, 60, "later")
    assert take(skipped) == 2
    clock.forward(25 * 3600)
    assert take(skipped) is None
    assert take(last) == 2
    box.jobs.skip(skipped, "it has these tags already")
    assert take(dead) is None
    box.dead_letters.dead_letter(dead, "no permission")
    assert take(last) is None
    box.jobs.finish(last)
    assert box.retention.delete_before(clock() + 1) == 4


def test_replayed_job_is_counted_again(box: Inbox, event: Make, clock: Clock) -> None:
    """Its earlier use no longer counts, so that it is subject to the limit like a new job."""
    first, second = claim(box, event, 2)
    since = datetime.fromtimestamp(clock(), UTC) - timedelta(days=1)
    assert box.action_uses.take(first, KEY, 1, since) is None
    box.dead_letters.dead_letter(first, "no permission")
    assert box.action_uses.take(second, KEY, 1, since) is None
    box.dead_letters.requeue_jobs([first.id])
    assert box.action_uses.take(first, KEY, 1, since) == 1


def test_limit_holds_at_the_same_moment(url: str, opened: Callable[..., Inbox], event: Make) -> None:
    """Of many jobs that ask at once, in two processes' inboxes, exactly as many pass as the limit allows."""
    boxes = [opened(url), opened(url)]
    jobs = claim(boxes[0], event, 24)
    since = datetime.now(UTC) - timedelta(days=1)
    together = threading.Barrier(8, timeout=60)

    def take(number: int) -> int | None:
        together.wait()
        return boxes[number % 2].action_uses.take(jobs[number], KEY, 3, since)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, range(24)))
    assert taken.count(None) == 3
    assert {count for count in taken if count is not None} == {3}
