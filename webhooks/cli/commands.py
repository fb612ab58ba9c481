"""The table of commands. A command's module is imported when the command runs, so the server imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from flask import Flask

# The first sentence of each command's help, in the order of `flask --help`.
COMMANDS = {
    "setup": "Connect Tableau and Slack step by step, and write .env.",
    "status": "Show what is broken now, since when, and who was notified.",
    "incidents": "List, explain, acknowledge, snooze and close incidents.",
    "silences": "List, add and end silences, in which nothing is sent.",
    "refresh": "Refresh the content of incidents or events in Tableau.",
    "doctor": "Check the configuration and everything it depends on.",
    "events": "List, follow, explain and replay events.",
    "rules": "Check the rules file and preview what it does.",
    "trigger": "Send a realistic event to a running server.",
    "webhooks": "List, create, test and delete the webhooks in Tableau.",
    "listen": "Serve with temporary webhooks until Ctrl-C.",
    "notify": "List the notifiers, send test messages, and print manifests.",
    "worker": "Plan events and run handlers in a separate process.",
    "tokens": "List, create and revoke tokens of programs.",
    "sessions": "List and end sessions of people on the pages.",
    "audit": "List and verify the audit log: who did what, and when.",
    "inbox": "Delete expired events or move to another database.",
}

# The modules of the commands that have a folder; each of the others is in the module of its name.
MODULES = {
    "doctor": "doctor.command",
    "events": "events.commands",
    "incidents": "incidents.commands",
    "listen": "listen.command",
    "refresh": "refresh.command",
    "rules": "rules.commands",
    "setup": "setup.command",
    "silences": "silences.commands",
    "status": "status.command",
    "trigger": "trigger.command",
    "webhooks": "webhooks.commands",
}


class LazyCommand(click.Command):
    """A name and a help text; the command itself is imported when it is used."""

    def load(self) -> click.Command:
        """Import and return the command: the attribute of that name in its module."""
        name = str(self.name)
        command: click.Command = getattr(import_module(f"webhooks.cli.{MODULES.get(name, name)}"), name)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        return self.load().make_context(info_name, args, parent, **extra)


def register(app: Flask) -> None:
    """Add every command to `flask`, and replace the help page of the running `flask` command."""
    commands = [LazyCommand(name, help=help_text) for name, help_text in COMMANDS.items()]
    for command in commands:
        app.cli.add_command(command)
    context = click.get_current_context(silent=True)
    if context is not None:
        root = context.find_root().command
        if isinstance(root, click.Group):
            # For a misspelt command, click only suggests those of the group itself, not those of the application.
            for command in commands:
                root.add_command(command)
        from webhooks.cli.help import replace_help  # noqa: PLC0415 - the server prints no help

        replace_help(context.find_root().command)
