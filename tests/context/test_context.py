"""The tools of a running job: once, notify with its picture, wait, and arguments by name."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from notifiers import Capabilities, Message, NotifierError, Picture, Undelivered
from tests.support.handler_context import NOW, MakeContext, MakeError, MakeEvent, MakeJob, RecordingNotifiers
from webhooks.config.settings import Settings
from webhooks.context import CONDITIONS, Context, NoCredentials, call, calls
from webhooks.errors import LeaseLost, Permanent, RetryLater
from webhooks.event import Event
from webhooks.inbox import Inbox, Namespace
from webhooks.job import MISSING, Job, Result
from webhooks.registry import Handler, Params, Registry

PNG = Picture(b"\x89PNG", "Sales.png", "Preview")


def uncertain_error() -> NotifierError:
    return NotifierError("Slack did not respond: timed out", uncertain=True)


def test_once_runs_once_over_all_attempts(context: MakeContext, job: MakeJob) -> None:
    """A later attempt gets the value of the first one, also if it is None."""
    calls: list[str] = []
    claimed = job()
    for attempt in (1, 2, 3):
        made = context(claimed, attempts=attempt)
        assert made.once("a", lambda: calls.append("a")) is None
        assert made.once("b", lambda: {"n": [len(calls)]}) == {"n": [1]}
    assert calls == ["a"]


def test_attempts_get_what_earlier_ones_recorded(context: MakeContext, job: MakeJob, inbox: Inbox) -> None:
    """The next attempt gets the values of one that has ended in any way, as does a further call; a replay gets none."""
    calls: list[int] = []

    def attempt(claimed: Job) -> Job:
        made = context(claimed, attempts=claimed.attempts)
        for _ in range(2):
            made.once("a", lambda: calls.append(claimed.attempts))
        return claimed

    def claim() -> Job:
        (claimed,) = inbox.jobs.claim("tests", 1, 60)
        return claimed

    inbox.jobs.postpone(attempt(job()), 0, "Slack limits the rate", free=True)
    inbox.jobs.postpone(attempt(claim()), 0, "Slack is unavailable")
    inbox.jobs.release(attempt(claim()))
    lost = inbox.jobs.start(attempt(claim()))
    # As if the worker had died.
    inbox.jobs.renew("tests", [lost.id], -1)
    inbox.dead_letters.dead_letter(attempt(claim()), "Slack: channel_not_found")
    assert calls == [1]
    assert inbox.dead_letters.requeue_jobs([lost.id]) == 1
    inbox.jobs.finish(attempt(claim()))
    assert calls == [1, 1]


def test_once_runs_again_after_it_failed(context: MakeContext, job: MakeJob) -> None:
    """A function that raised has not been done."""
    made = context(job())
    with pytest.raises(ZeroDivisionError):
        made.once("a", lambda: 1 / 0)
    assert made.once("a", lambda: 5) == 5


def test_once_belongs_to_one_job(context: MakeContext, job: MakeJob, event: MakeEvent) -> None:
    """Two jobs do not share checkpoints."""
    assert context(job(event())).once("a", lambda: 1) == 1
    assert context(job(event())).once("a", lambda: 2) == 2


@pytest.mark.parametrize("key", [CONDITIONS, "notify slack 1", "notify slack 1 picture", "surprise 1"])
def test_keys_of_a_handler_are_its_own(
    key: str, context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A handler's key never meets a checkpoint of the framework, whatever it is called."""
    claimed = job()
    context(claimed).checkpoint(CONDITIONS, lambda: "name Sales ~ Sales")
    context(claimed).notify("slack", "hello", picture=PNG)
    assert context(claimed).once(key, lambda: "mine") == "mine"
    assert context(claimed, attempts=2).once(key, lambda: pytest.fail("it ran twice")) == "mine"
    assert context(claimed, attempts=2).inbox.checkpoints.get(claimed, CONDITIONS) == "name Sales ~ Sales"
    context(claimed, attempts=2).notify("slack", "hello", picture=PNG)
    assert notifiers.titles == ["hello"]


