"""Messages that are kept up to date, against the simulated Slack and the other notifiers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifiers import (
    Button,
    CannotEdit,
    CannotReply,
    ConsoleConfig,
    Limit,
    Link,
    Mention,
    Message,
    NotifierError,
    Notifiers,
    Posted,
    SlackConfig,
    Table,
    Timestamp,
    TwilioConfig,
    Unknown,
)
from simulator import Config, Running, running
from simulator.config import SLACK_SCOPES
from simulator.slack.rate_limits import RateLimits

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
OPEN = Message(
    "Sales",
    "<!channel> login refused",
    (("Since", Timestamp(NOW)), ("Owner", "Ann")),
    Link("https://example.org/7"),
    "bad",
    status="Failing",
    buttons=(Button("Acknowledge", "acknowledge", "7", "primary"),),
)
CLOSED = Message("Sales", "after 2 h 14 min, 3 failures", severity="good", status="Recovered")
TABLE = Table(("Workbook", "Since"), tuple((f"<!here> {number}", Timestamp(NOW)) for number in range(30)))


class Clock:
    """A clock that stands still until a test moves it."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def clock() -> Clock:
    """Return the clock of the simulator and the notifiers."""
    return Clock()


@pytest.fixture(scope="module")
def started(clock: Clock) -> Iterator[Running]:
    """Start one simulator for this file; every test begins with an empty world."""
    with running(Config(clock=clock)) as simulator:
        yield simulator


@pytest.fixture
def simulator(started: Running, clock: Clock) -> Running:
    """Reset the simulator and the clock."""
    clock.now = NOW
    started.world.reset()
    return started


@pytest.fixture
def notifiers(simulator: Running, clock: Clock) -> Notifiers:
    """Return the notifiers, configured by the simulator's variables."""
    return configured(simulator, clock)


def configured(simulator: Running, clock: Clock) -> Notifiers:
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
        console=ConsoleConfig(io.StringIO()),
        clock=clock,
    )


def fault(simulator: Running, kind: str, method: str, times: int = 1, **more: Any) -> None:
    """Let the next calls of a method of Slack fail."""
    simulator.world.faults.add({"target": "slack", "kind": kind, "path": f"{method}$", "times": times, **more})


def blocks_of(simulator: Running) -> list[dict[str, Any]]:
    return list(simulator.world.slack.messages[-1].blocks)


@pytest.mark.parametrize("to", [None, "#finance-data", "email"])
def test_one_message_is_edited_and_has_its_thread(simulator: Running, notifiers: Notifiers, to: str | None) -> None:
    """A notice opens, is edited in place and replied to in its thread; each version has new ids of its blocks."""
    slack = notifiers["slack"]
    posted = slack.post(OPEN, simulator.world.slack.members[0].email if to == "email" else to, client_id="notice-7")
    slack.reply(posted, Message("Acknowledged by Ann"))
    assert slack.edit(posted, CLOSED) == posted
    top, reply = simulator.world.slack.messages
    assert (posted.kind, posted.channel, posted.id) == ("slack", top.channel, top.ts)
    assert posted.channel.startswith("D" if to == "email" else "C")
    assert [content.text.partition("\n")[0] for _, content in top.versions] == ["Failing: Sales", "Recovered: Sales"]
    assert reply.thread_ts == top.ts
    first, second = ({block["block_id"] for block in content.blocks} for _, content in top.versions)
    assert not first & second
    assert not any(block["type"] == "actions" for block in top.blocks)


def test_posted_survives_a_restart(simulator: Running, notifiers: Notifiers, clock: Clock) -> None:
    """The stored JSON is enough for another process to edit the message, which keeps our id."""
    stored = notifiers["slack"].post(OPEN, None, client_id="notice-7").as_dict()
    configured(simulator, clock)["slack"].edit(Posted.from_dict(stored), CLOSED)
    (message,) = simulator.world.slack.messages
    assert message.metadata == {"event_type": "notification", "event_payload": {"id": "notice-7"}}


