"""The message about jobs that failed permanently."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from notifiers import Message
from tests.support.handler_context import make_event
from webhooks.job import Job, JobState
from webhooks.messages.dead_letter_message import dead_letter_message, failed_action


def dead(event_id: int = 41, **fields: Any) -> Job:
    event = replace(make_event("WorkbookRefreshFailed"), id=event_id)
    given: dict[str, Any] = {
        "key": "k",
        "handler": "notify",
        "rule": "Finance",
        "params": {"to": "slack:#bi"},
        "where": {},
        "attempts": 20,
        "error": "Slack: channel_not_found",
        **fields,
    }
    return Job(
        id=1, event=event, state=JobState.DEAD, max_attempts=20, due_at=datetime(2026, 1, 31, tzinfo=UTC), **given
    )


def test_single_job_is_described_in_full() -> None:
    """The message has the failed action, the reason, event and rule, and the command that runs it again."""
    assert dead_letter_message([dead()]) == Message(
        'Could not deliver "Sales" to #bi',
        "Slack: channel_not_found",
        facts=(("Event", "41 · WorkbookRefreshFailed"), ("Rule", "Finance"), ("Attempts", "20")),
        severity="bad",
        footer="Details: flask events explain 41 · Run again: flask events replay --dead 41",
    )


def test_several_jobs_are_listed() -> None:
    """Each job has a line with its error; each event is in the command once."""
    jobs = [dead(), dead(params={"to": "twilio:+15550100"}, error=None), dead(42, rule=None)]
    message = dead_letter_message(jobs, lambda event: "north" if event.id == 42 else "")
    assert message.title == "3 actions failed permanently"
    assert message.text.splitlines() == [
        'Event 41, rule Finance: Could not deliver "Sales" to #bi. Slack: channel_not_found',
        'Event 41, rule Finance: Could not deliver "Sales" to +15550100.',
        'Event 42 (north): Could not deliver "Sales" to #bi. Slack: channel_not_found',
    ]
    assert message.footer.endswith("flask events replay --dead 41 42")


def test_message_that_cannot_be_updated_names_its_destination() -> None:
    """An escalation or an edit that cannot be delivered is described like the first message, without the handler."""
    error = "Could not deliver to slack:#oncall. Slack: channel_not_found"
    notice = dead(handler="notice", params={"notice": 7, "to": "slack:#oncall"}, error=error)
    group = dead(handler="notice_group", params={"group": 3}, error=error)
    for job in (notice, group):
        message = dead_letter_message([job])
        assert (message.title, message.text) == ('Could not deliver "Sales" to #oncall', "Slack: channel_not_found")
    assert failed_action(dead(handler="notice_group", params={"group": 3}, error="")) == (
        'Failed for "Sales": shared incident message'
    )


@pytest.mark.parametrize(
    ("to", "place", "shown"),
    [
        ("default", "slack:#bi (SLACK_CHANNEL)", "#bi (SLACK_CHANNEL)"),
        ("slack:#bi", "slack:#bi", "#bi"),
        ("twilio:+15550100", "twilio:+15550100", "+15550100"),
        ("console", "console", "console"),
    ],
)
def test_destination_is_named_once(to: str, place: str, shown: str) -> None:
    """The notifier's error names the destination, too; the headline shows the one that was used for `default`."""
    job = dead(params={"to": to}, error=f"Could not deliver to {place}. Slack: channel_not_found. Invite the app.")
    message = dead_letter_message([job])
    assert (message.title, message.text) == (
        f'Could not deliver "Sales" to {shown}',
        "Slack: channel_not_found. Invite the app.",
    )
    listed = dead_letter_message([job, job]).text.splitlines()[0]
    assert listed == f"Event 41, rule Finance: {message.title}. {message.text}"


def test_long_list_is_shortened() -> None:
    """Ten jobs are listed, and the command that lists all."""
    message = dead_letter_message([dead(number) for number in range(1, 26)])
    assert message.title == "25 actions failed permanently"
    assert len(message.text.splitlines()) == 11
    assert message.text.endswith("… and 15 more: flask events list --state dead")


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (dead(params={"to": "default"}), 'Could not deliver "Sales" to default'),
        (dead(params={}), 'Could not deliver "Sales" to default'),
        (dead(handler="refresh"), 'Could not refresh "Sales"'),
        (dead(handler="planning_failed"), 'Could not plan the actions for "Sales"'),
        (dead(handler="check_name.check_name"), 'Could not run check_name.check_name for "Sales"'),
    ],
)
def test_failed_action_is_named(job: Job, expected: str) -> None:
    """The headline says what did not happen."""
    assert failed_action(job) == expected
