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


def ask(question: str, check: Callable[[str], T], *, default: str = "", secret: bool = False) -> T:
    """Return what `check` makes of the answer; ask again if it raises ValueError with what is wrong.

    An empty answer is `default`, which is shown unless it is `secret`. Raises Failure after too many answers, or at
    once if they come from a pipe.
    """
    in_terminal = sys.stdin.isatty()
    for _ in range(ATTEMPTS if in_terminal else 1):
        shown = " [unchanged]" if secret and default else f" [{default}]" if default else ""
        given = click.prompt(
            f"  {question}{shown}", default=default, show_default=False, hide_input=secret and in_terminal
        )
        if not in_terminal:
            click.echo()
        try:
            return check(given.strip())
        except ValueError as error:
            click.secho(f"  {escape_invisible(str(error))}", fg="red")
    raise Failure("Setup stopped; nothing was written.")


def heading(text: str) -> None:
    """Print the heading of a step."""
    click.secho(f"\n{text}", bold=True)


def done(text: str) -> None:
    """Print the result of a step that worked."""
    click.secho(f"  {escape_invisible(text)}", fg="green")