def test_permalink_is_asked_for(notifiers: Notifiers) -> None:
    """The address of the message is added, for pages that lead to it."""
    posted = notifiers["slack"].post(OPEN, None)
    assert notifiers["slack"].permalink(posted).permalink == (
        f"https://acme.slack.com/archives/{posted.channel}/p{posted.id.replace('.', '')}"
    )


def test_edit_after_the_window_says_so(simulator: Running, notifiers: Notifiers) -> None:
    """The caller replies in the thread instead, which is still possible."""
    posted = notifiers["slack"].post(OPEN, None)
    fault(simulator, "error", "chat.update", code="edit_window_closed")
    with pytest.raises(
        CannotEdit, match=rf"slack:{posted.channel}\. Slack: edit_window_closed \(the workspace"
    ) as caught:
        notifiers["slack"].edit(posted, CLOSED)
    assert (caught.value.permanent, caught.value.gone, caught.value.uncertain) == (True, False, False)
    assert notifiers["slack"].reply(posted, CLOSED).id


def test_deleted_message_is_gone(simulator: Running, notifiers: Notifiers) -> None:
    """Neither an edit nor a reply is possible, so that the caller posts a new message."""
    posted = notifiers["slack"].post(OPEN, None)
    simulator.world.slack.delete(simulator.world.slack.messages[0])
    with pytest.raises(CannotEdit, match="message_not_found") as caught:
        notifiers["slack"].edit(posted, CLOSED)
    assert caught.value.gone
    with pytest.raises(CannotReply, match="thread_not_found"):
        notifiers["slack"].reply(posted, CLOSED)


@pytest.mark.parametrize("name", ["cant_update_message", "block_mismatch", "is_inactive"])
def test_message_that_slack_does_not_let_us_edit(simulator: Running, notifiers: Notifiers, name: str) -> None:
    """Every refusal that is about the message is the same error."""
    posted = notifiers["slack"].post(OPEN, None)
    fault(simulator, "error", "chat.update", code=name)
    with pytest.raises(CannotEdit, match=name) as caught:
        notifiers["slack"].edit(posted, CLOSED)
    assert not caught.value.gone


@pytest.mark.parametrize(
    ("wish", "permanent", "sent"),
    [
        ({"kind": "throttled", "seconds": 30}, False, True),
        ({"kind": "lost"}, False, True),
        ({"kind": "error", "code": "internal_error"}, False, True),
        ({"kind": "error", "code": "token_revoked"}, True, True),
    ],
)
def test_failed_edit_is_never_uncertain(
    simulator: Running, notifiers: Notifiers, wish: dict[str, Any], permanent: bool, sent: bool
) -> None:
    """An edit may be repeated: it is no CannotEdit, and the next one succeeds."""
    posted = notifiers["slack"].post(OPEN, None)
    fault(simulator, wish.pop("kind"), "chat.update", **wish)
    with pytest.raises(NotifierError, match="Could not edit the message in slack:C") as caught:
        notifiers["slack"].edit(posted, CLOSED)
    assert not isinstance(caught.value, CannotEdit)
    assert (caught.value.permanent, caught.value.sent, caught.value.uncertain) == (permanent, sent, False)
    notifiers["slack"].edit(posted, CLOSED)
    assert simulator.world.slack.messages[0].text.startswith("Recovered")


def test_lost_reply_is_uncertain(simulator: Running, notifiers: Notifiers) -> None:
    """Slack has posted the reply; it is found in the thread by our id, and not among the messages of the channel."""
    slack = notifiers["slack"]
    posted = slack.post(OPEN, None, client_id="notice-7")
    fault(simulator, "lost", "chat.postMessage")
    with pytest.raises(NotifierError, match="Could not reply to the message in slack:C") as caught:
        slack.reply(posted, CLOSED, client_id="notice-7 closed")
    assert caught.value.uncertain
    reply = simulator.world.slack.messages[1]
    found = slack.find(None, "notice-7 closed", NOW, thread=posted)
    assert found == Posted("slack", posted.channel, reply.ts, "notice-7 closed")
    assert slack.find(None, "notice-7 closed", NOW) is None


