"""The commands, each a module of its own; `commands` has the table."""

from webhooks.cli.commands import register

__all__ = ["register"]
