"""Test `flask events dismiss`."""

from __future__ import annotations

from tests.cli.conftest import Receive, Run, objects
from tests.cli.events.test_replay import Claim
from webhooks.inbox import Inbox


def test_dead_jobs_are_cancelled_and_can_be_replayed_later(
    flask: Run, receive: Receive, claim: Claim, inbox: Inbox
) -> None:
    """Only dead jobs, of these events or of a time, are cancelled, with one row of the audit log for each command."""
    first, second = receive(), receive()
    done, *dead = claim()
    inbox.jobs.finish(done)
    for job in dead:
        inbox.dead_letters.dead_letter(job, "channel_not_found")
    assert flask("events", "dismiss").exit_code == 2
    assert flask("events", "dismiss", 999).exit_code == 1
    result = flask("events", "dismiss", first, "--json")
    assert result.stderr == "Dismissed 1 dead job.\n"
    assert sorted(job["state"] for job in objects(result.stdout)[0]["jobs"]) == ["cancelled", "done"]
    assert flask("events", "dismiss", "--since", "1h").stdout == "Dismissed 2 dead jobs.\n"
    assert flask("events", "dismiss", second).stdout == "There are no dead jobs.\n"
    assert [(row.act, row.details) for row in inbox.audit.list()] == [
        ("dismiss", "2 jobs"),
        ("dismiss", f"1 job of events {first}"),
    ]
    flask("events", "replay", second)
    assert inbox.counts()["ready"] == 2