@pytest.mark.parametrize("to", [None, "#finance-data", "email"])
def test_lost_post_is_found_by_our_id(simulator: Running, notifiers: Notifiers, clock: Clock, to: str | None) -> None:
    """The response was lost: the message is in the history, which another process looks up; a refused one is not."""
    address = simulator.world.slack.members[0].email if to == "email" else to
    fault(simulator, "lost", "chat.postMessage")
    with pytest.raises(NotifierError) as caught:
        notifiers["slack"].post(OPEN, address, client_id="notice-7")
    assert caught.value.uncertain
    (message,) = simulator.world.slack.messages
    fault(simulator, "refuse", "chat.postMessage")
    with pytest.raises(NotifierError):
        notifiers["slack"].post(OPEN, address, client_id="notice-8")
    other = configured(simulator, clock)["slack"]
    found = other.find(address, "notice-7", NOW)
    assert found == Posted("slack", message.channel, message.ts, "notice-7")
    assert other.find(address, "notice-8", NOW) is None
    other.edit(found, CLOSED)
    assert message.text.startswith("Recovered")


def test_message_is_found_behind_many_others(simulator: Running, notifiers: Notifiers) -> None:
    """The history is read page by page, from shortly before the time that the caller gives."""
    slack = notifiers["slack"]
    posted = slack.post(OPEN, None, client_id="first")
    for number in range(120):
        slack.post(Message(f"{number}"), None)
    assert slack.find(None, "first", NOW) == posted
    assert slack.find(None, "first", NOW + timedelta(hours=1)) is None
    assert isinstance(slack.find(None, "", NOW), Unknown)


@pytest.mark.parametrize("missing", ["channels:history", "channels:read", "im:history"])
def test_without_the_scopes_the_outcome_stays_unknown(simulator: Running, clock: Clock, missing: str) -> None:
    """The optional scopes are needed to look it up; the reason names the one that is missing."""
    scopes = ",".join(scope for scope in SLACK_SCOPES.split(",") if scope != missing)
    with running(Config(clock=clock, slack_scopes=scopes)) as limited:
        slack = configured(limited, clock)["slack"]
        to = limited.world.slack.members[0].email if missing == "im:history" else "#bi"
        outcome = slack.find(to, "notice-7", NOW)
    assert isinstance(outcome, Unknown)
    assert (missing in outcome.reason) or ("does not list #bi" in outcome.reason)


def test_channel_of_an_earlier_message_is_known(clock: Clock) -> None:
    """Slack responds with the id of the channel, so that a lookup by #name needs no scope for the list of channels."""
    scopes = "chat:write,channels:history,im:history,users:read.email"
    with running(Config(clock=clock, slack_scopes=scopes)) as limited:
        slack, email = configured(limited, clock)["slack"], limited.world.slack.members[0].email
        for to in ("#bi", email):
            posted = slack.post(OPEN, to, client_id=f"to {to}")
            assert slack.find(to, f"to {to}", NOW) == posted
            assert slack.find(to, "other", NOW) is None


def test_lookup_that_fails_for_now_is_raised(simulator: Running, notifiers: Notifiers) -> None:
    """Unknown is final; an outage is not, and the lookup may be repeated."""
    posted = notifiers["slack"].post(OPEN, None, client_id="notice-7")
    fault(simulator, "html", "conversations.history", status=503)
    with pytest.raises(NotifierError) as caught:
        notifiers["slack"].find(None, "notice-7", NOW)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    assert notifiers["slack"].find(None, "notice-7", NOW) == posted


@pytest.mark.parametrize("content", [Message("t", table=TABLE), OPEN])
def test_native_table_is_accepted(simulator: Running, notifiers: Notifiers, content: Message) -> None:
    """Slack accepts the table and the rest of the layout at once."""
    notifiers["slack"].post(content, None)
    assert any(block["type"] == "data_table" for block in blocks_of(simulator)) is bool(content.table)


