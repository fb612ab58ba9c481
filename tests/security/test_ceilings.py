"""A flood of events does not become a flood of messages: their number per hour has a limit, and one report says so."""

from __future__ import annotations

from contextlib import suppress

import pytest

from notifiers import Capabilities, NotifierError
from tests.support.handler_context import (
    MakeContext,
    MakeJob,
    RecordingNotifiers,
    context,
    event,
    inbox,
    job,
    notifiers,
)
from webhooks.config.settings import Settings
from webhooks.context import Context
from webhooks.errors import Permanent
from webhooks.inbox import Inbox
from webhooks.job import BUILT_IN_HANDLERS

__all__ = ["context", "event", "inbox", "job", "notifiers"]


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, sms_per_hour=2, messages_per_hour=3)


def sent(running: Context, to: str) -> bool:
    """Return whether the message was sent; it is refused because of a limit, or not at all."""
    with suppress(Permanent):
        return bool(running.notify(to, "Sales failed"))
    return False


def test_text_messages_of_all_rules_have_a_limit(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """Rules and handlers share one number, as all of them cost money; further ones are dead-lettered."""
    jobs = [job(rule="A"), job(rule="B"), job(rule="C"), job(rule=None, handler="mine")]
    notifiers["twilio"].capabilities = Capabilities(paid=True)
    assert [sent(context(one), "twilio:+15550100") for one in jobs] == [True, True, False, False]
    with pytest.raises(Permanent, match="Not sent: SMS_PER_HOUR allows 2 segments of text messages within an hour"):
        context(job(rule="D")).notify("twilio:+15550100", "Sales failed")
    assert sent(context(job(rule="C")), "slack")


def test_long_text_message_counts_its_segments(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A message of two segments uses up two of the limit, and one that is not accepted gives back both."""
    twilio = notifiers["twilio"]
    twilio.capabilities, twilio.units = Capabilities(paid=True), 2
    twilio.errors = [NotifierError("Twilio is down")]
    with pytest.raises(NotifierError):
        context(job(rule="A")).notify("twilio:+15550100", "Sales failed")
    assert sent(context(job(rule="A")), "twilio:+15550100")
    with pytest.raises(Permanent, match="allows 2 segments of text messages within an hour; this message has 2"):
        context(job(rule="B")).notify("twilio:+15550100", "Sales failed")


def test_messages_of_one_rule_have_a_limit(context: MakeContext, job: MakeJob) -> None:
    """A rule that matches too much does not use up the messages of the others."""
    assert [sent(context(job(rule="A")), "slack") for _ in range(4)] == [True, True, True, False]
    assert sent(context(job(rule="B")), "slack")


def test_limits_can_be_switched_off(context: MakeContext, job: MakeJob) -> None:
    """0 means no limit."""
    unlimited = Settings(_env_file=None, sms_per_hour=0, messages_per_hour=0)
    assert all(sent(context(job(rule="A"), settings=unlimited), "slack") for _ in range(10))


@pytest.mark.parametrize("handler", sorted(BUILT_IN_HANDLERS))
def test_reports_of_the_server_are_not_limited(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, handler: str
) -> None:
    """The report about the messages that were not sent is sent."""
    assert all(sent(context(job(rule="dead letters", handler=handler)), "slack") for _ in range(5))


def test_only_accepted_messages_are_counted(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, inbox: Inbox
) -> None:
    """An outage does not use up the limit; a message that may have arrived does."""
    for uncertain in (False, False, False, False, True):
        notifiers["slack"].errors = [NotifierError("Slack is down", uncertain=uncertain)]
        with pytest.raises(Exception, match="Slack is down"):
            context(job(rule="A")).notify("slack", "Sales failed")
    assert [sent(context(job(rule="A")), "slack") for _ in range(3)] == [True, True, False]


def test_refused_message_is_not_counted_against_the_other_limit(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A text message beyond its limit leaves the rule its other messages."""
    notifiers["twilio"].capabilities = Capabilities(paid=True)
    assert [sent(context(job(rule="B")), "twilio:+15550100") for _ in range(2)] == [True, True]
    assert [sent(context(job(rule="A")), "twilio:+15550100") for _ in range(5)] == [False] * 5
    assert [sent(context(job(rule="A")), "slack") for _ in range(4)] == [True, True, True, False]
