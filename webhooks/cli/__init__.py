"""The commands: `flask events`, `flask rules`, `flask trigger`, `flask worker`, `flask notify`, `flask webhooks`."""

from webhooks.cli.commands import register

__all__ = ["register"]
