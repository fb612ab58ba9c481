"""Test `flask events replay` with ids, filters and dead jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Receive, Run, objects
from webhooks.inbox import Inbox
from webhooks.job import Job, JobState

Claim = Callable[[], list[Job]]


def states(inbox: Inbox, event_id: int) -> list[JobState]:
    record = inbox.events.get(event_id)
    assert record
    return [job.job.state for job in record.jobs]


@pytest.fixture
def all_dead(receive: Receive, claim: Claim, inbox: Inbox) -> Callable[[int], list[int]]:
    """Return a function that stores events whose jobs, two each, are all dead-lettered, and returns the ids."""

    def make(count: int) -> list[int]:
        ids = [receive(site_luid=str(number)) for number in range(count)]
        for job in claim():
            inbox.dead_letters.dead_letter(job, "channel_not_found")
        return ids

    return make


def test_replay_queues_all_ended_jobs(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """Every ended job of the event is ready again; other events are unchanged."""
    first, second = receive(), receive()
    for job in claim():
        inbox.jobs.finish(job)
    result = flask("events", "replay", first)
    assert (result.exit_code, result.stdout) == (0, "Queued 1 event to run again.\n")
    assert states(inbox, first) == [JobState.READY] * 2
    assert states(inbox, second) == [JobState.DONE] * 2


def test_replay_with_an_unknown_id_changes_nothing(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """If one of several ids does not exist, no event is replayed."""
    event_id = receive()
    for job in claim():
        inbox.jobs.finish(job)
    result = flask("events", "replay", event_id, 999)
    assert result.exit_code == 1
    assert "Event 999 not found; nothing was changed" in result.stderr
    assert states(inbox, event_id) == [JobState.DONE] * 2


def test_replay_json_prints_each_event(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """There is one event per line in its new state; the sentence for people is on stderr."""
    event_id = receive()
    for job in claim():
        inbox.jobs.finish(job)
    result = flask("events", "replay", event_id, "--json")
    (event,) = objects(result.stdout)
    assert (event["id"], event["state"], event["jobs"][0]["state"]) == (event_id, "received", "ready")
    assert "Queued 1 event" in result.stderr


def test_replay_dead_queues_only_dead_jobs(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """A job that is done stays done."""
    event_id = receive()
    done, dead = claim()
    inbox.jobs.finish(done)
    inbox.dead_letters.dead_letter(dead, "channel_not_found")
    result = flask("events", "replay", "--dead")
    assert (result.exit_code, result.stdout) == (0, "Queued 1 dead job to run again.\n")
    assert states(inbox, event_id) == [JobState.DONE, JobState.READY]


def test_replay_dead_since_leaves_older_dead_jobs(flask: Run, all_dead: Callable[[int], list[int]]) -> None:
    """Only jobs that are dead since that time are queued."""
    all_dead(1)
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert flask("events", "replay", "--dead", "--since", later).stdout == "There are no dead jobs.\n"
    assert flask("events", "replay", "--dead", "--since", "1h").stdout == "Queued 2 dead jobs to run again.\n"


def test_replay_dead_stops_at_the_limit(flask: Run, all_dead: Callable[[int], list[int]], inbox: Inbox) -> None:
    """No more than --limit jobs are queued, and the number of the others is printed."""
    all_dead(4)
    result = flask("events", "replay", "--dead", "--limit", 3)
    assert result.stdout == "Queued 3 dead jobs to run again. 5 more are dead; run the command again for those.\n"
    assert inbox.counts()["dead"] == 5


def test_replay_of_many_needs_consent(flask: Run, all_dead: Callable[[int], list[int]], inbox: Inbox) -> None:
    """Without a terminal to ask at, many jobs are queued only with --yes."""
    all_dead(6)
    refused = flask("events", "replay", "--dead")
    assert refused.exit_code == 2
    assert "12 dead jobs" in refused.stderr
    assert "--yes" in refused.stderr
    assert inbox.counts()["dead"] == 12
    assert flask("events", "replay", "--dead", "--yes").stdout == "Queued 12 dead jobs to run again.\n"
    assert inbox.counts()["dead"] == 0


def test_replay_by_filter(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """All jobs of the matching events are queued."""
    created, failed = receive("WorkbookCreated"), receive()
    for job in claim():
        inbox.jobs.finish(job)
    assert flask("events", "replay", "--type", "WorkbookCreated", "--since", "1h").exit_code == 0
    assert states(inbox, created) == [JobState.READY]
    assert states(inbox, failed) == [JobState.DONE] * 2


def test_replay_by_filter_refuses_more_than_the_limit(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """If more than --limit events match, none is replayed, because a part of them would be arbitrary."""
    ids = [receive() for _ in range(3)]
    for job in claim():
        inbox.jobs.finish(job)
    result = flask("events", "replay", "--type", "WorkbookRefreshFailed", "--limit", 2)
    assert result.exit_code == 1
    assert "More than 2 events" in result.stderr
    assert states(inbox, ids[0]) == [JobState.DONE] * 2


@pytest.mark.parametrize("words", [(), ("1", "--since", "2h"), ("--dead", "--type", "WorkbookCreated")])
def test_replay_needs_ids_or_filters(flask: Run, words: tuple[str, ...]) -> None:
    """It is a usage error to name no events, or to name them in two ways."""
    assert flask("events", "replay", *words).exit_code == 2
