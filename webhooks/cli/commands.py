"""The table of commands, and where the application takes them in."""

from __future__ import annotations

from flask import Flask

COMMANDS = ()


def register(app: Flask) -> None:
    """Adds every command of ours to `flask`."""
    for command in COMMANDS:
        app.cli.add_command(command)
