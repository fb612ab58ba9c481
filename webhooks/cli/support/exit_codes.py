"""Exit codes of all commands, and the errors that end a command with one of them."""

from __future__ import annotations

import click

from webhooks.text import escape_invisible

DONE = 0
FAILED = 1
USAGE = 2
UNAVAILABLE = 3
INTERRUPTED = 130

# Shown by `flask --help` and in docs/cli.md, which a test compares with this table.
MEANINGS = {
    DONE: "success",
    FAILED: "failure: no such event, an invalid rules file, a response other than 200; status: an incident is open",
    USAGE: "usage error: an unknown option, state, event type or time",
    UNAVAILABLE: "unavailable or not configured: the inbox, the server, Tableau, a setting",
    INTERRUPTED: "interrupted with Ctrl-C (tail, listen and worker exit with 0)",
}


class Failure(click.ClickException):
    """End the command with a sentence on stderr and exit code 1."""

    exit_code = FAILED

    def format_message(self) -> str:
        """Return the sentence without anything that moves the cursor; it may quote text from outside."""
        return "\n".join(map(escape_invisible, self.message.split("\n")))


class Unavailable(Failure):
    """End the command with exit code 3: something that it needs is unavailable or not configured."""

    exit_code = UNAVAILABLE
