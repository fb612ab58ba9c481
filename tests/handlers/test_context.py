"""What a job may use: once, notify with its picture, patience, and arguments by name."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifiers import Message, NotifierError, Picture
from tableau_rest import ConnectionFailed, Forbidden, NotFound
from tableau_rest.models import Datasource, Project, Reference, Workbook
from tests.handlers.conftest import NOW, Board
from webhooks.config.settings import Settings
from webhooks.context import CONDITIONS, Context, NoCredentials, call
from webhooks.errors import LeaseLost, Permanent, RetryLater, Skip
from webhooks.event import Event
from webhooks.inbox import Inbox, Namespace
from webhooks.job import Job
from webhooks.registry import Params, Registry

Contexts = Callable[..., Context]
Jobs = Callable[..., Job]
Trouble = Callable[[], Exception]

PNG = Picture(b"\x89PNG", "Sales.png", "Preview")


def test_once_runs_once_over_all_attempts(context: Contexts, job: Jobs) -> None:
    """A later attempt gets what the first one gave, None included."""
    calls: list[str] = []
    claimed = job()
    for attempt in (1, 2, 3):
        made = context(claimed, attempts=attempt)
        assert made.once("a", lambda: calls.append("a")) is None
        assert made.once("b", lambda: {"n": [len(calls)]}) == {"n": [1]}
    assert calls == ["a"]


def test_once_runs_again_after_it_failed(context: Contexts, job: Jobs) -> None:
    """What raised was not done."""
    made = context(job())
    with pytest.raises(ZeroDivisionError):
        made.once("a", lambda: 1 / 0)
    assert made.once("a", lambda: 5) == 5


def test_once_is_of_one_job(context: Contexts, job: Jobs, event: Callable[..., Event]) -> None:
    """Two jobs do not share what they have done."""
    assert context(job(event())).once("a", lambda: 1) == 1
    assert context(job(event())).once("a", lambda: 2) == 2


def test_once_refuses_what_is_not_json(context: Contexts, job: Jobs, inbox: Inbox) -> None:
    """A result that cannot be kept ends the job, and what was done is not done again."""
    claimed = job()
    with pytest.raises(Permanent, match=r"once\('a'\) has to give a JSON value"):
        context(claimed).once("a", lambda: NOW)
    assert inbox.checkpoints.get(claimed, "a", namespace=Namespace.HANDLER) is None


def test_keys_of_handlers_do_not_collide_with_the_frameworks(context: Contexts, job: Jobs, inbox: Inbox) -> None:
    """A handler that uses the key of a recorded condition runs its own function and gets its own result."""
    claimed = job()
    inbox.checkpoints.set(claimed, CONDITIONS, "tags gold ~ gold")
    assert context(claimed).once(CONDITIONS, lambda: "mine") == "mine"
    assert inbox.checkpoints.get(claimed, CONDITIONS) == "tags gold ~ gold"


def test_once_does_nothing_without_the_lease(context: Contexts, job: Jobs) -> None:
    """A worker that lost the job must not do what another one does."""
    with pytest.raises(LeaseLost):
        context(job(), still_mine=lambda: False).once("a", lambda: pytest.fail("it ran"))


def test_notify_tells_once_over_all_attempts(context: Contexts, job: Jobs, board: Board) -> None:
    """A retried job does not repeat what is out already, and gets the same receipt."""
    claimed = job()
    receipts = [context(claimed, attempts=n).notify("slack:#bi", "Sales is new") for n in (1, 2)]
    assert receipts[0] == receipts[1]
    assert board["slack"].sent == [("#bi", Message("Sales is new"))]


def test_notify_after_a_failure_tells_the_rest(context: Contexts, job: Jobs, board: Board, passing: Trouble) -> None:
    """Of two messages to one place, the one that went out is not repeated and the other one is."""

    def attempt(number: int) -> None:
        made = context(claimed, attempts=number)
        made.notify("slack", "one")
        board["slack"].troubles = [passing()] if number == 1 else []
        made.notify("slack", "two")

    claimed = job()
    with pytest.raises(NotifierError):
        attempt(1)
    attempt(2)
    assert board.titles == ["one", "two"]


def test_notify_makes_the_message_only_to_send_it(context: Contexts, job: Jobs, board: Board) -> None:
    """A message given as a function is not made again for a message that is out."""
    claimed = job()
    context(claimed).notify("slack", lambda: Message("made"), key="x")
    context(claimed).notify("slack", lambda: pytest.fail("made again"), key="x")
    assert board.titles == ["made"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sales is new", Message("Sales is new")),
        ("Sales is new\n\nby Ann\n", Message("Sales is new", "by Ann")),
        ("x" * 200, Message("x" * 149 + "…", "x" * 200)),
    ],
)
def test_notify_takes_plain_text(text: str, message: Message, context: Contexts, job: Jobs, board: Board) -> None:
    """The first line of a text is the headline, if it is short enough for one."""
    context(job()).notify("slack", text)
    assert board["slack"].sent[0][1] == message


@pytest.mark.parametrize(("addressed", "kind"), [(("slack", "console"), "slack"), (("twilio", "console"), "console")])
def test_default_is_slack_or_else_the_console(
    addressed: tuple[str, ...], kind: str, context: Contexts, job: Jobs, board: Board
) -> None:
    """`default` never sends a text message that somebody pays for."""
    board.with_default_address = addressed
    context(job()).notify("default", "hello")
    assert [to for to, _ in board[kind].sent] == [None]


def test_notify_refuses_a_place_that_is_none(context: Contexts, job: Jobs) -> None:
    """A handler's mistake in a destination ends the job with what would be right."""
    with pytest.raises(Permanent, match="'slak:#bi' is no destination"):
        context(job()).notify("slak:#bi", "hello")


