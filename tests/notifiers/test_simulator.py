"""The notifiers against the simulator, which validates messages as strictly as the vendors do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifiers import Link, Message, NotifierError, Notifiers, Picture, Receipt, SlackConfig, TwilioConfig
from simulator import Running, running

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MESSAGE = Message(
    "Refresh failed: <Sales> & more",
    "<!channel> login refused",
    (("Owner", "Ann"), ("Project", "Finance")),
    Link("http://127.0.0.1:8100/#/workbooks/7", "Open in Tableau"),
    "bad",
    footer="rule: Finance",
)


@pytest.fixture(scope="module")
def started() -> Iterator[Running]:
    """Start one simulator for this file; every test begins with an empty world."""
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(started: Running) -> Running:
    """Reset the simulator."""
    started.world.reset()
    return started


@pytest.fixture
def notifiers(simulator: Running) -> Notifiers:
    """Return the notifiers, configured by the simulator's variables."""
    env = simulator.environment
    return Notifiers(
        slack=SlackConfig(env["SLACK_TOKEN"], env["SLACK_CHANNEL"], env["SLACK_API_URL"]),
        twilio=TwilioConfig(
            env["TWILIO_ACCOUNT_SID"],
            env["TWILIO_AUTH_TOKEN"],
            env["TWILIO_FROM"],
            env["TWILIO_TO"],
            api_url=env["TWILIO_API_URL"],
        ),
        clock=lambda: NOW,
    )


def fault(simulator: Running, target: str, kind: str, **more: Any) -> None:
    """Let the next call of that vendor fail."""
    simulator.world.faults.add({"target": target, "kind": kind, "times": 1, **more})


@pytest.mark.parametrize("to", [None, "#finance-data"])
def test_slack_message_arrives_with_its_picture_in_its_thread(
    simulator: Running, notifiers: Notifiers, to: str | None
) -> None:
    """One top-level message whose blocks Slack accepts, and the complete picture in its thread."""
    receipt = notifiers["slack"].send(MESSAGE, to)
    notifiers["slack"].attach(Picture(PNG, "sales.png", "Sales now"), Receipt.from_dict(receipt.as_dict()))
    top, reply = simulator.world.slack.messages
    assert simulator.world.slack.channels[top.channel].name == (to or "#bi").removeprefix("#")
    assert (receipt.channel, receipt.id) == (top.channel, top.ts)
    assert top.text.startswith("Refresh failed: &lt;Sales&gt; &amp; more")
    assert "<!channel>" not in json.dumps(top.blocks)
    assert reply.thread_ts == top.ts
    (file,) = simulator.world.slack.files.values()
    assert (file.data, file.name, file.alt, reply.files) == (PNG, "sales.png", "Sales now", [file.id])


def test_slack_picture_may_have_any_words(simulator: Running, notifiers: Notifiers) -> None:
    """Descriptions of pictures are written by people: long, in any script, even with half a character."""
    receipt = notifiers["slack"].send(MESSAGE, None)
    notifiers["slack"].attach(Picture(PNG, "Umsätze\n日本.png", "\ud800 <!here> & " + "x" * 2000), receipt)
    (file,) = simulator.world.slack.files.values()
    assert file.name == "Umsätze 日本.png"
    assert len(file.alt) == 1000


def test_slack_message_to_a_person_takes_a_picture_too(simulator: Running, notifiers: Notifiers) -> None:
    """An owner is notified by e-mail address; the receipt has the id of the conversation, which uploads need."""
    email = simulator.world.slack.members[0].email
    receipt = notifiers["slack"].send(MESSAGE, email)
    notifiers["slack"].attach(Picture(PNG, "sales.png"), receipt)
    assert receipt.channel.startswith("D")
    assert [message.channel for message in simulator.world.slack.messages] == [receipt.channel] * 2


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Message,
        st.text(max_size=300),
        st.text(max_size=4000),
        st.lists(st.tuples(st.text(max_size=200), st.text(max_size=3000)), max_size=30).map(tuple),
        st.none() | st.builds(Link, st.just("https://example.org/") | st.text(max_size=20), st.text(max_size=100)),
        footer=st.text(max_size=2000),
    )
)
def test_slack_accepts_the_layout_of_every_message(notifiers: Notifiers, simulator: Running, message: Message) -> None:
    """The blocks of any message are accepted."""
    notifiers["slack"].send(message, None)
    assert simulator.world.slack.messages[-1].blocks


