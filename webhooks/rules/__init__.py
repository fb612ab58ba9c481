"""The rules file: text -> Rules, and which jobs an event makes. Pure, but for `load`, which reads the file."""

from webhooks.rules.errors import Fault, RulesError
from webhooks.rules.file import load, read
from webhooks.rules.rules import Rule, Rules

__all__ = ["Fault", "Rule", "Rules", "RulesError", "load", "read"]
