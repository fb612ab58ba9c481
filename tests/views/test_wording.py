"""Test the words for events and jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from webhooks.event import Event
from webhooks.inbox import Attempt, EventRecord, JobRecord
from webhooks.job import (
    BUILT_IN_HANDLERS,
    DEAD_LETTERS,
    DIGEST,
    HEARTBEAT,
    INCIDENT_HANDLERS,
    UNDELIVERED,
    Job,
    JobState,
    NewJob,
)
from webhooks.views import wording

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
EVENT = Event("WorkbookCreated", {"event_type": "WorkbookCreated"}, b"{}", b"x" * 32, id=41)
JOB = Job(
    id=7,
    event=EVENT,
    key="Published/notify/slack:#bi",
    handler="notify",
    rule="Published",
    params={"to": "slack:#bi"},
    where={},
    state=JobState.READY,
    attempts=0,
    max_attempts=20,
    due_at=NOW,
)


def attempt(number: int, outcome: str) -> Attempt:
    """Return an attempt that took 400 ms."""
    return Attempt(number, "host:1:a", NOW, NOW + timedelta(seconds=0.4), outcome, None)


@pytest.mark.parametrize(
    ("changes", "attempts", "outcome"),
    [
        ({}, "", "due now, waiting for a worker"),
        ({"due_at": NOW + timedelta(seconds=7)}, "", "due in 7 s"),
        ({"state": JobState.DONE, "attempts": 1}, "done", "1 attempt, 0.4 s"),
        ({"state": JobState.SKIPPED, "attempts": 1, "error": "project is Sales"}, "skipped", "project is Sales"),
        ({"state": JobState.DEAD, "attempts": 1, "error": "no such channel"}, "dead", "no such channel (permanent)"),
        ({"state": JobState.DEAD, "attempts": 5, "error": "503"}, "later dead", "503 (after 5 attempts)"),
        ({"state": JobState.DEAD, "attempts": 1, "max_attempts": 1}, "dead", "unknown reason (after 1 attempt)"),
        (
            {"state": JobState.RUNNING, "attempts": 2, "due_at": NOW + timedelta(seconds=60), "owner": "host:1:a"},
            "later",
            "attempt 2, for 0 ms on host:1:a",
        ),
        (
            {"state": JobState.RUNNING, "attempts": 2, "due_at": NOW - timedelta(seconds=1)},
            "later",
            "attempt 2; the worker's lease has expired, another worker takes over",
        ),
        (
            {"attempts": 3, "due_at": NOW + timedelta(seconds=7), "error": "503"},
            "later later later",
            "3 failed attempts, next in 7 s; 503",
        ),
    ],
)
def test_the_outcome_of_a_job(changes: dict[str, object], attempts: str, outcome: str) -> None:
    """The outcome of a job is its end, or its next attempt."""
    made = tuple(attempt(number, word) for number, word in enumerate(attempts.split(), 1))
    assert wording.job_outcome(JobRecord(replace(JOB, **changes), made), NOW) == outcome  # type: ignore[arg-type]


def test_a_retry_promises_no_number_of_attempts() -> None:
    """Waiting on request of the other side raises `max_attempts`, and an unexpected error ends it early."""
    job = replace(JOB, attempts=2, max_attempts=22, due_at=NOW + timedelta(seconds=30))
    assert "22" not in wording.job_outcome(JobRecord(job, (attempt(1, "later"), attempt(2, "later"))), NOW)


def test_only_failed_attempts_are_counted_as_failed() -> None:
    """An attempt that a stopping worker released, or that has to wait, did not fail."""
    job = replace(JOB, attempts=2)
    made = (attempt(1, "later"), attempt(2, "released"))
    assert wording.next_attempt(JobRecord(job, made), NOW) == "1 failed attempt, next one due now"
    for outcome in ("released", "waiting"):
        other = JobRecord(replace(JOB, attempts=1), (attempt(1, outcome),))
        assert wording.next_attempt(other, NOW) == "next one due now"
        assert wording.event_summary(EventRecord(EVENT, "planned", 0, (other,)), NOW) == [
            ("waiting (next one due now)", "waiting")
        ]


def test_failed_attempts_are_counted_from_the_last_replay() -> None:
    """Attempts before a replay are not counted."""
    made = (attempt(1, "later"), attempt(2, "dead"), attempt(1, "later"))
    assert [len(part) for part in wording.attempts_by_replay(made)] == [2, 1]
    assert wording.next_attempt(JobRecord(replace(JOB, attempts=1), made), NOW) == "1 failed attempt, next one due now"


def test_the_summary_of_a_single_retrying_job_has_its_attempts() -> None:
    """A job that waits for its next attempt is retrying, and the summary says since how many failures."""
    job = replace(JOB, attempts=3, due_at=NOW + timedelta(seconds=7))
    record = JobRecord(job, tuple(attempt(number, "later") for number in (1, 2, 3)))
    event = EventRecord(EVENT, "planned", 0, (record,))
    assert wording.event_summary(event, NOW) == [("retrying (3 failed attempts, next in 7 s)", "retrying")]


def test_the_summary_of_many_jobs_counts_their_states() -> None:
    """Dead jobs come first, and a job that was attempted before is not counted as ready."""
    states = [(JobState.DONE, 1), (JobState.READY, 2), (JobState.DEAD, 1), (JobState.READY, 0), (JobState.DONE, 1)]
    made = (attempt(1, "released"), attempt(2, "later"))
    jobs = tuple(JobRecord(replace(JOB, state=state, attempts=attempts), made) for state, attempts in states)
    summary = wording.event_summary(EventRecord(EVENT, "planned", 0, jobs), NOW)
    assert summary == [("1 dead", "dead"), ("1 retrying", "retrying"), ("1 ready", "ready"), ("2 done", "done")]


@pytest.mark.parametrize("report", [JobState.READY, JobState.DONE, JobState.DEAD])
def test_the_summary_leaves_out_the_report_of_dead_jobs(report: JobState) -> None:
    """An event whose only action is dead is dead, whatever became of the report about it."""
    dead, reporting = replace(JOB, state=JobState.DEAD), replace(JOB, handler=DEAD_LETTERS, state=report)
    summary = wording.event_summary(
        EventRecord(EVENT, "planned", 0, (JobRecord(dead, ()), JobRecord(reporting, ()))), NOW
    )
    assert summary == [("dead", "dead")]


@pytest.mark.parametrize(
    ("state", "duplicates", "words"),
    [
        ("received", 0, "accepted, not planned yet"),
        ("planned", 2, "accepted, 2 duplicates"),
        ("ignored", 1, "accepted, no rule or handler matched, 1 duplicate"),
    ],
)
def test_the_reception_of_an_event(state: str, duplicates: int, words: str) -> None:
    """The event's own state and its duplicates are given in words."""
    assert wording.reception(EventRecord(EVENT, state, duplicates, ())) == words


@pytest.mark.parametrize("handler", sorted(INCIDENT_HANDLERS | BUILT_IN_HANDLERS - {DIGEST, HEARTBEAT} | {UNDELIVERED}))
def test_jobs_of_the_server_have_words(handler: str) -> None:
    """No name of a handler with an underscore, and no other internal name, is shown to people."""
    params = {"to": ["slack:#bi"], "group": 3, "origin": "PagerDuty", "action": "incident_why", "incident": 7}
    title = wording.job_title(NewJob(f"{handler} 1 6471fde4", handler, params=params))
    assert title in {
        "Slack button why",
        "act of a person (PagerDuty)",
        "incident message slack:#bi",
        "planning of the event",
        "refresh of incident 7",
        "reply to a text message",
        "report of an undelivered text message slack:#bi",
        "report of dead jobs slack:#bi",
        "second incident message slack:#bi",
        "server alert slack:#bi",
        "shared incident message (group 3)",
    }
