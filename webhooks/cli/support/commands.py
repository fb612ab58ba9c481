"""Base classes of all commands: expected errors become sentences with an exit code."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask.cli import AppGroup

from webhooks.cli.support import exit_codes
from webhooks.errors import StoreUnavailable
from webhooks.garbage_collection import collect_as_usual


class Command(click.Command):
    """A command whose expected errors end it with a sentence and an exit code.

    Only warnings are logged, as the output says the rest; `logs=True` is for commands that run like a server.
    """

    def __init__(self, *args: Any, logs: bool = False, **options: Any) -> None:
        self._logs = logs
        super().__init__(*args, **options)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with translate_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        # Names come in every script; a terminal that lacks a character shows its number instead of a traceback.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        # rich reads this variable itself, click does not. https://no-color.org/
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        root = logging.getLogger()
        if self._logs:
            collect_as_usual()
        elif root.level == logging.INFO:
            root.setLevel(logging.WARNING)
        with translate_errors():
            return super().invoke(ctx)


class Group(AppGroup):
    """A group of such commands, each run within the application's context."""

    command_class = Command

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("no_args_is_help", True)
        super().__init__(*args, **options)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn the errors that any command may meet into an end with their exit code."""
    try:
        yield
    except click.UsageError as error:
        # Some messages, also of click's own, end without a full stop; lists of names are longer than a terminal's line.
        message = error.format_message()
        if not message.endswith((".", "?")):
            message += "."
        if sys.stderr.isatty():
            lines = textwrap.wrap(
                f"Error: {message}",
                shutil.get_terminal_size().columns,
                break_long_words=False,
                break_on_hyphens=False,
                subsequent_indent="  ",
            )
            message = "\n".join(lines).removeprefix("Error: ")
        raise click.UsageError(message, error.ctx) from None
    except StoreUnavailable as error:
        raise exit_codes.Unavailable(f"The inbox is unavailable: {error}") from error
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)
        raise click.exceptions.Exit(exit_codes.INTERRUPTED) from None
