"""Replies by text message: the words that acknowledge, and the incidents that they are about."""

from __future__ import annotations

import pytest

from webhooks.incidents.sms_commands import Candidate, Choice, Command, choose, parse_command

SALES = Candidate(12, "Sales", "open", "notice 1")
ORDERS = Candidate(14, "Orders", "snoozed", "notice 2")
WEB, ADS = Candidate(15, "Web", "open", "group 3"), Candidate(16, "Ads", "open", "group 3")
DONE = Candidate(9, "Month End", "acknowledged", "notice 4", "Ann")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("1", Command("acknowledge")),
        (" 1. ", Command("acknowledge")),
        ("Ack", Command("acknowledge")),
        ("OK!", Command("acknowledge")),
        ("1 12", Command("acknowledge", 12)),
        ("1 #12", Command("acknowledge", 12)),
        ("1,12", Command("acknowledge", 12)),
        ("12", Command("acknowledge", 12)),
        ("#12", Command("acknowledge", 12)),
        ("1 ALL", Command("acknowledge", all=True)),
        ("STOP", Command("opt_out")),
        ("Unsubscribe", Command("opt_out")),
        ("help", Command("help")),
        ("", Command("other")),
        ("1 of these days", Command("other")),
        ("I am on holiday until 1 May", Command("other")),
        ("\u0661", Command("other")),
        ("1" * 400, Command("other")),
    ],
)
def test_command(text: str, command: Command) -> None:
    """Only a text that is nothing else acknowledges; Twilio's own words are left to Twilio."""
    assert parse_command(text) == command


@pytest.mark.parametrize(
    ("text", "candidates", "choice"),
    [
        ("1", [SALES], Choice((SALES,))),
        ("1", [SALES, DONE], Choice((SALES,))),
        ("1", [WEB, ADS], Choice((WEB, ADS))),
        ("1", [SALES, ORDERS], Choice((SALES, ORDERS), "several")),
        ("1", [SALES, WEB, ADS], Choice((SALES, WEB, ADS), "several")),
        ("1 14", [SALES, ORDERS], Choice((ORDERS,))),
        ("1 all", [SALES, ORDERS, DONE], Choice((SALES, ORDERS))),
        ("1 9", [SALES, DONE], Choice((DONE,), "repeated")),
        ("1", [DONE], Choice((DONE,), "repeated")),
        ("1 77", [SALES], Choice(problem="unknown")),
        ("1", [], Choice(problem="none")),
        ("hello", [SALES], Choice(problem="text")),
        ("help", [SALES], Choice(problem="text")),
    ],
)
def test_choice(text: str, candidates: list[Candidate], choice: Choice) -> None:
    """`1` is about the only message that no one has acknowledged; with several, the person has to say which one."""
    assert choose(parse_command(text), candidates) == choice
