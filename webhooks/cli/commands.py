"""The table of commands. A command's module is imported when it is used, so the server carries none of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from flask import Flask

COMMANDS = {
    "doctor": "Check everything that can be checked.",
    "events": "What came in, and what became of it.",
    "inbox": "Keep the inbox small, or move it to another database.",
    "listen": "Register webhooks, serve, and clean up at the end.",
    "notify": "Try the ways to tell people something.",
    "rules": "Check the rules file, and ask what it makes of an event.",
    "trigger": "Send a realistic event to a running server.",
    "webhooks": "The webhooks on Tableau's side.",
    "worker": "Run handlers in a process of their own.",
}
"""Each command is a function of this name."""

MODULES = {
    "doctor": "doctor.command",
    "events": "events.commands",
    "listen": "listen.command",
    "rules": "rules.commands",
    "trigger": "trigger.command",
    "webhooks": "webhooks.commands",
}
"""The modules of the commands that have a folder; the others are in the module of the same name."""


class LazyCommand(click.Command):
    """Stands for a command until it is used; knows its name and what it is for."""

    def load(self) -> click.Command:
        """The command itself."""
        name = str(self.name)
        command: click.Command = getattr(import_module(f"webhooks.cli.{MODULES.get(name, name)}"), name)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        return self.load().make_context(info_name, args, parent, **extra)


def register(app: Flask) -> None:
    """Adds every command of ours to `flask`."""
    for name, help_text in COMMANDS.items():
        app.cli.add_command(LazyCommand(name, help=help_text))
