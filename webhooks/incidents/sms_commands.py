"""Replies by text message: the request of a person, and the incidents that it is about. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# A text message to acknowledge: `1`, `1 12` and `1 all`, or only the number of an incident.
ACKNOWLEDGE = re.compile(r"(?:1|ack|acknowledge|ok)(?:[ .,:#]+(?:(?P<number>[0-9]{1,18})|(?P<all>all)))?[ .!]*", re.I)
NUMBER = re.compile(r"#?(?P<number>[0-9]{1,18})[ .!]*")
# Words that Twilio answers itself, https://help.twilio.com/articles/223134027
OPT_OUT = frozenset(
    ["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "start", "yes", "unstop"]
)
HELP = frozenset(["help", "info"])

# Why nothing was acknowledged: nothing is open, several messages are, it is acknowledged already, it is not one of
# those that the number was notified of, or the text is not understood.
Problem = Literal["", "none", "several", "repeated", "unknown", "text"]


@dataclass(frozen=True, slots=True)
class Command:
    """The request in a text: to acknowledge the incident `number`, all of them, or the only one."""

    kind: Literal["acknowledge", "opt_out", "help", "other"]
    number: int | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An incident that is not closed and that the number was notified of, with the message that did it."""

    number: int
    name: str
    state: str
    message: str
    quiet_by: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The incidents to acknowledge, or why there are none."""

    incidents: tuple[Candidate, ...] = ()
    problem: Problem = ""


def parse_command(text: str) -> Command:
    """Return the request in a text."""
    word = text.strip()
    if word.lower() in OPT_OUT:
        return Command("opt_out")
    if word.lower() in HELP:
        return Command("help")
    found = ACKNOWLEDGE.fullmatch(word) or NUMBER.fullmatch(word)
    if found is None:
        return Command("other")
    number = found["number"]
    return Command("acknowledge", int(number) if number else None, "all" in found.groupdict() and bool(found["all"]))


def choose(command: Command, candidates: Sequence[Candidate]) -> Choice:
    """Return the incidents that a command acknowledges.

    Without a number it is about the one message that has not been acknowledged; a message may show several incidents.
    """
    if command.kind != "acknowledge":
        return Choice(problem="text")
    waiting = [one for one in candidates if one.state != "acknowledged"]
    if command.number is not None:
        named = [one for one in candidates if one.number == command.number]
        if not named:
            return Choice(problem="unknown")
        return Choice(tuple(named)) if named[0] in waiting else Choice(tuple(named), "repeated")
    if not waiting:
        return Choice(tuple(candidates[:1]), "repeated") if candidates else Choice(problem="none")
    if not command.all and len({one.message for one in waiting}) > 1:
        return Choice(tuple(waiting), "several")
    return Choice(tuple(waiting))
