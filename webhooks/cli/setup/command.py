"""`flask setup`: ask for what the server needs, test every answer, and write the env file."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from flask.cli import with_appcontext

from webhooks.cli.setup import slack, tableau
from webhooks.cli.setup.env_text import replace_file, set_variables
from webhooks.cli.setup.questions import STOPPED, ask, done, heading
from webhooks.cli.support.commands import Command
from webhooks.cli.support.exit_codes import Failure
from webhooks.config.env_file import EnvFileError, read_env_file
from webhooks.config.environment import ENV_FILE, ROOT
from webhooks.webhook_url import public_url

EXAMPLE = ROOT / "example-env"
RULES = """# Who is notified of what: docs/rules.md has every key, docs/recipes/ has examples.

[[rule]]
name = "Refresh failures"
on = "*RefreshFailed"
notify = "default"
"""


@click.command(cls=Command)
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), default=ENV_FILE, help="The env file. [.env]"
)
@with_appcontext
def setup(path: Path) -> None:
    """Connect Tableau and Slack step by step, and write .env.

    Every answer is tested at once: the sign-in to Tableau, the Slack token, and a message to the channel. Values of an
    existing .env are offered as answers, and its other lines are kept. Only the owner can read the file. The answers
    may also come from a pipe, one per line; then the first wrong one ends the command.

    Nothing is written before the last step, and nothing is changed in Tableau.
    """
    try:
        known = read_env_file(path)
    except EnvFileError as error:
        raise Failure(str(error)) from None
    click.echo("Press Enter to accept the value in brackets. Ctrl-C stops; nothing is written before the last step.")
    try:
        values = {**tableau.ask_credentials(known), **_ask_address(known)}
        values |= slack.ask_token(known, values.get("WEBHOOK_URL", ""))
    except click.Abort:
        # Ctrl-C, or the end of the input.
        click.echo(f"\n{STOPPED}", err=True)
        if not sys.stdin.isatty():
            click.echo("Run it in a terminal, or give all answers, one per line.", err=True)
        raise
    _write(path, known, values)


def _ask_address(known: Mapping[str, str]) -> dict[str, str]:
    heading("2. The address of this server")
    click.echo(
        "  Tableau sends webhooks to a public https address with a trusted certificate. Press Enter to skip this."
    )

    def check(answer: str) -> str:
        if answer and "." not in answer:
            raise ValueError(f"{answer!r} is not a public address, such as https://webhooks.example.org")
        if answer:
            public_url(answer, "")
        return answer

    address = ask("Public address of this server", check, default=known.get("WEBHOOK_URL", ""))
    values = {"WEBHOOK_TOKEN": known.get("WEBHOOK_TOKEN") or secrets.token_urlsafe(32)}
    return values | ({"WEBHOOK_URL": address} if address else {})


def _write(path: Path, known: Mapping[str, str], values: Mapping[str, str]) -> None:
    heading("4. The files")
    try:
        text = path.read_text(encoding="utf-8-sig") if known or path.exists() else EXAMPLE.read_text(encoding="utf-8")
        previous = replace_file(path, set_variables(text, values))
    except (OSError, ValueError) as error:
        raise Failure(f"Cannot write {path}: {error}") from None
    done(f"{path.name} written, readable by you only" + (f"; the previous one is {previous.name}" if previous else ""))
    rules = path.with_name("rules.toml")
    if not rules.exists():
        rules.write_text(RULES, encoding="utf-8")
        done("rules.toml written: failed refreshes are notified in the default channel")
    heading("Next")
    click.echo("  make run                      starts the server")
    if "WEBHOOK_URL" in values:
        click.echo("  flask webhooks sync           registers the webhooks in Tableau")
    else:
        click.echo("  flask listen --url https://…  tries it with temporary webhooks; docs/howto/real-site.md")
    click.echo("  flask doctor                  checks everything")
