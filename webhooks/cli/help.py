"""The help page of `flask` and `python -m webhooks`: the commands, then Flask's own, options and exit codes."""

from __future__ import annotations

import click
from flask.cli import FlaskGroup

from webhooks.cli.commands import COMMANDS
from webhooks.cli.support.exit_codes import MEANINGS

INTRODUCTION = (
    "Receive webhooks from Tableau, store them durably, and notify the right people.",
    """Commands read the same settings as the server, from the environment and .env. Start with `flask doctor`. Each
    command has its own --help; docs/cli.md describes them all.""",
)


class RootGroup(FlaskGroup):
    """All commands, with this help page."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names without loading the application, whose settings may be invalid."""
        return sorted({*click.Group.list_commands(self, ctx), *COMMANDS})

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_help(self, ctx, formatter)


def replace_help(root: click.Command) -> None:
    """Replace the help page of `flask`, which only learns of this application while it writes that page.

    Flask's page ends with the epilog, where the page written so far is replaced.
    """
    if not isinstance(root, FlaskGroup) or isinstance(root, RootGroup):
        return
    group = root

    def format_epilog(ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.buffer.clear()
        write_help(group, ctx, formatter)

    group.format_epilog = format_epilog  # type: ignore[method-assign]


def write_help(group: FlaskGroup, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the whole help page of `group`."""
    names = group.list_commands(ctx)  # loads the application
    formatter.write_usage(ctx.command_path, "COMMAND [OPTIONS] [ARGS]...")
    with formatter.indentation():
        for paragraph in INTRODUCTION:
            formatter.write_paragraph()
            formatter.write_text(" ".join(paragraph.split()))
    with formatter.section("Commands"):
        formatter.write_dl([(name, text) for name, text in COMMANDS.items() if name in names])
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(code), meaning) for code, meaning in MEANINGS.items()])
    others = {name: group.get_command(ctx, name) for name in names if name not in COMMANDS}
    with formatter.section("Flask's own commands"):
        formatter.write_dl([(name, command.get_short_help_str()) for name, command in others.items() if command])
    click.Command.format_options(group, ctx, formatter)
