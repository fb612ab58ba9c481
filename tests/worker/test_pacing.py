"""Pacing: the number of jobs that a worker claims and the times at which it plans, by tables."""

from __future__ import annotations

import pytest

from webhooks.inbox.databases.known_database import PLANNER, SIZE, KnownDatabase
from webhooks.worker.pacing import AHEAD, PLAN_PAUSE_SECONDS, TURN_SECONDS, Pacing


@pytest.mark.parametrize(
    ("durations", "held", "room"),
    [
        ([], 0, 4),  # nothing is known yet: one job for each thread
        ([], 3, 1),
        ([], 4, 0),
        ([0.001] * 50, 0, 4 * AHEAD),  # fast handlers: many jobs share a commit
        ([0.001] * 50, 30, 2),
        ([0.001] * 50, 40, 0),
        ([0.001] * 50 + [5.0], 0, 4),  # one slow job is enough to stop claiming ahead
        ([0.001] * 50 + [5.0] + [0.001] * 50, 0, 4 * AHEAD),
        ([0.05] * 50, 0, 4),
    ],
)
def test_room_follows_the_duration_of_jobs(durations: list[float], held: int, room: int) -> None:
    """A worker claims ahead only while its handlers are fast, and never more than it can start soon."""
    pacing = Pacing(threads=4)
    for seconds in durations:
        pacing.job_took(seconds)
    assert pacing.room(held) == room


@pytest.mark.parametrize(
    ("events", "may_plan_at_once"),
    [(0, True), (19, True), (20, False), (199, False), (200, True)],
)
def test_many_events_pause_planning(events: int, may_plan_at_once: bool) -> None:
    """Under load acknowledgements come first; a backlog, where the limit was reached, is planned without a pause."""
    pacing = Pacing(threads=4)
    assert pacing.may_plan(100.0)
    pacing.planned(100.0, events, limit=200)
    assert pacing.may_plan(100.0) == may_plan_at_once
    assert pacing.may_plan(100.0 + PLAN_PAUSE_SECONDS)


def test_one_process_plans_while_there_are_many_events() -> None:
    """The others leave them to it, until it has planned few or none for a while, as after its death."""
    values = [0] * SIZE
    pacing = Pacing(4, KnownDatabase(values))
    pacing.planned(100.0, 19, limit=200)
    assert values[PLANNER] == 0
    pacing.planned(100.0, 200, limit=200)
    assert pacing.may_plan(100.0)
    values[PLANNER] = 1  # another process
    assert not pacing.may_plan(100.0 + PLAN_PAUSE_SECONDS)
    assert pacing.may_plan(100.0 + TURN_SECONDS)


def test_next_round_begins_when_a_postponed_job_is_due() -> None:
    """A worker waits for the usual pause, or until the first of its jobs that were postponed is due."""
    pacing = Pacing(threads=4)
    assert pacing.pause(10.0, 10.1, 1.0) == 1.0
    for due in (12.0, 10.5, 30.0):
        pacing.postponed(due)
    assert pacing.pause(10.0, 10.1, 1.0) == pytest.approx(0.4)
    # It became due after the round had begun, which may have missed it.
    assert pacing.pause(10.4, 10.6, 1.0) == 0.0
    assert pacing.pause(10.6, 10.7, 1.0) == 1.0
    assert pacing.pause(11.5, 11.6, 1.0) == pytest.approx(0.4)