def test_picture_follows_its_message(context: Contexts, job: Jobs, board: Board) -> None:
    """The picture is added to the message, once."""
    claimed = job()
    for attempt in (1, 2):
        context(claimed, attempts=attempt).notify("slack", "hello", picture=lambda: PNG)
    assert board["slack"].attached == [("1", PNG)]


def test_picture_that_fails_for_good_is_left_out(
    *,
    context: Contexts,
    job: Jobs,
    board: Board,
    inbox: Inbox,
    final: Trouble,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message stands without it; the log and the job's steps say why."""
    claimed = job()
    board["slack"].picture_troubles = [final()]
    context(claimed).notify("slack", "hello", picture=PNG, key="k")
    assert board.titles == ["hello"]
    assert inbox.checkpoints.get(claimed, "notify k picture") == {"problem": "Slack answered not_in_channel"}
    assert "No picture: Slack answered not_in_channel" in caplog.text


def test_picture_that_cannot_be_made_is_left_out(context: Contexts, job: Jobs, board: Board) -> None:
    """Whatever goes wrong with a picture, a mistake in a handler included, the message is out and the job goes on."""
    claimed = job()
    context(claimed).notify("slack", "one", picture=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    context(claimed).notify("slack", "two", picture=lambda: None, key="two")
    assert (board.titles, board["slack"].attached) == (["one", "two"], [])


def test_picture_with_a_passing_trouble_is_tried_again(
    context: Contexts, job: Jobs, board: Board, passing: Trouble
) -> None:
    """The job comes back for the picture, not for the message; after three tries the picture is left out."""
    claimed, waits = job(), []
    board["slack"].picture_troubles = [passing() for _ in range(3)]
    for attempt in (1, 2):
        with pytest.raises(
            RetryLater, match="the message is out, its picture is not: Slack answered status 503"
        ) as caught:
            context(claimed, attempts=attempt).notify("slack", "hello", picture=PNG)
        assert caught.value.retry_at
        waits.append((caught.value.retry_at - NOW).total_seconds())
    context(claimed, attempts=3).notify("slack", "hello", picture=PNG)
    assert (board.titles, board["slack"].attached, waits) == (["hello"], [], [10.0, 30.0])


def test_picture_comes_with_the_second_try(context: Contexts, job: Jobs, board: Board, passing: Trouble) -> None:
    """A trouble that passed costs neither the picture nor a second message."""
    claimed = job()
    board["slack"].picture_troubles = [passing()]
    with pytest.raises(RetryLater):
        context(claimed).notify("slack", "hello", picture=PNG)
    context(claimed, attempts=2).notify("slack", "hello", picture=PNG)
    assert (board.titles, board["slack"].attached) == (["hello"], [("1", PNG)])


def test_picture_waits_as_long_as_slack_asks(context: Contexts, job: Jobs, board: Board) -> None:
    """Retry-After is obeyed by the job, not by a sleeping thread."""
    asked = NOW + timedelta(minutes=5)
    board["slack"].picture_troubles = [NotifierError("Slack answered ratelimited", retry_at=asked)]
    with pytest.raises(RetryLater) as caught:
        context(job()).notify("slack", "hello", picture=PNG)
    assert caught.value.retry_at == asked


def test_picture_cannot_kill_a_job_on_its_last_attempt(
    context: Contexts, job: Jobs, board: Board, passing: Trouble
) -> None:
    """A job whose message is out does not die of a picture, even where waiting would cost it its life."""
    claimed = replace(job(max_attempts=1), created_at=NOW - timedelta(days=2))
    board["slack"].picture_troubles = [passing()]
    context(claimed).notify("slack", "hello", picture=PNG)
    assert board.titles == ["hello"]


def test_wait_is_taken_by_a_job_with_one_attempt(context: Contexts, job: Jobs) -> None:
    """A wait costs no attempt, so max_attempts = 1 does not do away with it."""
    claimed = job(max_attempts=1)
    with pytest.raises(RetryLater, match="not yet"):
        context(claimed).wait("reason", (2.0,), "not yet")
    context(claimed).wait("reason", (2.0,), "not yet")


def test_message_without_an_answer_is_sent_again_a_few_times(context: Contexts, job: Jobs, board: Board) -> None:
    """Slack may have posted what it did not answer: two repeats, far apart, then the job fails and says so."""
    claimed = job()
    board["slack"].troubles = [NotifierError("Slack did not answer: timed out", uncertain=True) for _ in range(5)]
    for attempt, seconds in enumerate((120, 1800), 1):
        with pytest.raises(RetryLater, match="is sent again") as caught:
            context(claimed, attempts=attempt).notify("slack", "hello")
        assert caught.value.retry_at == NOW + timedelta(seconds=seconds)
    with pytest.raises(NotifierError, match="may have arrived, perhaps more than once; it is not repeated") as final:
        context(claimed, attempts=3).notify("slack", "hello")
    assert (final.value.permanent, final.value.uncertain) == (True, True)
    assert len(board["slack"].troubles) == 2


def test_message_without_an_answer_arrives_with_the_repeat(context: Contexts, job: Jobs, board: Board) -> None:
    """Where the repeat is answered, all is well."""
    claimed = job()
    board["slack"].troubles = [NotifierError("Slack did not answer: timed out", uncertain=True)]
    with pytest.raises(RetryLater):
        context(claimed).notify("slack", "hello")
    context(claimed, attempts=2).notify("slack", "hello")
    assert board.titles == ["hello"]


def test_wait_is_used_up_over_the_attempts(context: Contexts, job: Jobs) -> None:
    """Each wait is taken once in a job's life, whatever number its attempt has."""
    claimed, due = job(), []
    for _ in range(2):
        with pytest.raises(RetryLater, match="not yet") as caught:
            context(claimed).wait("reason", (2.0, 5.0), "not yet")
        due.append(caught.value.retry_at)
    context(claimed).wait("reason", (2.0, 5.0), "not yet")
    assert due == [NOW + timedelta(seconds=2), NOW + timedelta(seconds=5)]


def test_tableau_without_credentials_is_a_permanent_error(context: Contexts, job: Jobs, settings: Settings) -> None:
    """The error names every variable that is missing."""
    made = context(job(), settings=settings.model_copy(update={"tableau_domain": "", "tableau_pat_name": ""}))
    with pytest.raises(NoCredentials, match="TABLEAU_AUTH=pat needs TABLEAU_DOMAIN, TABLEAU_PAT_NAME") as caught:
        _ = made.tableau
    assert caught.value.permanent


def test_log_names_event_and_job(context: Contexts, job: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    """A handler's line can be found by its event, and carries both ids as fields."""
    claimed = job()
    with caplog.at_level(logging.INFO, "webhooks"):
        context(claimed).log.info("%s looked at", "Sales", extra={"colour": "red"})
    (record,) = caplog.records
    assert record.getMessage() == f"event {claimed.event.id}, job {claimed.id}: Sales looked at"
    assert (record.name, vars(record)["event_id"], vars(record)["colour"]) == (
        "webhooks.handlers.notify",
        claimed.event.id,
        "red",
    )


class Paint(Params):
    colour: str = "red"
    coats: int = 1


def test_call_gives_what_the_handler_names(context: Contexts, job: Jobs, board: Board) -> None:
    """Arguments come by name; params as the model, checked."""
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
    assert board.titles == ["painted"]


def test_call_with_params_of_another_time_is_a_permanent_error(context: Contexts, job: Jobs) -> None:
    """A job that was planned for an older version of the action says so."""
    own = Registry()
    own.action("paint", params=Paint)(lambda params: None)
    with pytest.raises(Permanent, match="the job's params no longer fit paint: color is not known"):
        call(own.handler("paint"), context(job(handler="paint", params={"color": "red"})))


class Site:
    """A Tableau with one workbook and one data source, or one that fails."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.asked: list[str] = []
        self.project = Reference("00000000-0000-4000-8000-0000000000f2", "Reports")

    def workbook(self, luid: str) -> Workbook:
        self.asked.append("workbook")
        if self.trouble:
            raise self.trouble
        return Workbook(luid, "Sales", project=self.project, owner=Reference("u", "ann"), tags=("gold", "old"))

    def datasource(self, luid: str) -> Datasource:
        self.asked.append("datasource")
        return Datasource(luid, "Orders", project=self.project, is_certified=True)

    def user(self, luid: str) -> Any: ...

    view = site = user

    def projects(self, **_: object) -> list[Project]:
        self.asked.append("projects")
        finance = Project("00000000-0000-4000-8000-0000000000f1", "Finance")
        return [finance, Project(self.project.luid, "Reports", parent_luid=finance.luid)]


def ran(context: Contexts, job: Jobs, site: Site, where: dict[str, object], **given: Any) -> bool:
    """Whether a handler with these conditions runs; the reason why not is raised."""
    own, runs = Registry(), []
    own.on("*", name="h")(lambda event: runs.append(event.id))
    call(own.handler("h"), context(job(where=where, **given), tableau=lambda: site))
    return bool(runs)


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"project": ["Reports"]},
        {"project": ["Finance/Reports"]},
        {"project": ["finance*"]},
        {"project": ["!Marketing*"], "owner": ["ann"], "tags": ["gold"]},
        {"tags": ["silver", "gold"]},
        {"certified": ["!true"]},
    ],
)
def test_call_runs_where_the_conditions_hold(where: dict[str, object], context: Contexts, job: Jobs) -> None:
    """A project is met by its name or its path, tags by any of them."""
    assert ran(context, job, Site(), where)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"project": ["Marketing*"]}, "project is Finance/Reports, not Marketing*"),
        ({"project": ["!Finance*"]}, "project is Finance/Reports, which !Finance* refuses"),
        ({"tags": ["!old"]}, "tags is gold, old, which !old refuses"),
        ({"owner": ["ben", "cleo"]}, "owner is ann, not ben or cleo"),
        ({"certified": ["true"]}, "certified is unknown, not true"),
    ],
)
def test_call_skips_with_the_reason(where: dict[str, object], reason: str, context: Contexts, job: Jobs) -> None:
    """A condition that does not hold ends the job as skipped, in words."""
    with pytest.raises(Skip) as caught:
        ran(context, job, Site(), where)
    assert str(caught.value) == reason


def test_call_knows_certified_data_sources(context: Contexts, job: Jobs, event: Callable[..., Event]) -> None:
    """Data sources are asked whether they are certified."""
    site = Site()
    own = Registry()
    own.on("*", name="h")(lambda event: None)
    call(
        own.handler("h"),
        context(job(event("DatasourceUpdated"), where={"certified": ["true"]}), tableau=lambda: site),
    )
    assert site.asked == ["datasource"]


@pytest.mark.parametrize(
    ("fields", "trouble", "reason"),
    [
        ({}, NotFound("gone"), "project cannot be looked at: the workbook is not there any more, or this server's"),
        ({"resource_luid": "99"}, None, "project cannot be looked at: the event does not say what it is about"),
        ({"resource_luid": None}, None, "project cannot be looked at: the event does not say what it is about"),
    ],
)
def test_call_skips_what_cannot_be_looked_at(
    *,
    fields: dict[str, object],
    trouble: Exception | None,
    reason: str,
    context: Contexts,
    job: Jobs,
    event: Callable[..., Event],
) -> None:
    """Content that is gone meets no condition that only Tableau could answer."""
    own = Registry()
    own.on("*", name="h")(lambda event: pytest.fail("it ran"))
    made = context(job(event(**fields), where={"project": ["A"]}), tableau=lambda: Site(trouble))
    with pytest.raises(Skip) as caught:
        call(own.handler("h"), made)
    assert str(caught.value).startswith(reason)


def test_call_does_not_guess_where_tableau_refuses(context: Contexts, job: Jobs) -> None:
    """Nobody knows if the job should have run: it is dead, and somebody is told."""
    with pytest.raises(Permanent, match="project could not be looked at: not for you"):
        ran(context, job, Site(Forbidden("not for you")), {"project": ["A"]})


def test_call_raises_what_may_pass(context: Contexts, job: Jobs) -> None:
    """While Tableau is down the job waits."""
    with pytest.raises(ConnectionFailed):
        ran(context, job, Site(ConnectionFailed("connection refused")), {"project": ["A"]})


def test_conditions_are_looked_at_once_and_their_reason_is_kept(context: Contexts, job: Jobs, inbox: Inbox) -> None:
    """A job that comes back does not ask again, and whoever asks why it ran is told."""
    site, claimed = Site(), job(where={"project": ["Finance*"], "tags": ["gold"]})
    own = Registry()
    own.on("*", name="h")(lambda event: None)
    for attempt in (1, 2):
        call(own.handler("h"), context(claimed, attempts=attempt, tableau=lambda: site))
    assert site.asked.count("workbook") == 1
    assert inbox.checkpoints.get(claimed, CONDITIONS) == "project Finance/Reports ~ Finance*; tags gold, old ~ gold"


def test_projects_are_listed_once_in_five_minutes(context: Contexts, job: Jobs, event: Callable[..., Event]) -> None:
    """The list of projects is long on a big site and is kept, for a while."""
    site = Site()
    own = Registry()
    own.on("*", name="h")(lambda event: None)
    for minutes in (0, 4, 6):
        later = datetime(2026, 2, 1, 9, minutes, tzinfo=UTC)
        claimed = job(event(), where={"project": ["Finance*"]})
        call(own.handler("h"), context(claimed, tableau=lambda: site, clock=lambda now=later: now))
    assert site.asked.count("projects") == 2


def test_project_that_may_not_be_seen_is_asked_for_once(
    context: Contexts, job: Jobs, event: Callable[..., Event]
) -> None:
    """The whole list is not fetched again for every event in a hidden project, while it is fresh."""
    site = Site()
    hidden = Reference("00000000-0000-4000-8000-0000000000f3", "Hidden")
    for _ in range(3):
        assert context(job(event()), tableau=lambda: site).project_path(hidden) == "Hidden"
    assert site.asked.count("projects") == 1
    assert context(job(event()), tableau=lambda: site).project_path(site.project) == "Finance/Reports"
    later = NOW + timedelta(minutes=6)
    assert context(job(event()), tableau=lambda: site, clock=lambda: later).project_path(hidden) == "Hidden"
    assert site.asked.count("projects") == 2


def test_projects_are_fetched_by_one_thread(context: Contexts, job: Jobs) -> None:
    """Eight jobs at once make one question."""
    together = threading.Barrier(8)

    class Slow(Site):
        def projects(self, **given: object) -> list[Project]:
            time.sleep(0.05)
            return super().projects(**given)

    site, made = Slow(), job()

    def ask(_: int) -> str:
        together.wait(10)
        return context(made, tableau=lambda: site).project_path(site.project)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"Finance/Reports"}
    assert site.asked.count("projects") == 1
