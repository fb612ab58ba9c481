"""What all commands have in common: errors become sentences and exit codes, help ends with the table of codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup

from webhooks.cli.support import exit_codes
from webhooks.errors import StoreUnavailable


class Command(click.Command):
    """A command whose expected errors end it with a sentence and a code."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("epilog", exit_codes.epilog())
        super().__init__(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        _write_whatever_comes()
        with ending():
            return super().invoke(ctx)


class Group(AppGroup):
    """A group of such commands, each with the application's context."""

    command_class = Command

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("epilog", exit_codes.epilog())
        options.setdefault("no_args_is_help", True)
        super().__init__(*args, **options)


@contextmanager
def ending() -> Iterator[None]:
    """Turns the errors that a command may meet into the ends that the table names."""
    try:
        yield
    except StoreUnavailable as error:
        raise exit_codes.Unavailable(f"The inbox does not answer: {error}") from error
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None


def _write_whatever_comes() -> None:
    """Names come in every script; a terminal that lacks the character shows its number instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
