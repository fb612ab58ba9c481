"""The help of `flask` and its commands, and the manual page that has to agree with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from flask import Flask

from tests.cli.conftest import Run
from tests.support.pseudo_terminal import terminal_session
from webhooks.cli.commands import COMMANDS, LazyCommand
from webhooks.cli.support.exit_codes import MEANINGS
from webhooks.config.settings import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
# Characters of a command's first sentence that fit beside its name.
WIDTH = 60
# Options that the manual explains once for all commands.
COMMON_OPTIONS = {"as_json", "event_types", "event_type", "resources", "resource", "states", "state", "since"}


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the command and all its subcommands."""
    yield path, command
    if isinstance(command, click.Group):
        for name, subcommand in command.commands.items():
            yield from commands(subcommand, (*path, name))


ALL = [
    pytest.param(path, command, id=" ".join(path))
    for name in COMMANDS
    for path, command in commands(LazyCommand(name).load(), (name,))
]


def run(*command: str) -> str:
    """Return the output of a command that has to succeed."""
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        cwd=ROOT,
        env={**os.environ, "FLASK_APP": "index"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


@pytest.mark.parametrize("program", ["flask", "webhooks"])
def test_help_begins_with_our_commands_and_ends_with_flasks(program: str) -> None:
    """`flask --help` and `python -m webhooks --help` show the same page, with the exit codes."""
    text = run(program, "--help")
    assert text.startswith(f"Usage: python -m {program} COMMAND")
    assert "A general utility script for Flask applications" not in text
    found = re.findall(r"^  ([a-z]+)  +[A-Z]", text, re.MULTILINE)
    assert found == [*COMMANDS, "routes", "run", "shell"]
    assert text.index("Exit codes:") < text.index("Flask's own commands:")
    words = " ".join(text.split())
    for code, meaning in MEANINGS.items():
        assert f" {code} {meaning}" in words


def test_help_needs_no_valid_settings() -> None:
    """The page is shown whatever .env contains, and so is the suggestion for a misspelt command."""
    ended = subprocess.run(
        [sys.executable, "-m", "webhooks", "--help"],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PORT": "x"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.stderr, ended.stdout) == ("", run("webhooks", "--help"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evnts",), "No such command 'evnts'. Did you mean 'events'?"),
        (("events", "lst"), "No such command 'lst'. Did you mean 'list'?"),
        (("events", "list", "--stat", "dead"), "No such option '--stat'. Did you mean '--state'?"),
        (("events", "list", "more"), "Got unexpected extra argument (more)."),
        (("events", "list", "--since", "x"), "or a date (2026-01-31, 2026-01-31T09:30)."),
        (("trigger", "--url", "ftp://x", "SiteUpdated"), "is not a web address such as http://127.0.0.1:8000."),
    ],
)
@pytest.mark.parametrize("program", ["flask", "webhooks"])
def test_usage_errors_are_whole_sentences_with_a_suggestion(program: str, words: tuple[str, ...], message: str) -> None:
    """A misspelt command or option leads to a suggestion; every sentence ends with a full stop."""
    ended = subprocess.run(
        [sys.executable, "-m", program, *words], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.rstrip().endswith(message)


def test_long_usage_errors_are_wrapped_on_a_terminal_only() -> None:
    """Names are never broken in two where a person reads; a pipe gets one line."""
    words = ("events", "list", "--state", "failed")
    with terminal_session(*words, environment={**os.environ, "TERM": "dumb"}, columns=60) as session:
        assert session.wait() == 2
    *_, first, second, last = session.shown.splitlines()
    assert first.startswith("Error: Invalid value for '--state': Unknown state 'failed'.")
    assert max(map(len, session.shown.splitlines())) <= 60
    ended = subprocess.run(
        [sys.executable, "-m", "flask", *words], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.stderr.splitlines()[-1] == " ".join(f"{first} {second} {last}".split())


def test_no_color_switches_all_colours_off() -> None:
    """Lines that click colours follow the variable as rich's tables do."""
    for no_color, coloured in (("", True), ("1", False)):
        environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm"}
        with terminal_session("trigger", "Foo", "--url", "http://127.0.0.1:9", environment=environment) as session:
            session.wait()
        assert "warning: unknown event type 'Foo'" in session.shown
        assert ("\x1b[" in session.shown) is coloured


def test_flasks_own_commands_and_ours_work_in_both_programs() -> None:
    """Only the page was replaced."""
    assert "health.healthz" in run("flask", "routes") or "/healthz" in run("flask", "routes")
    assert "slack" in run("webhooks", "notify", "list")


def test_the_table_lists_every_registered_command(app: Flask) -> None:
    """Each has its first sentence in `flask --help`, without its module being imported."""
    for name, text in COMMANDS.items():
        command = app.cli.commands[name]
        assert isinstance(command, LazyCommand)
        assert command.help == text
        assert (command.load().help or "").startswith(text.rstrip("."))


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_is_complete(path: tuple[str, ...], command: click.Command) -> None:
    """Each command has a first sentence that fits beside its name, and explains each option."""
    assert command.help, path
    assert not command.get_short_help_str(WIDTH).endswith("..."), command.get_short_help_str(200)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]}"


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_of_a_command_has_no_table_of_exit_codes(
    flask: Run, path: tuple[str, ...], command: click.Command
) -> None:
    """The exit codes are documented once, in `flask --help` and the manual."""
    text = flask(*path, "--help").stdout
    assert "Exit codes" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(("path", "command"), ALL)
def test_the_manual_documents_every_command_and_option(path: tuple[str, ...], command: click.Command) -> None:
    """docs/cli.md has a section for each command, with all of its options."""
    if isinstance(command, click.Group):
        assert f"\n## {path[0]}\n" in PAGE
        return
    found = re.search(rf"\n### `flask {' '.join(path)}\b(.*?)(?=\n##|\Z)", PAGE, re.DOTALL)
    assert found, f"docs/cli.md has no section on flask {' '.join(path)}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in COMMON_OPTIONS:
            assert parameter.opts[0] in found[1], f"docs/cli.md: {parameter.opts[0]} of {' '.join(path)} is missing"


def test_the_manual_has_the_same_exit_codes() -> None:
    """The manual's table is the code's."""
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {str(code): meaning for code, meaning in MEANINGS.items()}
