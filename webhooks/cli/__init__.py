"""The `flask` commands, one module or folder each; `commands.py` lists them."""

from webhooks.cli.commands import register

__all__ = ["register"]