def test_workspace_without_native_tables_gets_text(clock: Clock) -> None:
    """Slack introduces its table by workspace: the message arrives, and the next one costs one call."""
    with running(Config(clock=clock, slack_data_blocks=False)) as limited:
        slack, message = configured(limited, clock)["slack"], Message("t", table=TABLE)
        posted = slack.post(message, None)
        slack.edit(posted, message)
        versions = limited.world.slack.messages[0].versions
        calls = [call.path.rpartition("/")[2] for call in limited.world.calls.log]
    assert calls == ["chat.postMessage", "chat.postMessage", "chat.update"]
    assert [[block["type"] for block in content.blocks] for _, content in versions] == [
        ["header", "section", "context"]
    ] * 2


def test_refused_table_is_sent_as_text_for_a_while(simulator: Running, notifiers: Notifiers, clock: Clock) -> None:
    """A workspace without native tables gets lines of text; it is asked again after half a day."""
    slack, message = notifiers["slack"], Message("t", table=TABLE)
    fault(simulator, "error", "chat.(postMessage|update)", code="invalid_blocks", times=2)
    posted = slack.post(message, None)
    kinds = [block["type"] for block in blocks_of(simulator)]
    assert kinds == []
    posted = slack.post(message, None)
    assert "data_table" in [block["type"] for block in blocks_of(simulator)]
    fault(simulator, "error", "chat.update", code="invalid_blocks")
    slack.edit(posted, message)
    section = next(block for block in blocks_of(simulator) if block["type"] == "section")
    assert section["text"]["text"].startswith("Workbook · Since\n&lt;!here&gt; 0 · 2026-11-26 08:00 UTC\n")
    slack.edit(posted, message)
    assert "data_table" not in [block["type"] for block in blocks_of(simulator)]
    clock.now += timedelta(hours=13)
    slack.edit(posted, message)
    assert "data_table" in [block["type"] for block in blocks_of(simulator)]


def test_edit_without_its_layout_is_a_block_of_plain_text(simulator: Running, notifiers: Notifiers) -> None:
    """The text of an edited message cannot be sent without markup, so a block of plain text is used."""
    posted = notifiers["slack"].post(OPEN, None)
    fault(simulator, "error", "chat.update", code="invalid_blocks")
    notifiers["slack"].edit(posted, Message("*Sales*"))
    assert blocks_of(simulator) == [
        {"type": "section", "text": {"type": "plain_text", "text": "*Sales*", "emoji": False}}
    ]
    fault(simulator, "error", "chat.update", code="invalid_blocks", times=2)
    with pytest.raises(CannotEdit, match="invalid_blocks"):
        notifiers["slack"].edit(posted, OPEN)


def test_mentions_are_resolved(simulator: Running, notifiers: Notifiers) -> None:
    """A user group, a member by name and by e-mail, `here`; an unknown name is text, and the message says so."""
    member = simulator.world.slack.members[0]
    mentions = (
        Mention("name", "bi-team"),
        Mention("name", member.name.upper()),
        Mention("email", simulator.world.slack.members[1].email),
        Mention("here"),
        Mention("name", "here"),
        Mention("email", "gone@example.org"),
        Mention("id", "<!channel>"),
    )
    notifiers["slack"].post(Message("t", mentions=mentions), None)
    _, section, context = blocks_of(simulator)
    ids = [member.id, simulator.world.slack.members[1].id]
    assert section["text"]["text"] == f"<!subteam^S000000001> <@{ids[0]}> <@{ids[1]}> <!here>"
    words = "Not found in Slack: @here, gone@example.org, &lt;!channel&gt;"
    assert context["elements"][0]["text"] == words


def test_mentions_without_the_scopes_are_text(clock: Clock) -> None:
    """A message does not wait for a scope: it is sent, and names the people whom it could not alert."""
    with running(Config(clock=clock, slack_scopes="chat:write,chat:write.public")) as limited:
        slack = configured(limited, clock)["slack"]
        slack.post(Message("t", mentions=(Mention("name", "bi-team"), Mention("email", "ann@example.org"))), None)
        _, context = blocks_of(limited)
    assert context["elements"][0]["text"] == "Not found in Slack: @bi-team, ann@example.org"


