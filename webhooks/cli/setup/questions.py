"""Ask questions in a terminal, or read the answers from a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from webhooks.cli.support.exit_codes import Failure
from webhooks.text import escape_invisible

T = TypeVar("T")
# In a terminal, a refused answer can be corrected this often.
ATTEMPTS = 5
STOPPED = "Setup stopped; nothing was written."


def ask(question: str, check: Callable[[str], T], *, default: str = "", secret: bool = False) -> T:
    """Return what `check` makes of the answer; ask again if it raises ValueError with what is wrong.

    An empty answer is `default`, which is shown unless it is `secret`. Raises Failure after too many answers, or at
    once if they come from a pipe.
    """
    in_terminal = sys.stdin.isatty()
    for _ in attempts():
        shown = " [unchanged]" if secret and default else f" [{default}]" if default else ""
        given = click.prompt(
            f"  {question}{shown}", default=default, show_default=False, hide_input=secret and in_terminal
        )
        if not in_terminal:
            click.echo()
        try:
            return check(given.strip())
        except ValueError as error:
            refused(str(error))
    raise Failure(STOPPED)


def attempts() -> range:
    """Return the attempts at an answer: several in a terminal, one from a pipe."""
    return range(ATTEMPTS if sys.stdin.isatty() else 1)


def refused(reason: str) -> None:
    """Print why an answer is refused."""
    click.secho(f"  {escape_invisible(reason)}", fg="red")


def heading(text: str) -> None:
    """Print the heading of a step."""
    click.secho(f"\n{text}", bold=True)


def done(text: str) -> None:
    """Print the result of a step that worked."""
    click.secho(f"  {escape_invisible(text)}", fg="green")