@pytest.mark.parametrize(
    ("wish", "permanent", "retry_at"),
    [
        ({"kind": "throttled", "seconds": 30}, False, NOW + timedelta(seconds=30)),
        ({"kind": "html"}, False, None),
        ({"kind": "error", "code": "internal_error"}, False, None),
        ({"kind": "refuse"}, False, None),
        ({"kind": "lost"}, False, None),
        ({"kind": "error", "code": "channel_not_found"}, True, None),
        ({"kind": "unauthorized"}, True, None),
    ],
)
def test_slack_failure_raises_one_error_and_passes(
    simulator: Running, notifiers: Notifiers, wish: dict[str, Any], permanent: bool, retry_at: datetime | None
) -> None:
    """Each failure is one error that says whether to retry; the same notifier works again afterwards."""
    fault(simulator, "slack", **wish)
    with pytest.raises(NotifierError) as caught:
        notifiers["slack"].send(MESSAGE, None)
    assert (caught.value.permanent, caught.value.retry_at) == (permanent, retry_at)
    assert notifiers["slack"].send(MESSAGE, None).id


def test_slack_picture_for_a_channel_without_the_bot_is_permanent(simulator: Running, notifiers: Notifiers) -> None:
    """Posting may be allowed where uploading is not; the error says to invite the app."""
    receipt = notifiers["slack"].send(MESSAGE, "#general")
    with pytest.raises(NotifierError, match="/invite") as caught:
        notifiers["slack"].attach(Picture(PNG, "sales.png"), receipt)
    assert caught.value.permanent


def test_twilio_message_arrives_in_the_cheap_alphabet(simulator: Running, notifiers: Notifiers) -> None:
    """The text message has the title, the reason and the link, in few segments."""
    receipt = notifiers["twilio"].send(MESSAGE, None)
    (sms,) = simulator.world.twilio.messages
    assert (receipt.channel, receipt.id) == (sms.to, sms.sid)
    assert sms.body.startswith("Refresh failed: <Sales> & more\n<!channel> login refused\n")
    assert sms.segments <= 2


def test_twilio_lost_response_sends_one_message(simulator: Running, notifiers: Notifiers) -> None:
    """Twilio accepted it and the response was lost: it is found in the log, and sent once."""
    fault(simulator, "twilio", "lost")
    receipt = notifiers["twilio"].send(MESSAGE, "+15550111")
    assert [sms.sid for sms in simulator.world.twilio.messages] == [receipt.id]


def test_twilio_lost_response_is_not_mistaken_for_another_message(simulator: Running, notifiers: Notifiers) -> None:
    """The log has other texts to that number and the same text to another one; neither is this message."""
    notifiers["twilio"].send(Message("Something else"), "+15550111")
    notifiers["twilio"].send(MESSAGE, "+15550112")
    fault(simulator, "twilio", "refuse", method="POST")
    with pytest.raises(NotifierError, match="may have been sent") as caught:
        notifiers["twilio"].send(MESSAGE, "+15550111")
    assert (caught.value.permanent, caught.value.uncertain) == (True, True)
    assert len(simulator.world.twilio.messages) == 2


@pytest.mark.parametrize(
    ("number", "code"), [("+15005550001", "21211"), ("+15005550004", "21610"), ("+15005550009", "21614")]
)
def test_twilio_numbers_that_cannot_be_reached_are_permanent(notifiers: Notifiers, number: str, code: str) -> None:
    """Invalid, opted out, not a mobile phone: a retry cannot help."""
    with pytest.raises(NotifierError, match=code) as caught:
        notifiers["twilio"].send(MESSAGE, number)
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("wish", "permanent"),
    [
        ({"kind": "throttled", "seconds": 30}, False),
        ({"kind": "html", "status": 503}, False),
        ({"kind": "error", "code": "20429"}, False),
        ({"kind": "error", "code": "21611"}, False),
        ({"kind": "unauthorized"}, True),
    ],
)
def test_twilio_failure_raises_one_error_and_passes(
    simulator: Running, notifiers: Notifiers, wish: dict[str, Any], permanent: bool
) -> None:
    """Each failure is one error that says whether to retry; the same notifier works again, and sends once."""
    fault(simulator, "twilio", **wish)
    with pytest.raises(NotifierError) as caught:
        notifiers["twilio"].send(MESSAGE, None)
    assert caught.value.permanent is permanent
    assert notifiers["twilio"].send(MESSAGE, None).id
    assert len(simulator.world.twilio.messages) == 1


def test_check_of_both_returns_one_line(simulator: Running, notifiers: Notifiers) -> None:
    """Valid credentials are described; wrong ones are an error."""
    assert notifiers["slack"].check().startswith("Slack: tableau_webhooks in Acme")
    assert notifiers["twilio"].check().startswith("Twilio: account AC")
    bad = Notifiers(slack=SlackConfig("xoxb-wrong", None, simulator.environment["SLACK_API_URL"]))
    with pytest.raises(NotifierError, match="invalid_auth"):
        bad["slack"].check()
