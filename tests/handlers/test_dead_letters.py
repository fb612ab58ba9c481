"""The dead_letters action announces jobs that failed permanently."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifiers import NotifierError
from tests.support.handler_context import MakeContext, MakeError, MakeJob, RecordingNotifiers
from webhooks.context import Context, call
from webhooks.errors import RetryLater, Skip
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.registry import registry


@pytest.fixture
def announcement(inbox: Inbox, job: MakeJob) -> Callable[..., Job]:
    """Dead-letter some jobs and claim their announcement."""

    def make(dead: int = 1, to: tuple[str, ...] = ("slack:#ops", "console")) -> Job:
        registry.load()
        inbox.dead_letters.announcements = (
            NewJob("dead letters", "dead_letters", rule="dead letters", params={"to": to}),
        )
        claimed_ones = [job(key=f"R/notify/{number}") for number in range(dead)]
        for number, one in enumerate(claimed_ones):
            inbox.dead_letters.dead_letter(one, f"error {number}")
        (claimed,) = inbox.jobs.claim("tests", 10, 60)
        return claimed

    return make


def announce(context: Context) -> None:
    call(registry.handler("dead_letters"), context)


def all_announced(inbox: Inbox) -> bool:
    return not inbox.dead_letters.unannounced(except_handler="dead_letters")


def test_announcement_goes_to_every_destination(
    announcement: Callable[..., Job], context: MakeContext, notifiers: RecordingNotifiers, inbox: Inbox
) -> None:
    """One message about all dead jobs is sent to each destination of the rules."""
    announce(context(announcement(dead=3)))
    for kind, to in (("slack", "#ops"), ("console", None)):
        ((address, message),) = notifiers[kind].sent
        assert (address, message.title) == (to, "3 actions failed permanently")
        assert 'Event 3, rule R: Could not deliver "Sales" to default. error 2' in message.text
    assert all_announced(inbox)


def test_dead_job_is_announced_once(
    announcement: Callable[..., Job], context: MakeContext, inbox: Inbox, job: MakeJob
) -> None:
    """A second announcement has nothing to announce."""
    claimed = announcement()
    announce(context(claimed))
    with pytest.raises(Skip, match="already announced"):
        announce(context(job(key="again", handler="dead_letters", params={"to": ["slack"]})))


def test_failing_destination_does_not_affect_the_others(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    permanent_error: MakeError,
) -> None:
    """A channel that is closed permanently does not keep the announcement from the other destinations."""
    notifiers["slack"].errors = [permanent_error()]
    announce(context(announcement()))
    assert len(notifiers["console"].sent) == 1
    assert all_announced(inbox)


def test_announcement_is_retried_after_a_transient_error(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    transient_error: MakeError,
) -> None:
    """A destination that was notified is not notified again when the job is retried for the others."""
    claimed = announcement()
    notifiers["slack"].errors = [transient_error()]
    with pytest.raises(NotifierError):
        announce(context(claimed))
    announce(context(claimed, attempts=2))
    assert (len(notifiers["slack"].sent), len(notifiers["console"].sent)) == (1, 1)
    assert all_announced(inbox)


def test_announcement_that_reaches_no_destination_is_an_error(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    permanent_error: MakeError,
) -> None:
    """If no destination can be notified, the dead jobs are unannounced again once the announcement is dead."""
    notifiers["slack"].errors = [permanent_error()]
    claimed = announcement(to=("slack",))
    with pytest.raises(NotifierError):
        announce(context(claimed))
    inbox.dead_letters.dead_letter(claimed, "no destination")
    assert not all_announced(inbox)


def test_other_notifiers_are_used_if_no_destination_works(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    permanent_error: MakeError,
) -> None:
    """With an invalid token for the only channel, another notifier is used, and the failure is recorded."""
    notifiers.with_default_address = ("slack", "twilio", "console")
    notifiers["slack"].errors = [permanent_error(), permanent_error()]
    claimed = announcement(to=("slack:#ops",))
    announce(context(claimed))
    ((address, message),) = notifiers["twilio"].sent
    assert (address, message.title) == (None, 'Could not deliver "Sales" to default')
    assert notifiers["console"].sent == []
    assert all_announced(inbox)
    assert inbox.dead_letters.undeliverable == ["slack:#ops"]
    outcome = inbox.checkpoints.get(claimed, "announced to")
    assert outcome["notified"] == ["twilio"]
    assert outcome["failed"].keys() == {"slack:#ops", "slack"}


def test_announcement_that_works_again_is_deliverable(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    permanent_error: MakeError,
    job: MakeJob,
) -> None:
    """Each announcement tells where dead letters arrive."""
    notifiers["slack"].errors = [permanent_error()]
    announce(context(announcement()))
    assert inbox.dead_letters.undeliverable == ["slack:#ops"]
    inbox.dead_letters.dead_letter(job(key="R/notify/next"), "next error")
    params = {"to": ["slack:#ops", "console"]}
    announce(context(job(key="dead letters 2", handler="dead_letters", params=params)))
    assert inbox.dead_letters.undeliverable == []


def test_last_attempt_uses_other_notifiers_during_an_outage(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    transient_error: MakeError,
) -> None:
    """An outage of the only destination that outlasts all attempts does not leave everyone without a notice."""
    notifiers.with_default_address = ("twilio",)
    claimed = announcement(to=("slack",))
    notifiers["slack"].errors = [transient_error(), transient_error()]
    with pytest.raises(NotifierError):
        announce(context(claimed))
    assert notifiers["twilio"].sent == []
    announce(context(claimed, attempts=claimed.max_attempts))
    assert len(notifiers["twilio"].sent) == 1


def test_nobody_notified_is_an_error_in_the_log(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    permanent_error: MakeError,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line contains what failed; the job fails, so that no one believes that someone was notified."""
    notifiers["slack"].errors = [permanent_error(), permanent_error()]
    claimed = announcement(to=("slack:#ops",))
    with pytest.raises(NotifierError, match="not_in_channel"):
        announce(context(claimed))
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert 'Dead letters could not be announced anywhere: Could not deliver "Sales" to default: error 0' in line
    assert inbox.checkpoints.get(claimed, "announced to")["notified"] == []


