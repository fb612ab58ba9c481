"""Replies to text messages about incidents: what they acknowledge, and what the person gets as an answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notifiers import Notifiers, TwilioConfig
from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story
from tests.support.simulated_actions import Simulation
from webhooks.inbox import Inbox
from webhooks.incidents.sms_commands import parse_command
from webhooks.rules.access import Access

NUMBER = "+15550100"
SIDS = itertools.count()


class Replies(Story):
    """A story in which people reply to text messages."""

    def reply(self, text: str, number: str = NUMBER, sid: str = "") -> str:
        """Reply, run all jobs, and return what the person gets."""
        before = len(self.simulation.running.world.twilio.messages)
        sid = sid or f"SM{next(SIDS):032x}"
        self.outcome = self.simulation.inbox.sms_replies.record(sid, number, [f"twilio:{number}"], parse_command(text))
        self.work()
        return "\n".join(sms.body for sms in self.simulation.running.world.twilio.messages[before:] if sms.to == number)

    def state(self, number: int = 1) -> str:
        return self.simulation.inbox.incidents.get(number).incident.state


@pytest.fixture
def story(simulation: Simulation, tmp_path: Path) -> Iterator[Replies]:
    told = Replies(simulation)
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    simulation.settings = simulation.settings.model_copy(update={"sms_replies": True})
    world, url = simulation.running.world, simulation.running.url
    config = world.config
    twilio = TwilioConfig(
        config.twilio_account_sid, config.twilio_auth_token, config.twilio_from, "", api_url=f"{url}/twilio"
    )
    access = Access(phones={"+1 555 0100": "Ann Okafor"})
    told.given = {"notifiers": Notifiers(twilio=twilio), "access": lambda: access}
    told.action = f'notify = "twilio:{NUMBER}"'
    yield told
    simulation.inbox.close()


def sms(story: Story) -> list[str]:
    return [one.body for one in story.simulation.running.world.twilio.messages]


def test_message_offers_the_reply(story: Replies) -> None:
    """The offer is a line of the first message, not of that of the recovery; without SMS_REPLIES there is none."""
    story.refresh(FAILED, reason="x" * 900)
    story.at(60)
    story.refresh(SUCCEEDED)
    first, last = sms(story)
    assert "\nReply 1 to acknowledge.\n" in f"{first}\n"
    assert "Reply" not in last
    settings = story.simulation.settings
    story.simulation.settings = settings.model_copy(update={"sms_replies": False})
    story.at(600)
    story.refresh(FAILED)
    assert "Reply" not in sms(story)[-1]


def test_reply_acknowledges(story: Replies) -> None:
    """The act has the person's name, the person gets a confirmation, and the same reply again changes nothing."""
    story.refresh(FAILED)
    story.at(1)
    assert story.reply("1", sid="SM1") == "Acknowledged: Sales"
    incident = story.simulation.inbox.incidents.get(1).incident
    assert (incident.state, incident.quiet_by) == ("acknowledged", "Ann Okafor")
    (entry,) = story.simulation.inbox.audit.list()
    assert (entry.origin, entry.by, entry.act) == ("SMS", NUMBER, "acknowledge")
    story.at(60)
    story.refresh(SUCCEEDED)
    story.at(600)
    story.refresh(FAILED)
    # A year later a signature is still valid; the id was used.
    story.at(60 * 24 * 365)
    assert story.reply("1", sid="SM1") == ""
    assert (story.outcome, story.state(2)) == ("repeated request", "open")


def test_several_open_incidents_are_listed(story: Replies) -> None:
    """The list has their numbers, and a number or `all` acknowledges; nothing is acknowledged by a guess."""
    for minutes, name in enumerate(("Sales", "Cash Flow", "Web Traffic")):
        story.at(10 * minutes)
        story.refresh(FAILED, name=name)
    answer = story.reply("1")
    assert answer.splitlines() == [
        "3 are open. Reply 1 3, for example, or 1 all.",
        "3 Web Traffic",
        "2 Cash Flow",
        "1 Sales",
    ]
    assert [story.state(number) for number in (1, 2, 3)] == ["open"] * 3
    assert story.reply("1 2") == "Acknowledged: Cash Flow"
    assert story.reply("2") == "Acknowledged already: Cash Flow\nby Ann Okafor"
    assert story.reply("1 all").splitlines() == ["Acknowledged: 2 incidents", "Web Traffic", "Sales"]
    assert [story.state(number) for number in (1, 2, 3)] == ["acknowledged"] * 3
    assert story.reply("1") == "Acknowledged already: Web Traffic\nby Ann Okafor"


def test_number_that_was_not_notified(story: Replies) -> None:
    """Another number acknowledges nothing and gets no answer; an incident of others is not acknowledged either."""
    story.refresh(FAILED)
    assert story.reply("1", "+15550199") == ""
    assert (story.outcome, story.state()) == ("unknown number", "open")
    story.action = 'notify = "twilio:+15550199"'
    story.at(10)
    story.refresh(FAILED, name="Cash Flow")
    assert story.reply("1 2").startswith("No open incident of this number")
    assert story.state(2) == "open"
    assert story.reply("1") == "Acknowledged: Sales"


def test_other_texts(story: Replies) -> None:
    """STOP is answered by Twilio alone; a text that is not understood gets a short answer, and changes nothing."""
    story.refresh(FAILED)
    assert story.reply("STOP") == ""
    assert story.reply("Who is this?") == "Not understood. Reply 1 to acknowledge."
    assert story.state() == "open"


def test_mailbox_that_answers_by_itself(story: Replies) -> None:
    """One number gets at most ten answers an hour: two machines would answer each other forever."""
    story.refresh(FAILED)
    answers = [story.reply("I am on holiday") for _ in range(13)]
    assert [bool(answer) for answer in answers] == [True] * 10 + [False] * 3
    story.at(600)
    assert story.reply("1") == "Acknowledged: Sales"


def test_default_number(story: Replies, simulation: Simulation) -> None:
    """The destination `twilio` is the number of TWILIO_TO."""
    from webhooks.services import Services

    settings: Any = simulation.settings.model_copy(update={"twilio_to": "+1 555 0100"})
    services = Services(settings)
    assert services.destinations_of_number(NUMBER) == [f"twilio:{NUMBER}", "twilio"]
    assert services.destinations_of_number("+15550111") == ["twilio:+15550111"]
