"""Run `flask` commands of an application in this process."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import Result
from flask import Flask

# `run("events", "list")` runs a command; the result has exit_code, stdout and stderr.
RunFlask = Callable[..., Result]


@contextmanager
def as_flask_command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let applications be created as a `flask` command creates them; restore the logging that they configure."""
    monkeypatch.setenv("FLASK_RUN_FROM_CLI", "true")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def command_runner(app: Flask) -> RunFlask:
    """Return a function that runs a command; it raises whatever the command raises, but for SystemExit."""

    def run(*words: object, stdin: str | None = None) -> Result:
        result = app.test_cli_runner().invoke(args=[str(word) for word in words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