def test_job_that_dies_during_an_announcement_is_in_the_next_one(
    *,
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While Slack is slow, a job that dies is announced once, and so is each job of the announcement under way."""
    monkeypatch.setattr("webhooks.inbox.jobs.announcement_pace.INTERVALS", (0.0,))
    slow = announcement(to=("slack",))
    notifiers["slack"].errors = [NotifierError("Slack did not respond", uncertain=True)]
    with pytest.raises(RetryLater):
        announce(context(slow))
    inbox.dead_letters.dead_letter(job(key="R/notify/late"), "late error")
    (following,) = inbox.jobs.claim("tests", 1, 60)
    announce(context(following))
    announce(context(slow, attempts=2))
    first, second = [message.text for _, message in notifiers["slack"].sent]
    assert (first, second) == ("late error", "error 0")


def test_uncertain_destination_does_not_delay_the_others(
    announcement: Callable[..., Job], context: MakeContext, notifiers: RecordingNotifiers
) -> None:
    """A message that may have arrived is repeated later; the other destinations do not wait for it."""
    notifiers["slack"].errors = [NotifierError("Slack did not respond", uncertain=True)]
    with pytest.raises(RetryLater):
        announce(context(announcement()))
    assert len(notifiers["console"].sent) == 1


def test_announcement_has_the_command_to_run_it_again(
    announcement: Callable[..., Job], context: MakeContext, notifiers: RecordingNotifiers
) -> None:
    """The message contains the commands for the details and for the replay."""
    announce(context(announcement()))
    ((_, message),) = notifiers["slack"].sent
    assert message.title == 'Could not deliver "Sales" to default'
    assert message.footer == "Details: flask events explain 1 · Run again: flask events replay --dead 1"


def test_message_counts_all_dead_jobs(
    announcement: Callable[..., Job],
    context: MakeContext,
    notifiers: RecordingNotifiers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number is right also if there are more than the message reads."""
    monkeypatch.setattr("webhooks.inbox.jobs.dead_letters.MAX_RECORDS", 5)
    announce(context(announcement(dead=12)))
    ((_, message),) = notifiers["slack"].sent
    assert message.title == "12 actions failed permanently"
    assert message.text.endswith("… and 7 more: flask events list --state dead")
