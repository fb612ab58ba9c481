"""Test `flask events tail`, on a terminal and in a pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import Receive, objects
from webhooks.cli.events.tail import LOOK_BACK, Follower
from webhooks.cli.support.options import Filters
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox, JobRecord
from webhooks.job import Job

Claim = Callable[[], list[Job]]
Update = tuple[int | None, str]


def updates(follower: Follower) -> list[Update]:
    """Return the updates in short: the event id with `received`, `ignored`, or a job and its state."""
    return [
        (
            record.event.id,
            f"{update.job.key.rpartition('/')[2]} {update.job.state.word}" if isinstance(update, JobRecord) else update,
        )
        for record, update in follower.poll()
    ]


def test_each_update_is_reported_once(inbox: Inbox, receive: Receive, claim: Claim) -> None:
    """An event is reported when it is received, its jobs when they end, and then nothing more."""
    receive()
    follower = Follower(inbox, Filters(), start=1)
    assert updates(follower) == []
    event_id, other = receive(), receive("SiteUpdated")
    assert updates(follower) == [(event_id, "received"), (other, "received")]
    jobs = [job for job in claim() if job.event.id == event_id]
    assert updates(follower) == [(other, "ignored")]
    inbox.jobs.finish(jobs[0])
    inbox.jobs.postpone(jobs[1], 0, "503")
    assert updates(follower) == [(event_id, "slack:#finance done"), (event_id, "twilio:+15550100 ready")]
    assert updates(follower) == []


def test_each_failed_attempt_and_each_replay_is_reported(inbox: Inbox, receive: Receive, claim: Claim) -> None:
    """Each ended attempt is an update, also after a replay."""
    event_id = receive("WorkbookCreated")
    follower = Follower(inbox, Filters(), start=0)
    updates(follower)
    for _ in range(2):
        (job,) = claim()
        inbox.jobs.postpone(job, 0, "503")
        assert updates(follower) == [(event_id, "console ready")]
    (job,) = claim()
    inbox.jobs.finish(job)
    assert updates(follower) == [(event_id, "console done")]
    inbox.events.replay([event_id])
    updates(follower)
    (job,) = claim()
    inbox.jobs.finish(job)
    assert updates(follower) == [(event_id, "console done")]


def test_memory_does_not_grow_with_past_events(inbox: Inbox, receive: Receive) -> None:
    """Only the newest events are remembered."""
    follower = Follower(inbox, Filters(), start=0)
    for number in range(LOOK_BACK + 20):
        receive(site_luid=str(number))
    assert len(updates(follower)) == LOOK_BACK + 20
    assert updates(follower) == []
    assert len(follower._reported) == LOOK_BACK


def test_only_matching_events_are_followed(inbox: Inbox, receive: Receive) -> None:
    """Events that do not match the filters are not reported."""
    follower = Follower(inbox, Filters(event_types=("SiteUpdated",), resources=("Br*",)), start=0)
    receive()
    branch = receive("SiteUpdated", resource_name="Branch")
    receive("SiteUpdated", resource_name="Main")
    assert updates(follower) == [(branch, "received")]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """Return the variables of a real process that uses the inbox of this test."""
    mine = {"DATABASE_URL": settings.database_url.get_secret_value(), "FLASK_APP": "index"}
    return {**os.environ, **mine, "RULES_FILE": str(settings.rules_file), "PYTHONUNBUFFERED": "1"}


@contextmanager
def tail(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a real `flask events tail` with pipes for its output."""
    command = [sys.executable, "-m", "flask", "events", "tail", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def test_tail_ends_on_sigterm_with_0(inbox: Inbox, receive: Receive, environment: dict[str, str]) -> None:
    """In a pipe there is one object per line, at once, and nothing else; a signal ends the command with 0."""
    old = receive()
    with tail(environment, "--json", "--last", "1") as process:
        assert process.stdout
        assert objects(process.stdout.readline())[0]["id"] == old
        new = receive("SiteUpdated", resource_name="")
        (event,) = objects(process.stdout.readline())
        assert (event["id"], event["resource_name"]) == (new, "")
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, "", "")


def test_tail_ends_when_its_output_is_closed(inbox: Inbox, receive: Receive, environment: dict[str, str]) -> None:
    """`… | head -1` leaves no process behind, even if no more events are received."""
    event_id = receive()
    with tail(environment, "--last", "1") as process:
        assert process.stdout
        assert process.stderr
        assert str(event_id) in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == ""
