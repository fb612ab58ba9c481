"""`flask events tail`: live, and quiet when piped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cli.conftest import Receive, objects
from webhooks.cli.events.tail import LOOK_BACK, Following
from webhooks.cli.support.options import Filters
from webhooks.config.settings import ROOT, Settings
from webhooks.inbox import Inbox, JobRecord
from webhooks.job import Job

Claim = Callable[[], list[Job]]
Told = tuple[int | None, str]


def told(following: Following) -> list[Told]:
    """The news in short: the event's id with `came`, `ignored`, or what became of a job."""
    return [
        (
            record.event.id,
            f"{news.job.key.rpartition('/')[2]} {news.job.state.word}" if isinstance(news, JobRecord) else news,
        )
        for record, news in following.look()
    ]


def test_following_tells_each_thing_once(inbox: Inbox, receive: Receive, claim: Claim) -> None:
    """An event when it comes, its jobs when they end, in the end nothing more."""
    receive()
    following = Following(inbox, Filters(), start=1)
    assert told(following) == []
    event_id, other = receive(), receive("SiteUpdated")
    assert told(following) == [(event_id, "came"), (other, "came")]
    jobs = [job for job in claim() if job.event.id == event_id]
    assert told(following) == [(other, "ignored")]
    inbox.finish(jobs[0])
    inbox.postpone(jobs[1], 0, "503")
    assert told(following) == [(event_id, "slack:#finance done"), (event_id, "twilio:+15550100 ready")]
    assert told(following) == []


def test_following_tells_of_a_second_failure_and_of_a_replay(inbox: Inbox, receive: Receive, claim: Claim) -> None:
    """Each ended attempt is news, and so is what a replay does."""
    event_id = receive("WorkbookCreated")
    following = Following(inbox, Filters(), start=0)
    told(following)
    for _ in range(2):
        (job,) = claim()
        inbox.postpone(job, 0, "503")
        assert told(following) == [(event_id, "console ready")]
    (job,) = claim()
    inbox.finish(job)
    assert told(following) == [(event_id, "console done")]
    inbox.replay([event_id])
    told(following)
    (job,) = claim()
    inbox.finish(job)
    assert told(following) == [(event_id, "console done")]


def test_following_forgets_what_is_long_past(inbox: Inbox, receive: Receive) -> None:
    """Memory does not grow with the events that went by."""
    following = Following(inbox, Filters(), start=0)
    for number in range(LOOK_BACK + 20):
        receive(site_luid=str(number))
    assert len(told(following)) == LOOK_BACK + 20
    assert told(following) == []
    assert len(following._known) == LOOK_BACK


def test_following_filters(inbox: Inbox, receive: Receive) -> None:
    """Only what was asked for."""
    following = Following(inbox, Filters(event_type="SiteUpdated", resource="Br*"), start=0)
    receive()
    wanted = receive("SiteUpdated", resource_name="Branch")
    receive("SiteUpdated", resource_name="Main")
    assert told(following) == [(wanted, "came")]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """What a real process needs to use this test's inbox."""
    mine = {"DATABASE_URL": settings.database_url.get_secret_value(), "FLASK_APP": "index"}
    return {**os.environ, **mine, "RULES_FILE": str(settings.rules_file), "PYTHONUNBUFFERED": "1"}


@contextmanager
def tail(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    """A real `flask events tail` with pipes for its output."""
    command = [sys.executable, "-m", "flask", "events", "tail", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def test_tail_ends_on_sigterm_with_0(inbox: Inbox, receive: Receive, environment: dict[str, str]) -> None:
    """In a pipe: one object a line, at once, and nothing else; a signal ends it in good order."""
    old = receive()
    with tail(environment, "--json", "--last", "1") as process:
        assert process.stdout
        assert objects(process.stdout.readline())[0]["id"] == old
        new = receive("SiteUpdated", resource_name="")
        (event,) = objects(process.stdout.readline())
        assert (event["id"], event["resource_name"]) == (new, "")
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=10)
    assert (process.returncode, out, errors) == (0, "", "")


def test_tail_ends_when_its_reader_goes(inbox: Inbox, receive: Receive, environment: dict[str, str]) -> None:
    """`… | head -1` leaves no process behind, even if nothing more comes."""
    event_id = receive()
    with tail(environment, "--last", "1") as process:
        assert process.stdout
        assert process.stderr
        assert str(event_id) in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=10) == 0
        assert process.stderr.read() == ""
