"""Help that a person can learn from, and a page that says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from flask import Flask

from tests.cli.conftest import Run
from webhooks.cli.commands import COMMANDS, LazyCommand
from webhooks.cli.support.exit_codes import MEANINGS
from webhooks.config.settings import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
WIDTH = 60
"""Characters of a command's first sentence that fit beside its name."""


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and all below it."""
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from commands(one, (*path, name))


ALL = [
    pytest.param(path, command, id=" ".join(path))
    for name in COMMANDS
    for path, command in commands(LazyCommand(name).load(), (name,))
]


def test_the_table_names_every_command_that_is_registered(app: Flask) -> None:
    """`flask --help` shows each with its first sentence, without loading it."""
    for name, text in COMMANDS.items():
        command = app.cli.commands[name]
        assert isinstance(command, LazyCommand)
        assert command.help == text
        assert (command.load().help or "").startswith(text.rstrip("."))


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_is_whole(path: tuple[str, ...], command: click.Command) -> None:
    """Each command says what it does in a sentence that fits, and what each option means."""
    assert command.help, path
    assert not command.get_short_help_str(WIDTH).endswith("..."), command.get_short_help_str(200)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]}"


@pytest.mark.parametrize(("path", "command"), ALL)
def test_help_ends_with_the_exit_codes(flask: Run, path: tuple[str, ...], command: click.Command) -> None:
    """Every help text has the one table of exit codes."""
    text = flask(*path, "--help").stdout
    for code, meaning in MEANINGS.items():
        assert re.search(rf"^ +{code} +{re.escape(meaning)}$", text, re.MULTILINE)


@pytest.mark.parametrize(("path", "command"), ALL)
def test_the_page_tells_of_every_command_and_option(path: tuple[str, ...], command: click.Command) -> None:
    """docs/cli.md has a section for each command, with all of its options."""
    if isinstance(command, click.Group):
        assert f"\n## {path[0]}\n" in PAGE
        return
    found = re.search(rf"\n### `flask {' '.join(path)}\b(.*?)(?=\n##|\Z)", PAGE, re.DOTALL)
    assert found, f"docs/cli.md has no section on flask {' '.join(path)}"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in {
            "as_json",
            "event_types",
            "resources",
            "states",
            "since",
        }:
            assert parameter.opts[0] in found[1], f"docs/cli.md is silent on {parameter.opts[0]} of {' '.join(path)}"


def test_the_page_has_the_same_exit_codes() -> None:
    """The page's table is the code's."""
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {str(code): meaning for code, meaning in MEANINGS.items()}
