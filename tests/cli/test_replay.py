"""`flask events replay`: one, many, the dead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Receive, Run, objects
from webhooks.inbox import Inbox
from webhooks.job import Job, JobState

Claim = Callable[[], list[Job]]


def states(inbox: Inbox, event_id: int) -> list[JobState]:
    record = inbox.event(event_id)
    assert record
    return [job.job.state for job in record.jobs]


@pytest.fixture
def all_dead(receive: Receive, claim: Claim, inbox: Inbox) -> Callable[[int], list[int]]:
    """Keeps so many events, the jobs of which (two each) all die; gives the ids."""

    def make(count: int) -> list[int]:
        ids = [receive(site_luid=str(number)) for number in range(count)]
        for job in claim():
            inbox.bury(job, "in vain")
        return ids

    return make


def test_replay_runs_events_again(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """Every ended job of the event is ready anew; other events are left alone."""
    first, second = receive(), receive()
    for job in claim():
        inbox.finish(job)
    result = flask("events", "replay", first)
    assert (result.exit_code, result.stdout) == (0, "Replayed 1 event.\n")
    assert states(inbox, first) == [JobState.READY] * 2
    assert states(inbox, second) == [JobState.DONE] * 2


def test_replay_of_an_unknown_id_does_nothing_at_all(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """One wrong id among right ones: none is replayed."""
    event_id = receive()
    for job in claim():
        inbox.finish(job)
    result = flask("events", "replay", event_id, 999)
    assert result.exit_code == 1
    assert "999; nothing was replayed" in result.stderr
    assert states(inbox, event_id) == [JobState.DONE] * 2


def test_replay_json_prints_each_event(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """One event a line, as it stands afterwards; the sentence for people goes to stderr."""
    event_id = receive()
    for job in claim():
        inbox.finish(job)
    result = flask("events", "replay", event_id, "--json")
    (event,) = objects(result.stdout)
    assert (event["id"], event["state"], event["jobs"][0]["state"]) == (event_id, "received", "ready")
    assert "Replayed 1 event" in result.stderr


def test_replay_dead_revives_only_dead_jobs(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """What is done stays done."""
    event_id = receive()
    done, dead = claim()
    inbox.finish(done)
    inbox.bury(dead, "in vain")
    result = flask("events", "replay", "--dead")
    assert (result.exit_code, result.stdout) == (0, "Replayed 1 dead job.\n")
    assert states(inbox, event_id) == [JobState.DONE, JobState.READY]


def test_replay_dead_since_leaves_older_deaths(flask: Run, all_dead: Callable[[int], list[int]]) -> None:
    """Only jobs that died since then."""
    all_dead(1)
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert flask("events", "replay", "--dead", "--since", later).stdout == "Nothing is dead.\n"
    assert flask("events", "replay", "--dead", "--since", "1h").stdout == "Replayed 2 dead jobs.\n"


def test_replay_dead_stops_at_the_cap_and_says_so(
    flask: Run, all_dead: Callable[[int], list[int]], inbox: Inbox
) -> None:
    """--limit is never passed; what is left is told."""
    all_dead(4)
    result = flask("events", "replay", "--dead", "--limit", 3)
    assert result.stdout == "Replayed 3 dead jobs; 5 are left, run it again for those.\n"
    assert inbox.counts()["dead"] == 5


def test_replay_of_many_asks_first(flask: Run, all_dead: Callable[[int], list[int]], inbox: Inbox) -> None:
    """Where nobody can answer, many are replayed only with --yes."""
    all_dead(6)
    refused = flask("events", "replay", "--dead")
    assert refused.exit_code == 2
    assert "12 dead jobs" in refused.stderr
    assert "--yes" in refused.stderr
    assert inbox.counts()["dead"] == 12
    assert flask("events", "replay", "--dead", "--yes").stdout == "Replayed 12 dead jobs.\n"
    assert inbox.counts()["dead"] == 0


def test_replay_by_filter(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """All events that match, whole."""
    created, failed = receive("WorkbookCreated"), receive()
    for job in claim():
        inbox.finish(job)
    assert flask("events", "replay", "--type", "WorkbookCreated", "--since", "1h").exit_code == 0
    assert states(inbox, created) == [JobState.READY]
    assert states(inbox, failed) == [JobState.DONE] * 2


def test_replay_by_filter_refuses_more_than_the_cap(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """More than --limit events match: none is replayed, for a part of them would be arbitrary."""
    ids = [receive() for _ in range(3)]
    for job in claim():
        inbox.finish(job)
    result = flask("events", "replay", "--type", "WorkbookRefreshFailed", "--limit", 2)
    assert result.exit_code == 1
    assert "More than 2 events" in result.stderr
    assert states(inbox, ids[0]) == [JobState.DONE] * 2


@pytest.mark.parametrize("words", [(), ("1", "--since", "2h"), ("--dead", "--type", "WorkbookCreated")])
def test_replay_wants_to_know_which(flask: Run, words: tuple[str, ...]) -> None:
    """Nothing named, or two ways to name events at once, is a usage error."""
    assert flask("events", "replay", *words).exit_code == 2
