"""The rules file: text -> Rules, and which jobs an event makes. Pure, but for `load`, which reads the file."""

from webhooks.rules.errors import Diagnostic, RulesError
from webhooks.rules.file import load, parse
from webhooks.rules.rules import Rule, Rules

__all__ = ["Diagnostic", "Rule", "Rules", "RulesError", "load", "parse"]
