"""Test that every command in the documentation exists, and run those that can run here."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from flask.testing import FlaskCliRunner

from simulator import Running
from tests.docs.pages import ROOT, SHELL, Block, blocks, flask_commands, is_pattern, words_of
from tests.support.server import Server
from webhooks.app import create_app
from webhooks.cli.commands import LazyCommand
from webhooks.config.settings import Settings

Shell = Callable[[str], subprocess.CompletedProcess[str]]

COMMANDS = flask_commands()
BLOCKS = blocks(*SHELL)
RUNNABLE = [block for block in BLOCKS if block.language == "sh" and not block.elsewhere]
# Commands that may be run wherever they are documented, because they change nothing.
READING = re.compile(r"flask (events list|events (show|explain) \d|rules (check|test \w|backtest)|notify list)")

FLASKS_OWN = {"run", "routes", "shell", "--app"}
READABLE = {
    command: place
    for command, place in COMMANDS.items()
    if READING.match(command) and not is_pattern(command) and "--expect" not in command
}


@pytest.fixture(scope="module")
def flask(tmp_path_factory: pytest.TempPathFactory) -> click.Group:
    """Return the `flask` command with ours."""
    url = f"sqlite:///{tmp_path_factory.mktemp('inbox') / 'inbox.sqlite3'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASK_RUN_FROM_CLI", "true")
        return create_app(Settings.read(_env_file=None, database_url=url)).cli


def find(group: click.Group, words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words name, and the remaining words."""
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        known = command.commands
        assert words[0] in known, f"there is no {words[0]!r} among {', '.join(known)}"
        command = known[words[0]]
        command = command.load() if isinstance(command, LazyCommand) else command
        words = words[1:]
    return command, words


@pytest.mark.parametrize("written", COMMANDS, ids=str)
def test_command_exists_with_its_options(written: str, flask: click.Group) -> None:
    """Every documented command and option exists."""
    words = words_of(written.replace("[", "").replace("]", ""))[1:]
    if words and words[0] in FLASKS_OWN:
        return
    command, rest = find(flask, words)
    context = click.Context(command)
    try:
        _, left, _ = command.make_parser(context).parse_args(list(rest))
    except click.UsageError as error:
        pytest.fail(f"{COMMANDS[written]}: {error.format_message()}")
    assert not left, f"{COMMANDS[written]}: {left} is too much"


def test_there_are_commands() -> None:
    """The search finds commands."""
    assert len(COMMANDS) > 40
    assert len(RUNNABLE) > 12
    assert len(READABLE) > 10


@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.title)
def test_block_runs(block: Block, shell: Shell) -> None:
    """A documented block succeeds when it is copied and run."""
    ended = shell(block.text)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def runner(server: Server, site: Running) -> Iterator[FlaskCliRunner]:
    """Yield a runner of commands in this process, on the server's inbox."""
    given = {"database_url": server.environment["DATABASE_URL"], **site.environment}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASK_RUN_FROM_CLI", "true")
        app = create_app(Settings.read(_env_file=None, **{name.lower(): value for name, value in given.items()}))
    yield app.test_cli_runner()
    app.extensions["webhooks"].stop()


@pytest.mark.parametrize("command", READABLE, ids=str)
def test_command_that_only_reads_runs(
    command: str, runner: FlaskCliRunner, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only command succeeds, also if it is documented in a table or a sentence."""
    monkeypatch.chdir(folder)
    ended = runner.invoke(args=words_of(command)[1:])
    assert ended.exit_code == 0, f"{READABLE[command]}: {ended.output}"


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.title)
def test_files_and_targets_that_commands_name_are_there(block: Block) -> None:
    """Every file and make target named in a command exists."""
    for line in block.commands:
        for path in re.findall(r"(?<![\w/])((?:deploy|postman|docs|bench)/[\w./-]*\w)", line):
            assert (ROOT / path).exists(), f"{block.title}: there is no {path}"
        for target in re.findall(r"(?:^|\s)make ([a-z]+)", line):
            assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8")), target