def test_once_refuses_a_value_that_is_not_json(context: MakeContext, job: MakeJob, inbox: Inbox) -> None:
    """A value that cannot be recorded fails the job, and the function is not repeated."""
    claimed = job()
    with pytest.raises(Permanent, match=r"once\('a'\) must return a JSON value"):
        context(claimed).once("a", lambda: NOW)
    assert inbox.checkpoints.get(claimed, "a", namespace=Namespace.HANDLER) is None


def test_once_does_nothing_without_the_lease(context: MakeContext, job: MakeJob) -> None:
    """A worker that lost the job must not repeat the work of another one."""
    with pytest.raises(LeaseLost):
        context(job(), still_mine=lambda: False).once("a", lambda: pytest.fail("it ran"))


def test_notify_sends_once_over_all_attempts(context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers) -> None:
    """A retried job does not repeat a message that was sent, and gets the same receipt."""
    claimed = job()
    receipts = [context(claimed, attempts=n).notify("slack:#bi", "Sales is new") for n in (1, 2)]
    assert receipts[0] == receipts[1]
    assert notifiers["slack"].sent == [("#bi", Message("Sales is new"))]


def test_last_message_is_recorded_with_the_end_of_the_job(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, inbox: Inbox
) -> None:
    """Only if nothing follows it: no picture, no look-up of its delivery, and no error."""

    def run(claimed: Job, *, picture: Picture | None = None, fails: bool = False) -> Result:
        def send(context: Context) -> None:
            context.notify("slack", "Sales is new", picture=picture, last=True)
            assert not fails

        return calls.attempt(Handler("send", send, ("context",)), context(claimed))

    def sent(claimed: Job) -> bool:
        return inbox.checkpoints.get(claimed, "notify slack 1") is not MISSING

    alone, with_picture, confirmed, failing = (job(key=f"R/{number}") for number in range(4))
    result = run(alone)
    assert [one.value["id"] for one in result.checkpoints] == ["1"]
    assert not sent(alone)
    inbox.jobs.finish(alone, checkpoints=result.checkpoints)
    assert sent(alone)
    assert run(with_picture, picture=PNG).checkpoints == ()
    assert sent(with_picture)
    with pytest.raises(AssertionError):
        run(failing, fails=True)
    assert sent(failing)
    notifiers["slack"].capabilities = Capabilities(receipt=True)
    with pytest.raises(RetryLater):
        run(confirmed)
    assert sent(confirmed)


def test_message_that_is_not_the_last_one_after_all_is_recorded_before_the_next_step(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, inbox: Inbox
) -> None:
    """A handler that does more after its last message loses nothing: a step sees what was sent, and repeats nothing."""
    claimed = job()
    made = context(claimed)
    receipts = [made.notify("slack", "Sales is new", key="new", last=True) for _ in range(2)]
    assert receipts[0] == receipts[1]
    assert notifiers.titles == ["Sales is new"]
    made.notify("slack", "Sales is large", key="large", last=True)
    made.once("step", lambda: inbox.checkpoints.get(claimed, "notify large") is not MISSING)
    assert made.once("step", lambda: False)
    assert made.unrecorded == []


def test_retry_sends_only_the_missing_message(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, transient_error: MakeError
) -> None:
    """Of two messages to one destination, the one that was sent is not repeated and the other one is sent."""

    def attempt(number: int) -> None:
        made = context(claimed, attempts=number)
        made.notify("slack", "one")
        notifiers["slack"].errors = [transient_error()] if number == 1 else []
        made.notify("slack", "two")

    claimed = job()
    with pytest.raises(NotifierError):
        attempt(1)
    attempt(2)
    assert notifiers.titles == ["one", "two"]


