"""Dead jobs are told to somebody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifiers import NotifierError
from tests.handlers.conftest import Board
from webhooks.context import Context, call
from webhooks.errors import RetryLater, Skip
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.registry import registry

Contexts = Callable[..., Context]


@pytest.fixture
def announcement(inbox: Inbox, job: Callable[..., Job]) -> Callable[..., Job]:
    """Buries so many jobs, and claims the announcement of it."""

    def make(dead: int = 1, to: tuple[str, ...] = ("slack:#ops", "console")) -> Job:
        registry.load()
        inbox.dead_letters.announcements = (
            NewJob("dead letters", "dead_letters", rule="dead letters", params={"to": to}),
        )
        claimed_ones = [job(key=f"R/notify/{number}") for number in range(dead)]
        for number, one in enumerate(claimed_ones):
            inbox.dead_letters.dead_letter(one, f"trouble {number}")
        (claimed,) = inbox.jobs.claim("tests", 10, 60)
        return claimed

    return make


def announce(context: Context) -> None:
    call(registry.handler("dead_letters"), context)


def told(inbox: Inbox) -> bool:
    return not inbox.dead_letters.unannounced(except_handler="dead_letters")


def test_announcement_goes_to_every_destination(
    announcement: Callable[..., Job], context: Contexts, board: Board, inbox: Inbox
) -> None:
    """One message for all dead jobs there are, to each place that the rules name."""
    announce(context(announcement(dead=3)))
    for kind, to in (("slack", "#ops"), ("console", None)):
        ((place, message),) = board[kind].sent
        assert (place, message.title) == (to, "3 jobs are dead: tried in vain")
        assert "R/notify/2: trouble 2" in message.text
    assert told(inbox)


def test_announcement_is_made_once(
    announcement: Callable[..., Job], context: Contexts, inbox: Inbox, job: Callable[..., Job]
) -> None:
    """A second announcement has nothing to tell."""
    claimed = announcement()
    announce(context(claimed))
    with pytest.raises(Skip, match="told of already"):
        announce(context(job(key="again", handler="dead_letters", params={"to": ["slack"]})))


def test_announcement_to_one_place_survives_the_other(
    announcement: Callable[..., Job], context: Contexts, board: Board, inbox: Inbox, final: Callable[[], Exception]
) -> None:
    """A channel that is closed for good does not keep the news from the others."""
    board["slack"].troubles = [final()]
    announce(context(announcement()))
    assert len(board["console"].sent) == 1
    assert told(inbox)


def test_announcement_is_tried_again_where_it_may_pass(
    announcement: Callable[..., Job], context: Contexts, board: Board, inbox: Inbox, passing: Callable[[], Exception]
) -> None:
    """Who was told is not told again when the job comes back for the others."""
    claimed = announcement()
    board["slack"].troubles = [passing()]
    with pytest.raises(NotifierError):
        announce(context(claimed))
    announce(context(claimed, attempts=2))
    assert (len(board["slack"].sent), len(board["console"].sent)) == (1, 1)
    assert told(inbox)


def test_announcement_that_nobody_can_hear_is_an_error(
    announcement: Callable[..., Job], context: Contexts, board: Board, inbox: Inbox, final: Callable[[], Exception]
) -> None:
    """Where no place can be told, the dead jobs are untold again once the announcement is dead."""
    board["slack"].troubles = [final()]
    claimed = announcement(to=("slack",))
    with pytest.raises(NotifierError):
        announce(context(claimed))
    inbox.dead_letters.dead_letter(claimed, "nobody can be told")
    assert not told(inbox)


def test_announcement_under_way_leaves_further_deaths_to_the_next(
    *, announcement: Callable[..., Job], context: Contexts, board: Board, inbox: Inbox, job: Callable[..., Job]
) -> None:
    """While Slack is slow, a job that dies is told of once, and so is each that was being told of."""
    slow = announcement(to=("slack",))
    board["slack"].troubles = [NotifierError("Slack did not answer", uncertain=True)]
    with pytest.raises(RetryLater):
        announce(context(slow))
    inbox.dead_letters.dead_letter(job(key="R/notify/late"), "one more")
    (following,) = inbox.jobs.claim("tests", 1, 60)
    announce(context(following))
    announce(context(slow, attempts=2))
    first, second = [message for _, message in board["slack"].sent]
    assert ("R/notify/late" in first.text, "R/notify/0" in first.text) == (True, False)
    assert ("R/notify/late" in second.text, "R/notify/0" in second.text) == (False, True)


def test_announcement_that_waits_for_one_place_goes_to_the_others(
    announcement: Callable[..., Job], context: Contexts, board: Board
) -> None:
    """A message that may be out is tried again later; the other places do not wait for it."""
    board["slack"].troubles = [NotifierError("Slack did not answer", uncertain=True)]
    with pytest.raises(RetryLater):
        announce(context(announcement()))
    assert len(board["console"].sent) == 1


def test_announcement_says_how_to_bring_it_back(
    announcement: Callable[..., Job], context: Contexts, board: Board, event: Callable[..., Event]
) -> None:
    """The message holds the commands to look and to replay."""
    announce(context(announcement()))
    ((_, message),) = board["slack"].sent
    assert message.title == "A job is dead: tried in vain"
    assert "flask events replay" in message.footer