def test_names_are_looked_up_once(simulator: Running, notifiers: Notifiers, clock: Clock) -> None:
    """A second message with the same mentions asks nothing; after half a day the names are looked up again."""
    slack = notifiers["slack"]
    member = simulator.world.slack.members[0]
    message = Message("t", mentions=(Mention("name", "bi-team"), Mention("email", member.email)))
    slack.post(message, None)
    fault(simulator, "error", "(usergroups.list|users.*)", code="internal_error", times=2)
    slack.post(message, None)
    assert len(simulator.world.slack.messages) == 2
    clock.now += timedelta(hours=13)
    with pytest.raises(NotifierError, match="internal_error") as caught:
        slack.post(message, None)
    assert (caught.value.permanent, caught.value.uncertain) == (False, False)
    assert len(simulator.world.slack.messages) == 2


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Message,
        st.text(max_size=200),
        facts=st.lists(st.tuples(st.text(max_size=50), st.text(max_size=900) | st.just(Timestamp(NOW)))).map(tuple),
        status=st.text(max_size=200),
        table=st.builds(
            lambda columns, rows: Table(tuple(columns), tuple(map(tuple, rows)), 500, Link("https://e.org", "*a*")),
            st.lists(st.text(max_size=90), min_size=1, max_size=22),
            st.lists(st.lists(st.text(max_size=300) | st.just(Timestamp(NOW)), max_size=22), max_size=120),
        ),
        buttons=st.lists(st.text(), max_size=30).map(
            lambda texts: tuple(Button(text, str(number)) for number, text in enumerate(texts))
        ),
    )
)
def test_slack_accepts_the_layout_of_every_notice(simulator: Running, notifiers: Notifiers, message: Message) -> None:
    """Any table, time and button, in a new message and in an edit, at the first attempt."""
    slack = notifiers["slack"]
    posted = slack.post(message, None)
    slack.edit(posted, message)
    versions = simulator.world.slack.messages[-1].versions
    assert len(versions) == 2
    native = [sum(block["type"] == "data_table" for block in content.blocks) for _, content in versions]
    assert native == [int(bool(message.table and message.table.rows))] * 2


def test_storm_within_the_limits_meets_no_429(clock: Clock) -> None:
    """Sixty messages to six channels and sixty edits, each when its budget allows, are all accepted."""
    with running(Config(clock=clock, slack_rate_limits=True)) as limited:
        slack = configured(limited, clock)["slack"]
        channels = [channel.id for channel in limited.world.slack.channels.values() if not channel.private][:4]
        used: dict[str, datetime] = {}

        def wait(operation: Any, to: str) -> None:
            for limit in slack.limits(operation, to):
                start, used[limit.key] = limit.reserve(used.get(limit.key), clock.now)
                clock.now = max(clock.now, start)

        for number in range(60):
            to = channels[number % 3]
            wait("post", to)
            posted = slack.post(Message(f"{number}"), to)
            wait("edit", to)
            slack.edit(posted, CLOSED)
        assert len(limited.world.slack.messages) == 60


def test_burst_to_many_channels_goes_at_once_and_meets_no_429(notifiers: Notifiers) -> None:
    """Of 500 messages to a channel each, 200 are sent at once and four a second follow, and Slack accepts all."""
    simulated, now = RateLimits(), NOW
    used: dict[str, datetime] = {}
    seconds: list[float] = []
    for number in range(500):
        for limit in notifiers["slack"].limits("post", f"#c-{number}"):
            start, used[limit.key] = limit.reserve(used.get(limit.key), now)
            now = max(now, start)
        assert simulated.count_message(f"C{number}", now) == 0
        seconds.append((now - NOW).total_seconds())
    assert seconds[199] == 0
    assert seconds[200:] == [pytest.approx((number + 1) / 4) for number in range(300)]
    # Without the budget, Slack would refuse some at last.
    assert [simulated.count_message(f"D{number}", now) for number in range(180)][-1] > 0


