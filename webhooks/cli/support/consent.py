"""Ask before a command does what cannot be undone; without a terminal it ends instead."""

from __future__ import annotations

import sys

import click

from webhooks.cli.support.exit_codes import Failure


def require_consent(question: str) -> None:
    """Return if the answer is yes. Raise Failure if it is no, UsageError if standard input is not a terminal."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Standard input is not a terminal, so add --yes to confirm.")
    if not click.confirm(question, err=True):
        raise Failure("Nothing was changed.")