def test_notify_builds_the_message_only_to_send_it(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A message given as a function is not built again after it was sent."""
    claimed = job()
    context(claimed).notify("slack", lambda: Message("made"), key="x")
    context(claimed, attempts=2).notify("slack", lambda: pytest.fail("made again"), key="x")
    assert notifiers.titles == ["made"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sales is new", Message("Sales is new")),
        ("Sales is new\n\nby Ann\n", Message("Sales is new", "by Ann")),
        ("x" * 200, Message("x" * 149 + "…", "x" * 200)),
    ],
)
def test_notify_accepts_plain_text(
    text: str, message: Message, context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """The first line of a text is the headline if it is short enough."""
    context(job()).notify("slack", text)
    assert notifiers["slack"].sent[0][1] == message


@pytest.mark.parametrize(("addressed", "kind"), [(("slack", "console"), "slack"), (("twilio", "console"), "console")])
def test_default_is_slack_or_else_the_console(
    addressed: tuple[str, ...], kind: str, context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """`default` never sends a text message, which costs money."""
    notifiers.with_default_address = addressed
    context(job()).notify("default", "hello")
    assert [to for to, _ in notifiers[kind].sent] == [None]


def test_notify_refuses_an_invalid_destination(context: MakeContext, job: MakeJob) -> None:
    """A handler's mistake in a destination fails the job with a suggestion."""
    with pytest.raises(Permanent, match="'slak:#bi'"):
        context(job()).notify("slak:#bi", "hello")


def test_picture_follows_its_message(context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers) -> None:
    """The picture is attached to the message once."""
    claimed = job()
    for attempt in (1, 2):
        context(claimed, attempts=attempt).notify("slack", "hello", picture=lambda: PNG)
    assert notifiers["slack"].attached == [("1", PNG)]


def test_picture_that_fails_permanently_is_left_out(
    *,
    context: MakeContext,
    job: MakeJob,
    notifiers: RecordingNotifiers,
    inbox: Inbox,
    permanent_error: MakeError,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message remains without it; the log and the job's checkpoints have the reason."""
    claimed = job()
    notifiers["slack"].picture_errors = [permanent_error()]
    context(claimed).notify("slack", "hello", picture=PNG, key="k")
    assert notifiers.titles == ["hello"]
    assert inbox.checkpoints.get(claimed, "notify k picture") == {"problem": "Slack: not_in_channel"}
    assert "Message sent without its picture: Slack: not_in_channel" in caplog.text


def test_picture_that_cannot_be_made_is_left_out(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """An error in making a picture, a handler's own mistake included, does not fail a job whose message was sent."""
    claimed = job()
    context(claimed).notify("slack", "one", picture=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    context(claimed).notify("slack", "two", picture=lambda: None, key="two")
    assert (notifiers.titles, notifiers["slack"].attached) == (["one", "two"], [])


def test_picture_is_retried_after_a_transient_error(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, transient_error: MakeError
) -> None:
    """The job is retried for the picture, not for the message; after three attempts the picture is left out."""
    claimed, waits = job(), []
    notifiers["slack"].picture_errors = [transient_error() for _ in range(3)]
    for attempt in (1, 2):
        with pytest.raises(RetryLater, match="message was sent, its picture was not: Slack: status 503") as e:
            context(claimed, attempts=attempt).notify("slack", "hello", picture=PNG)
        assert e.value.retry_at
        waits.append((e.value.retry_at - NOW).total_seconds())
    context(claimed, attempts=3).notify("slack", "hello", picture=PNG)
    assert (notifiers.titles, notifiers["slack"].attached, waits) == (["hello"], [], [10.0, 30.0])


def test_picture_arrives_with_the_second_attempt(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, transient_error: MakeError
) -> None:
    """A transient error costs neither the picture nor a second message."""
    claimed = job()
    notifiers["slack"].picture_errors = [transient_error()]
    with pytest.raises(RetryLater):
        context(claimed).notify("slack", "hello", picture=PNG)
    context(claimed, attempts=2).notify("slack", "hello", picture=PNG)
    assert (notifiers.titles, notifiers["slack"].attached) == (["hello"], [("1", PNG)])


def test_picture_obeys_retry_after(context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers) -> None:
    """The job waits as long as Slack asks; no thread sleeps."""
    retry_at = NOW + timedelta(minutes=5)
    notifiers["slack"].picture_errors = [NotifierError("Slack: ratelimited", retry_at=retry_at)]
    with pytest.raises(RetryLater) as caught:
        context(job()).notify("slack", "hello", picture=PNG)
    assert caught.value.retry_at == retry_at


def test_picture_cannot_fail_a_job_on_its_last_attempt(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers, transient_error: MakeError
) -> None:
    """A job whose message was sent is not dead-lettered for a picture, even if waiting would cost its last attempt."""
    claimed = replace(job(max_attempts=1), created_at=NOW - timedelta(days=2))
    notifiers["slack"].picture_errors = [transient_error()]
    context(claimed).notify("slack", "hello", picture=PNG)
    assert notifiers.titles == ["hello"]


def test_wait_works_with_a_single_attempt(context: MakeContext, job: MakeJob) -> None:
    """A wait costs no attempt, so max_attempts = 1 does not prevent it."""
    claimed = job(max_attempts=1)
    with pytest.raises(RetryLater, match="not yet"):
        context(claimed).wait("reason", (2.0,), "not yet")
    context(claimed).wait("reason", (2.0,), "not yet")


def test_uncertain_message_is_sent_again_at_most_twice(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """Slack may have posted a message without a response: two repeats, far apart, then the job fails and says so."""
    claimed = job()
    notifiers["slack"].errors = [uncertain_error() for _ in range(5)]
    for attempt, seconds in enumerate((120, 1800), 1):
        with pytest.raises(RetryLater, match="may have arrived; it is sent again") as caught:
            context(claimed, attempts=attempt).notify("slack", "hello")
        assert caught.value.retry_at == NOW + timedelta(seconds=seconds)
    with pytest.raises(NotifierError, match="may have arrived, perhaps more than once") as final:
        context(claimed, attempts=3).notify("slack", "hello")
    assert (final.value.permanent, final.value.uncertain) == (True, True)
    assert len(notifiers["slack"].errors) == 2


def test_uncertain_message_can_be_confirmed_by_the_repeat(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """If the repeat gets a response, the job goes on."""
    claimed = job()
    notifiers["slack"].errors = [uncertain_error()]
    with pytest.raises(RetryLater):
        context(claimed).notify("slack", "hello")
    context(claimed, attempts=2).notify("slack", "hello")
    assert notifiers.titles == ["hello"]


def test_waits_are_used_up_over_all_attempts(context: MakeContext, job: MakeJob) -> None:
    """Each wait is taken once per job, whatever the number of its attempt."""
    claimed, due = job(), []
    for _ in range(2):
        with pytest.raises(RetryLater, match="not yet") as caught:
            context(claimed).wait("reason", (2.0, 5.0), "not yet")
        due.append(caught.value.retry_at)
    context(claimed).wait("reason", (2.0, 5.0), "not yet")
    assert due == [NOW + timedelta(seconds=2), NOW + timedelta(seconds=5)]


def test_missing_credentials_are_a_permanent_error(context: MakeContext, job: MakeJob, settings: Settings) -> None:
    """The error names every variable that is missing."""
    made = context(job(), settings=settings.model_copy(update={"tableau_domain": "", "tableau_pat_name": ""}))
    with pytest.raises(NoCredentials, match="TABLEAU_AUTH=pat needs TABLEAU_DOMAIN, TABLEAU_PAT_NAME") as caught:
        _ = made.tableau
    assert caught.value.permanent


def test_log_names_event_and_job(context: MakeContext, job: MakeJob, caplog: pytest.LogCaptureFixture) -> None:
    """A handler's log line can be found by its event, and has both ids as fields."""
    claimed = job()
    with caplog.at_level(logging.INFO, "webhooks"):
        context(claimed).log.info("%s checked", "Sales", extra={"colour": "red"})
    (record,) = caplog.records
    assert record.getMessage() == f"event {claimed.event.id}, job {claimed.id}: Sales checked"
    assert (record.name, vars(record)["event_id"], vars(record)["colour"]) == (
        "webhooks.handlers.notify",
        claimed.event.id,
        "red",
    )


class Paint(Params):
    colour: str = "red"
    coats: int = 1


def test_call_passes_the_arguments_that_the_handler_names(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """Arguments are passed by name; params as the validated model."""
    own, seen = Registry(), {}

    @own.action("paint", params=Paint)
    def paint(
        *, params: Paint, event: Event, job: Job, settings: Settings, notify: Any, once: Any, context: Any
    ) -> None:
        seen.update(params=params, event=event, job=job, settings=settings, context=context)
        notify("slack", once("word", lambda: "painted"))

    made = context(job(handler="paint", params={"coats": 2}))
    call(own.handler("paint"), made)
    assert seen["params"] == Paint(coats=2)
    assert (seen["event"], seen["job"], seen["context"]) == (made.event, made.job, made)
    assert notifiers.titles == ["painted"]


def test_call_with_outdated_params_is_a_permanent_error(context: MakeContext, job: MakeJob) -> None:
    """A job that was planned for an older version of the action fails with the reason."""
    own = Registry()
    own.action("paint", params=Paint)(lambda params: None)
    with pytest.raises(Permanent, match="The job's params no longer fit the action paint: color is not known"):
        call(own.handler("paint"), context(job(handler="paint", params={"color": "red"})))


def test_delivery_is_looked_up_once_after_a_while(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A text message that was accepted is not sent again while its job waits for the outcome."""
    claimed, sms = job(), notifiers["twilio"]
    sms.capabilities = Capabilities(receipt=True)
    sms.deliveries = [True]
    with pytest.raises(RetryLater, match="Accepted by Recorder") as caught:
        context(claimed).notify("twilio:+15550100", "hello")
    assert caught.value.retry_at == NOW + timedelta(minutes=1)
    for attempt in (2, 3):
        context(claimed, attempts=attempt).notify("twilio:+15550100", "hello")
    assert (len(sms.sent), sms.deliveries) == (1, [])


def test_undelivered_message_fails_the_job_with_its_reason(
    context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A message that the carrier filtered is dead-lettered with the reason, and not sent again."""
    claimed, sms = job(), notifiers["twilio"]
    sms.capabilities = Capabilities(receipt=True)
    sms.deliveries = [Undelivered("Twilio: undelivered, 30007 (filtered by the carrier as spam)")]
    with pytest.raises(RetryLater):
        context(claimed).notify("twilio:+15550100", "hello")
    with pytest.raises(Undelivered, match="30007") as caught:
        context(claimed, attempts=2).notify("twilio:+15550100", "hello")
    assert caught.value.permanent
    assert len(sms.sent) == 1


@pytest.mark.parametrize("outcome", [False, NotifierError("Twilio cannot be reached", sent=False)])
def test_delivery_that_is_open_counts_as_sent(
    outcome: bool | Exception, context: MakeContext, job: MakeJob, notifiers: RecordingNotifiers
) -> None:
    """A slow carrier, or a lookup that fails, neither fails the job nor repeats the message."""
    claimed, sms = job(), notifiers["twilio"]
    sms.capabilities = Capabilities(receipt=True)
    sms.deliveries = [outcome]
    with pytest.raises(RetryLater):
        context(claimed).notify("twilio:+15550100", "hello")
    assert context(claimed, attempts=2).notify("twilio:+15550100", "hello").id == "1"
    assert len(sms.sent) == 1
