"""How commands end: one table of exit codes, and the error that ends a command with one of them."""

from __future__ import annotations

import click

DONE = 0
FAILED = 1
USAGE = 2
UNAVAILABLE = 3
INTERRUPTED = 130

MEANINGS = {
    DONE: "done",
    FAILED: "it did not work: no such event, a faulty rules file, an answer other than 200",
    USAGE: "the command was written wrongly: an unknown option, state, event type or time",
    UNAVAILABLE: "something it needs is away or not set up: the inbox, the server, Tableau, a variable",
    INTERRUPTED: "stopped with Ctrl-C before it was done (tail and worker end with 0)",
}


class Failure(click.ClickException):
    """It did not work: ends the command with a sentence on stderr."""

    exit_code = FAILED


class Unavailable(Failure):
    """Something that the command needs is away or not set up."""

    exit_code = UNAVAILABLE


def epilog() -> str:
    """The table for the end of a help text, in the form that click leaves as it is."""
    lines = [f"  {code:<3}  {meaning}" for code, meaning in MEANINGS.items()]
    return "\b\nExit codes:\n" + "\n".join(lines)