def test_budget_knows_the_methods_of_each_operation(simulator: Running, notifiers: Notifiers) -> None:
    """Posting counts for the channel and the workspace, an edit for its method, an unknown address for its lookup."""
    slack = notifiers["slack"]
    email = simulator.world.slack.members[0].email
    everywhere = Limit("slack chat.postMessage", 300, 60.0, at_once=200)
    assert slack.limits("post", "#bi") == (Limit("slack #bi", 1, 1.0, 0.95), everywhere)
    assert slack.limits("reply", None) == (Limit("slack #bi", 1, 1.0, 0.95), everywhere)
    assert slack.limits("edit", "#bi") == (Limit("slack chat.update", 50, 60.0),)
    assert slack.limits("find", "#bi") == (Limit("slack conversations.history", 50, 60.0),)
    attach = [limit.key for limit in slack.limits("attach", "#bi")]
    assert attach[:2] == ["slack files.getUploadURLExternal", "slack files.completeUploadExternal"]
    assert attach[2:] == ["slack #bi", "slack chat.postMessage"]
    assert slack.limits("permalink", "#bi") == ()
    lookup = Limit("slack users.lookupByEmail", 50, 60.0)
    assert lookup in slack.limits("post", email)
    slack.post(OPEN, email)
    assert lookup not in slack.limits("post", email)
    assert notifiers["twilio"].limits("post", None) == ()


@given(
    st.sampled_from([(1, 1.0), (1, 1.0, 0.95), (20, 60.0), (50, 60.0), (100, 60.0), (300, 60.0)]),
    st.lists(st.floats(0, 30), min_size=1, max_size=400),
)
def test_reserved_calls_never_exceed_the_limit(limit: tuple[int, float], pauses: list[float]) -> None:
    """Any period of the limit holds at most that many calls, for every pattern of arrivals."""
    bucket = Limit("x", *limit)
    used, now, starts = None, NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        start, used = bucket.reserve(used, now)
        assert start >= now
        starts.append(start)
    period = timedelta(seconds=bucket.seconds)
    assert starts == sorted(starts)
    for first, after in zip(starts, starts[bucket.calls :], strict=False):
        assert after - first >= period


def test_sms_is_sent_at_the_ends_of_a_notice(simulator: Running, notifiers: Notifiers) -> None:
    """An SMS cannot be changed: one when it opens, one when it closes; times are in the given zone."""
    twilio = notifiers["twilio"]
    assert (twilio.capabilities.upkeep, twilio.capabilities.edit) == ("ends", False)
    posted = twilio.post(OPEN, None)
    with pytest.raises(CannotEdit, match="Twilio cannot change a message"):
        twilio.edit(posted, CLOSED)
    with pytest.raises(CannotReply, match="Twilio has no threads"):
        twilio.reply(posted, CLOSED)
    twilio.post(CLOSED, None)
    first, second = simulator.world.twilio.messages
    assert first.body.startswith("Failing: Sales\n<!channel> login refused\nSince: 2026-11-26 08:00 UTC\n")
    assert second.body.startswith("Recovered: Sales\n")
    assert posted == Posted("twilio", first.to, first.sid)
    assert not twilio.is_delivered(posted.receipt)


def test_other_notifiers_send_a_new_message_for_each_change(notifiers: Notifiers) -> None:
    """The console and Apprise say so; their messages cannot be looked up."""
    console = notifiers["console"]
    assert {kind: notifiers[kind].capabilities.upkeep for kind in notifiers} == {
        "slack": "edit",
        "slack_webhook": "message",
        "teams": "message",
        "email": "message",
        "twilio": "ends",
        "pagerduty": "edit",
        "post": "edit",
        "apprise": "message",
        "console": "message",
    }
    posted = console.post(OPEN, None, client_id="notice-7")
    assert posted == Posted("console", "console", "")
    with pytest.raises(CannotEdit):
        console.edit(posted, CLOSED)
    assert isinstance(console.find(None, "notice-7", NOW), Unknown)
    assert console.permalink(posted) == posted
