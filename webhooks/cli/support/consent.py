"""Asks a person before much is done; where nobody can answer, nothing is."""

from __future__ import annotations

import sys

import click

from webhooks.cli.support.exit_codes import Failure


def require_consent(question: str) -> None:
    """Returns for a yes; ends the command for a no, and where standard input is no terminal."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is there to answer; add --yes.")
    if not click.confirm(question, err=True):
        raise Failure("Nothing was done.")
