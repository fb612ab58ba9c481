"""Test attempts that fail because a service is unavailable: those of the schedule count, those in addition do not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from notifiers import NotifierError
from tests.support.databases import NOTIFY, Clock
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import Job, JobState, NewJob
from webhooks.worker.attempt import Attempts, Ending


def unavailable() -> NotifierError:
    """Return the error of a call while Slack is unavailable."""
    error = NotifierError("Slack: status 503")
    error.service = "slack"
    return error


@dataclass
class Failing:
    """Jobs whose attempts fail."""

    box: Inbox
    error: Exception = field(default_factory=unavailable)

    def attempt(self) -> tuple[Job, Ending]:
        """Run a job that is due, and return it with the end of the attempt."""
        attempts = Attempts(self.box, self._run, threading.Event())
        (job,) = self.box.jobs.claim("a worker", 1, 30.0)
        ending = attempts.run(job, lambda: True)
        assert ending is not None
        attempts.settle(job, ending)
        return job, ending

    def _run(self, _job: Job, _still_mine: Callable[[], bool]) -> None:
        raise self.error


def test_attempt_that_was_made_in_addition_is_free(
    url: str, opened: Callable[..., Inbox], clock: Clock, event: Callable[..., Event]
) -> None:
    """It changes neither the number of attempts nor the time of the next one."""
    box = opened(url, clock=clock)
    failing = Failing(box)
    box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    for number, wait in enumerate((1, 5, 30, 180), 1):
        job, ending = failing.attempt()
        assert (job.attempts, ending.outcome, ending.service) == (number, "retry", "slack")
        assert ending.seconds == pytest.approx(0.95 * wait, rel=0.06)
        if number < 4:
            clock.forward(ending.seconds)
    due_at = clock.seconds + ending.seconds
    for _ in range(3):
        clock.forward(20)
        assert box.outages.wake() == 1
        job, again = failing.attempt()
        assert (again.outcome, again.free) == ("wait", True)
        assert clock.seconds + again.seconds == pytest.approx(due_at, abs=0.1)
    assert (job.attempts, job.max_attempts) == (7, NOTIFY.max_attempts + 2)
    # The schedule goes on with its next wait.
    clock.seconds = due_at
    assert failing.attempt()[1].seconds == pytest.approx(0.95 * 900, rel=0.06)
    # Any other error in such an attempt counts.
    clock.forward(20)
    assert box.outages.wake() == 1
    failing.error = NotifierError("Slack: channel_not_found", permanent=True)
    assert failing.attempt()[1].state is JobState.DEAD


def test_last_attempt_of_the_schedule_dead_letters_the_job(
    url: str, opened: Callable[..., Inbox], clock: Clock, event: Callable[..., Event]
) -> None:
    """Attempts in addition to the schedule, also after the last but one, do not add any to it."""
    box = opened(url, clock=clock)
    failing = Failing(box)
    box.events.receive(event())
    box.events.plan(lambda _: [NewJob("job", "notify", max_attempts=4)])
    for _ in range(3):
        _, ending = failing.attempt()
        due_at = clock.seconds + ending.seconds
        if ending.seconds > 20:
            clock.forward(20)
            assert box.outages.wake() == 1
            assert failing.attempt()[1].free
        clock.seconds = due_at
    job, ending = failing.attempt()
    assert (job.attempts, ending.state) == (5, JobState.DEAD)


def test_first_waits_are_longer_while_the_outage_is_known(
    url: str, opened: Callable[..., Inbox], clock: Clock, event: Callable[..., Event]
) -> None:
    """Once the calls of two jobs have failed, their next wait is 30 s instead of 5 s."""
    box = opened(url, clock=clock)
    failing = Failing(box)
    for _ in range(2):
        box.events.receive(event())
    box.events.plan(lambda _: [NOTIFY])
    assert [failing.attempt()[1].seconds <= 1 for _ in range(2)] == [True, True]
    assert box.outages.wake() == 0
    clock.forward(1.1)
    assert failing.attempt()[1].seconds == 30


def test_unavailable_is_what_every_message_would_meet() -> None:
    """A refusal, a limit, a lost response and a server that declines a message for now do not mean an outage."""
    later = unavailable()
    assert later.unavailable
    assert not later.responded
    assert NotifierError("no connection", sent=False).unavailable
    others = {"permanent": (False, True), "uncertain": (False, False), "declined": (False, True)}
    for name, expected in others.items():
        error = NotifierError("x", **{name: True})
        assert (error.unavailable, error.responded) == expected
    misconfigured = NotifierError("SLACK_TOKEN is not set", permanent=True, sent=False)
    assert not misconfigured.unavailable
    assert not misconfigured.responded
